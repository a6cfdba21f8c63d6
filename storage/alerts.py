"""Alerts and their deliveries in Postgres: state that outlives every process."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, func, select

from bearometer.alert import Alert, AlertState, Silence
from storage.alert_rows import alert_of
from storage.claims import ClaimedDelivery, ClaimedDigest, claim, claim_collected
from storage.deliveries import FailedDelivery, SentMessage, failed_deliveries, messages_of, resend
from storage.failures import translated_errors
from storage.lease import EvaluatorLease, take_lease
from storage.session import EvaluatorSession
from storage.silences import (
    Action,
    ActionKind,
    action_is_applied,
    add_silence,
    expire_silence,
    list_silences,
    request,
    waiting_actions,
)
from storage.tables import alerts, deliveries, evaluator

__all__ = ["AlertStore", "ClaimedDelivery", "ClaimedDigest", "FailedDelivery", "SentMessage"]


class AlertStore:
    """What was seen and who was told. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def acquire_lease(self) -> EvaluatorLease | None:
        """The right to evaluate, in a session of its own; None while another has it (storage/lease.py)."""
        session = self.open_session()
        lease = None
        try:
            lease = take_lease(session)
        finally:
            if lease is None:
                session.close()
        return lease

    def open_session(self) -> EvaluatorSession:
        """A session to wait for the right to evaluate on, and to read what is stored; to be closed."""
        return EvaluatorSession(self._engine)

    @contextmanager
    def claim_delivery(
        self, now: datetime, notifiers: Collection[str], collecting: Collection[str] = ()
    ) -> Iterator[ClaimedDelivery | None]:
        """A delivery to one of the notifiers whose time has come, ours while the block runs; None when there is none.

        Its row is locked in a transaction that stays open while it is sent: nobody else gets it, and when this
        process dies it is free again at once, with no attempt counted. Of one alert and notifier, a later message
        waits until the earlier one was sent or given up; `thread` is the first receipt that they have brought.

        To those of the notifiers that are `collecting`, only what is urgent: the rest is for `claim_digest`.
        """
        with translated_errors(self._engine), self._engine.connect() as connection:
            delivery = claim(connection, now, notifiers, collecting)
            claimed = None if delivery is None else ClaimedDelivery(connection, self._engine, delivery)
            if claimed is None:
                connection.rollback()
            yield claimed

    @contextmanager
    def claim_digest(self, notifier: str, now: datetime, after: timedelta) -> Iterator[ClaimedDigest | None]:
        """All that is not urgent and waits for the notifier, once one has waited for `after`; ours in the block.

        None before that, and while another process has it.
        """
        with translated_errors(self._engine), self._engine.connect() as connection:
            found = claim_collected(connection, notifier, now, after)
            claimed = ClaimedDigest(connection, self._engine, found) if found else None
            if claimed is None:
                connection.rollback()
            yield claimed

    def waiting_deliveries(self, notifiers: Collection[str] | None = None) -> int:
        """How many messages to the notifiers (to anybody when None) are neither sent nor given up."""
        waiting = self.waiting_by_notifier()
        return sum(count for name, count in waiting.items() if notifiers is None or name in notifiers)

    def waiting_by_notifier(self) -> dict[str, int]:
        """How many messages wait for each notifier, whether anybody has such a notifier or not."""
        query = (
            select(deliveries.c.notifier, func.count())
            .where(deliveries.c.status == "waiting")
            .group_by(deliveries.c.notifier)
            .order_by(deliveries.c.notifier)
        )
        with translated_errors(self._engine), self._engine.connect() as connection:
            return {name: count for name, count in connection.execute(query)}

    def as_of(self) -> datetime | None:
        """Event time up to which some evaluator's work was committed; None before the first."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            moment = connection.execute(select(evaluator.c.as_of)).scalar_one_or_none()
        return None if moment is None else moment.astimezone(UTC)

    def alerts(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        states: Iterable[AlertState] | None = None,
        beginning: str = "",
    ) -> list[Alert]:
        """The alerts with `since` <= started_at < `until` in one of the states (all when None), the oldest first.

        With `beginning`, those whose id begins with it.
        """
        query = select(alerts).order_by(alerts.c.started_at, alerts.c.id)
        if since is not None:
            query = query.where(alerts.c.started_at >= since)
        if until is not None:
            query = query.where(alerts.c.started_at < until)
        if states is not None:
            query = query.where(alerts.c.state.in_([str(state) for state in states]))
        if beginning:
            query = query.where(alerts.c.id.startswith(beginning, autoescape=True))
        with self._transaction() as connection:
            return [alert_of(row) for row in connection.execute(query)]

    def failed_deliveries(self, limit: int) -> list[FailedDelivery]:
        """The messages that were given up, the latest first."""
        with self._transaction() as connection:
            return failed_deliveries(connection, limit)

    def resend(self, ids: Collection[str], at: datetime) -> int:
        """Have those of `ids` that were given up sent from `at` on, with all attempts before them; gives how many."""
        with self._transaction() as connection:
            return resend(connection, ids, at)

    def messages_of(self, alert_id: str) -> list[SentMessage]:
        """What became of an alert's messages, dropped ones too, in the order in which they were queued."""
        with self._transaction() as connection:
            return messages_of(connection, alert_id)

    def request(self, alert_id: str, action: ActionKind, who: str, comment: str) -> int:
        """Ask the evaluator for it, now or when there is one; gives a number for `is_applied`.

        Failed when there is no such alert. Whether it makes sense is the evaluator's to say.
        """
        with self._transaction() as connection:
            return request(connection, alert_id, action, who, comment)

    def waiting_actions(self) -> list[Action]:
        """What was asked for and the evaluator has not seen to yet, in the order in which it was asked for."""
        with self._transaction() as connection:
            return waiting_actions(connection)

    def is_applied(self, number: int) -> bool:
        """Whether the evaluator has seen to what `request` asked for."""
        with self._transaction() as connection:
            return action_is_applied(connection, number)

    def add_silence(self, silence: Silence) -> None:
        """Keep it; the same one again changes nothing. Failed when another one has its id."""
        with self._transaction() as connection:
            add_silence(connection, silence)

    def expire_silence(self, silence_id: str, at: datetime) -> bool:
        """End it at `at`, or before it begins if that is later; False when it was over by then or there is none."""
        with self._transaction() as connection:
            return expire_silence(connection, silence_id, at)

    def silences(self, at: datetime | None) -> list[Silence]:
        """Those that are not over at `at`, begun or not, the first to end first; all when it is None."""
        with self._transaction() as connection:
            return list_silences(connection, at)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with translated_errors(self._engine), self._engine.begin() as connection:
            yield connection
