"""What every source does, and a post as a source gives it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from bearometer.errors import Reason

__all__ = ["Acknowledged", "RawPost", "Resumable", "Source", "Unreadable"]


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


@runtime_checkable
class Resumable(Source, Protocol):
    """A source that can go on where it stopped.

    A server's refusal (a wrong token, an address that is none) ends `read` with Failed or Misconfigured; what may
    pass (an answer of 5xx or 429, a closed socket, half an answer) is waited out inside `read`, longer each time,
    and stands in `last_error` until the source works again.
    """

    @property
    def cursor(self) -> str | None:
        """What, stored once all given so far is acknowledged, makes a later `read` go on behind it.

        Opaque text, JSON, below 64 kB; None: there is nothing to go on from yet. It may change with each item that
        `read` gives, and always covers the item given last: the loop asks for it between two items.
        """
        ...

    @property
    def last_error(self) -> str | None:
        """The trouble that is being waited out, in one line; None while all is well."""
        ...

    def resume(self, cursor: str | None) -> None:
        """Go on from a stored cursor; called once, before `read`, with None at the first start.

        A cursor that this version cannot read is as none: the source starts anew, and ids stop the repeats.
        """
        ...


@runtime_checkable
class Acknowledged(Protocol):
    """A source that wants to know when what it gave has arrived, such as one whose senders wait for that."""

    def acknowledged(self, cursor: str | None) -> None:
        """Everything given up to `cursor`, which was the source's own, has arrived where it outlives us.

        That is the broker; for one that forgets (`ingest.place_after_store`) the stores behind it. Called in any
        thread, after `read` has ended too. Must not block.
        """
        ...
