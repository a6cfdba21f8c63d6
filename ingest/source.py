"""What every source does, and a post as a source gives it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bearometer.errors import Reason

__all__ = ["RawPost", "Source", "Unreadable"]


@dataclass(frozen=True, slots=True)
class RawPost:
    """A post as the source gave it: nothing is cleaned, nothing is checked but its shape."""

    text: str
    published_at: datetime | None
    """Aware; None when the source does not say."""
    position: str
    """Where it lay, for a person: `line 17`, or the feed and its entry."""
    native_id: str | None = None
    source: str | None = None
    """Stands in for the source's own name, when one source gives posts of several (feeds)."""
    author: str | None = None
    followers: int | None = None
    url: str | None = None
    language: str | None = None
    symbols: tuple[str, ...] = ()
    """Symbols that the source states; when there are any, those of the text are not looked for."""
    engagement: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something in the source that is no post: where, why, and what exactly."""

    position: str
    reason: Reason
    detail: str


class Source(Protocol):
    """Where posts come from."""

    @property
    def name(self) -> str:
        """The first half of its posts' ids; it stays the same from one start to the next."""
        ...

    @property
    def live(self) -> bool:
        """Whether its posts are of the present; false for a replay of the past."""
        ...

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """Every post once, in the source's own order; None means: nothing just now, ask again.

        A live source never ends, and gives None at least once a second while it waits, except during a fetch.
        What cannot be read comes as Unreadable in its place and never ends the rest. The same post read a
        second time, after a restart too, has the same native id, or the same author, time and text.
        """
        ...
