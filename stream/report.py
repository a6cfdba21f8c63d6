"""What a worker says of itself once a minute."""

from bearometer.clock import Clock

__all__ = ["StreamReport"]


class StreamReport:
    """Counts since the last report."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        self._since = self._clock.monotonic()
        self._batches = self._messages = self._posts = self._hits = self._dead = 0

    def count(self, messages: int, posts: int, cache_hits: int, dead: int) -> None:
        """Add a batch that is in both stores."""
        self._batches += 1
        self._messages += messages
        self._posts += posts
        self._hits += cache_hits
        self._dead += dead

    def take(self, lag: int) -> str:
        """One line over the time since the last call; `lag` is how many messages wait on our partitions."""
        seconds = max(self._clock.monotonic() - self._since, 1e-9)
        line = (
            f"lag {lag} messages, {self._posts / seconds:.1f} posts/s, "
            f"batch {self._messages / max(self._batches, 1):.1f} messages, "
            f"cache hits {self._hits / max(self._posts, 1):.0%}, dead {self._dead}"
        )
        self._reset()
        return line
