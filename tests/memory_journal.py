"""The evaluator's journal in memory: what it would find in Postgres, and a look at what it wrote."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bearometer.alert import Alert, AlertState, Delivery, Silence
from bearometer.errors import Unavailable
from bearometer.mention import SeenMention
from storage.deliveries import event_time
from storage.lease import Action, Poll

__all__ = ["MemoryJournal", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """A message and the event time at which it was queued."""

    at: datetime
    delivery: Delivery
    is_dropped: bool

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return (self.delivery.alert, *self.delivery.others)


@dataclass(slots=True)
class MemoryJournal:
    """Refuses what a sound evaluator never writes: a message twice, an alert that goes back in its life."""

    watermark: datetime | None = None
    as_of: datetime | None = None
    stored: dict[str, Alert] = field(default_factory=dict)
    written: list[Written] = field(default_factory=list)
    all_silences: list[Silence] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    applied: list[int] = field(default_factory=list)
    commits_left: int | None = None
    """After so many more the connection is lost."""

    def poll(
        self,
        since: datetime,
        idle_after_seconds: float,
        take: Callable[[Iterable[SeenMention]], None],
        *,
        whole_posts: bool,
    ) -> Poll:
        take(())
        return Poll(self.watermark, 0)

    def silences(self) -> list[Silence]:
        return [silence for silence in self.all_silences if self.as_of is None or silence.ends_at > self.as_of]

    def waiting_actions(self) -> list[Action]:
        return [action for action in self.actions if action.number not in self.applied]

    def recent_alerts(self, ended_since: datetime) -> list[Alert]:
        alerts = sorted(self.stored.values(), key=lambda alert: (alert.started_at, alert.id))
        return [a for a in alerts if a.resolved_at is None or a.resolved_at >= ended_since]

    def sent_since(self, since: datetime, until: datetime) -> dict[str, int]:
        sent: dict[str, int] = {}
        for each in self.written:
            if since <= event_time(each.delivery) <= until and not each.is_dropped:
                sent[each.delivery.notifier] = sent.get(each.delivery.notifier, 0) + 1
        return sent

    def told_to(self, alert_ids: Collection[str]) -> dict[str, set[str]]:
        told: dict[str, set[str]] = {}
        for each in self.written:
            for alert in each.alerts:
                if alert.id in alert_ids and not each.is_dropped:
                    told.setdefault(alert.id, set()).add(each.delivery.notifier)
        return told

    def commit(
        self,
        as_of: datetime | None,
        alerts: Sequence[Alert],
        deliveries: Sequence[Delivery],
        applied: Sequence[int] = (),
        dropped: Sequence[Delivery] = (),
    ) -> None:
        if self.commits_left is not None:
            if self.commits_left == 0:
                message = "the connection to Postgres was lost"
                raise Unavailable(message)
            self.commits_left -= 1
        assert self.as_of is None or (as_of is not None and as_of >= self.as_of)
        for alert in alerts:
            before = self.stored.get(alert.id)
            if before is not None:
                assert alert.started_at == before.started_at
                assert before.fired_at in (None, alert.fired_at)
                assert before.resolved_at in (None, alert.resolved_at)
                assert before.state is not AlertState.RESOLVED or alert.state is AlertState.RESOLVED
            self.stored[alert.id] = alert
        ids = [each.delivery.id for each in self.written] + [delivery.id for delivery in [*deliveries, *dropped]]
        assert len(ids) == len(set(ids)), "a message twice"
        # Without event time there are only messages that go by the clock.
        self.written += [Written(as_of or event_time(each), each, False) for each in deliveries]
        self.written += [Written(as_of or event_time(each), each, True) for each in dropped]
        self.applied += applied
        self.as_of = as_of
