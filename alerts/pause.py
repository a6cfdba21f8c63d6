"""When an extra that failed is tried again: what comes beside a message must not make each of many messages wait."""

import math

from bearometer.clock import Clock
from bearometer.errors import Transient

__all__ = ["EXTRA_SECONDS", "PAUSE_SECONDS", "Pause"]

EXTRA_SECONDS = 5.0
"""For an extra at most: meanwhile the next message waits, and one that is told is not yet noted as told."""
PAUSE_SECONDS = 60.0


class Pause:
    """Not before it is over is the extra to be tried; it is over until something goes wrong."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends_at = -math.inf

    @property
    def is_over(self) -> bool:
        """Whether the extra may be tried."""
        return self._clock.monotonic() >= self._ends_at

    def begin(self, error: Exception) -> float:
        """Wait from now on, as long as the other side has asked for, and a minute at least; how many seconds."""
        asked = error.retry_after_seconds if isinstance(error, Transient) else None
        seconds = max(PAUSE_SECONDS, asked or 0.0)
        self._ends_at = max(self._ends_at, self._clock.monotonic() + seconds)
        return seconds

    def begin_for_good(self) -> None:
        """Wait until the process ends."""
        self._ends_at = math.inf
