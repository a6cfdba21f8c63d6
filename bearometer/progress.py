"""How far the stream has come on one partition."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before `next_offset` is in both stores; `newest_at` is the newest event time among it."""

    topic: str
    partition: int
    next_offset: int
    newest_at: datetime | None
