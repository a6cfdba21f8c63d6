"""How far the stream has come on one partition."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before `next_offset` is in Postgres; `newest_at` is the newest event time among it.

    Redis follows: it is written after the transaction that this stands in. The offset on the broker moves after both.
    """

    topic: str
    partition: int
    next_offset: int
    newest_at: datetime | None
