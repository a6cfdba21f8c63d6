"""Messages that cannot be used: a few are put aside with their reason, a flood of them stops the worker."""

from collections import deque

from bearometer.errors import Failed

__all__ = ["DeadLetterGuard"]

_WINDOW = 500
_LEAST = 50


class DeadLetterGuard:
    """Remembers how many of the last messages were dead, over at least 50 and at most about 500 of them.

    A single bad message is the sender's mistake; most of them being bad is ours (a bad deploy, a wrong topic), and
    then it is better to stop than to carry the whole topic away.
    """

    def __init__(self, max_share: float) -> None:
        self._max_share = max_share
        self._batches: deque[tuple[int, int]] = deque()

    def check(self, messages: int, dead: int) -> None:
        """Count a batch, before its dead letters are published; Failed when it is a flood."""
        self._batches.append((messages, dead))
        while len(self._batches) > 1 and sum(m for m, _ in self._batches) - self._batches[0][0] >= _WINDOW:
            self._batches.popleft()
        seen = sum(m for m, _ in self._batches)
        lost = sum(d for _, d in self._batches)
        if seen >= _LEAST and lost > self._max_share * seen:
            message = (
                f"{lost} of the last {seen} messages cannot be used: stopping, with none of this batch put aside. "
                f"If they really are bad, set stream.max_dead_share (now {self._max_share:g}) to 1"
            )
            raise Failed(message)
