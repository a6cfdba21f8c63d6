"""How far the stream has come on one partition."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Progress", "count_missing"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before `next_offset` is in Postgres; `newest_at` is the newest event time among it.

    Redis follows: it is written after the transaction that this stands in. The offset on the broker moves after both.
    """

    topic: str
    partition: int
    next_offset: int
    newest_at: datetime | None


def count_missing(progress: Iterable[Progress], next_offsets: Mapping[int, int]) -> int:
    """How many of the messages before `next_offsets` (by partition, of one topic) are not in Postgres yet."""
    done = {step.partition: step.next_offset for step in progress}
    return sum(max(0, end - done.get(partition, 0)) for partition, end in next_offsets.items())
