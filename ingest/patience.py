"""Waiting out trouble: growing waits, told in one line, without ever blocking a source for long."""

import logging
import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from bearometer.clock import Clock
from bearometer.errors import Failed, Transient

__all__ = ["Patience", "keep_reading", "pause"]

log = logging.getLogger(__name__)

LASTED_SECONDS = 60.0
"""A connection that held this long was a good one: the next wait is a first wait again."""
ONCE_SECONDS = 10.0

_SLICE_SECONDS = 0.2
_DUE_SECONDS = 0.001
"""A wait shorter than this is over: a clock may have no finer ticks."""

Item = TypeVar("Item")


class Patience:
    """How long to wait after each failure in a row: doubling, give or take a fifth, at least what the server asks."""

    def __init__(self, first_seconds: float, longest_seconds: float, chance: random.Random | None = None) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._chance = chance or random.Random()
        self._failures = 0

    def after(self, error: Transient) -> float:
        """Seconds to wait after one more failure."""
        wait = min(self._first * 2.0 ** min(self._failures, 20), self._longest) * self._chance.uniform(0.8, 1.2)
        self._failures += 1
        return max(wait, error.retry_after_seconds or 0.0)

    def reset(self) -> None:
        """All is well: forget the failures."""
        self._failures = 0


def pause(clock: Clock, seconds: float) -> Iterator[None]:
    """Wait, giving None several times a second."""
    until = clock.monotonic() + seconds
    while (wait := until - clock.monotonic()) > _DUE_SECONDS:
        clock.sleep(min(wait, _SLICE_SECONDS))
        yield None


def keep_reading(
    session: Callable[[], Iterator[Item | None]],
    patience: Patience,
    clock: Clock,
    on_trouble: Callable[[str], None],
    *,
    once: bool = False,
) -> Iterator[Item | None]:
    """One session after another, without end: a session is a connection, from its opening to its end or Transient.

    `on_trouble` is told each trouble in one line, with the wait that follows. Whatever else a session raises goes
    through. With `once` it ends when something came and nothing more does just now, or after ten seconds, and
    trouble raises Failed.
    """
    while True:
        began, given = clock.monotonic(), False
        try:
            for item in session():
                if item is not None:
                    patience.reset()
                    given = True
                yield item
                if once and ((given and item is None) or clock.monotonic() - began > ONCE_SECONDS):
                    return
            error = Transient("the other side closed the connection")
        except Transient as caught:
            error = caught
        if once:
            raise Failed(str(error)) from error
        if clock.monotonic() - began >= LASTED_SECONDS:
            patience.reset()
        wait = patience.after(error)
        trouble = f"{error}; tried again in {wait:.0f} s"
        log.warning("%s", trouble)
        on_trouble(trouble)
        yield from pause(clock, wait)
