"""What the evaluator stands between: the journal that keeps all, and the monitor that finds what is unusual."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from alerts.monitor import Advance
from bearometer.alert import Alert, Delivery, Evidence, Silence
from bearometer.mention import SeenMention
from storage.lease import Action, Poll

__all__ = ["Journal", "Watching"]


class Journal(Protocol):
    """What the evaluator reads and writes: the lease, storage/lease.py."""

    def poll(
        self,
        since: datetime,
        idle_after_seconds: float,
        take: Callable[[Iterable[SeenMention]], None],
        *,
        whole_posts: bool,
    ) -> Poll:
        """How far event time has come; `take` gets the new mentions: with `whole_posts`, of topics and the market."""
        ...

    def silences(self) -> Sequence[Silence]:
        """Those that are not over."""
        ...

    def waiting_actions(self) -> Sequence[Action]:
        """What people have asked for and no commit has applied."""
        ...

    def sent_since(self, since: datetime, until: datetime) -> Mapping[str, int]:
        """By notifier, the messages queued of `since` <= event time <= `until`."""
        ...

    def told_to(self, alert_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        """By alert, the notifiers that were told of it."""
        ...

    def commit(
        self,
        as_of: datetime | None,
        alerts: Sequence[Alert],
        deliveries: Sequence[Delivery],
        applied: Sequence[int] = (),
        dropped: Sequence[Delivery] = (),
    ) -> None:
        """Write all of it or nothing; `as_of` is None before the first post."""
        ...


class Watching(Protocol):
    """The monitor, alerts/monitor.py, as the evaluator sees it."""

    @property
    def as_of(self) -> datetime | None:
        """The tick up to which everything was looked at."""
        ...

    def add(self, mentions: Iterable[SeenMention]) -> None:
        """Make mentions known."""
        ...

    def advance(self, until: datetime, looks: int | None = None) -> Advance:
        """Look at everything up to `until`, or up to the tick on which that many looks are reached."""
        ...

    def open_alerts(self) -> Sequence[Alert]:
        """All that are not over; each is looked at on every tick."""
        ...

    def put(self, alert: Alert) -> None:
        """Go on from this state of the alert."""
        ...

    def attach(self, alert: Alert, evidence: Evidence) -> None:
        """Keep the evidence with the alert."""
        ...
