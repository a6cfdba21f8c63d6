"""Alerts and their deliveries in Postgres: state that outlives every process."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, exists, func, select, update

from bearometer.alert import Alert, AlertState, Delivery, NotificationReason
from storage.alert_rows import alert_from_json, alert_of
from storage.failures import translated_errors
from storage.lease import EVALUATOR_LOCK, EvaluatorLease
from storage.tables import alerts, deliveries, evaluator

__all__ = ["AlertStore", "ClaimedDelivery"]


class ClaimedDelivery:
    """A delivery that is ours until the `with` block ends; exactly one of `sent` and `failed` ends it in Postgres."""

    def __init__(self, connection: Connection, engine: Engine, delivery: Delivery) -> None:
        self.delivery = delivery
        self._connection = connection
        self._engine = engine

    def sent(self, at: datetime) -> None:
        """The other side has taken it; committed at once. Unavailable: it may be sent again."""
        self._settle(status="sent", sent_at=at, last_error=None)

    def failed(self, error: str, next_attempt_at: datetime | None) -> None:
        """It was not taken: to be tried again at `next_attempt_at`, given up when that is None; committed at once."""
        if next_attempt_at is None:
            self._settle(status="failed", last_error=_clean(error))
        else:
            self._settle(next_attempt_at=next_attempt_at, last_error=_clean(error))

    def _settle(self, **values: Any) -> None:
        mine = deliveries.c.id == self.delivery.id
        with translated_errors(self._engine):
            self._connection.execute(
                update(deliveries).where(mine).values(attempts=deliveries.c.attempts + 1, **values)
            )
            self._connection.commit()


class AlertStore:
    """What was seen and who was told. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def acquire_lease(self) -> EvaluatorLease | None:
        """The right to evaluate, which one process has at a time; None while another has it. Does not wait."""
        with translated_errors(self._engine):
            connection = self._engine.connect()
            try:
                # Never back to the pool: the lock belongs to this session and must end with the lease.
                connection.detach()
                taken = connection.execute(select(func.pg_try_advisory_lock(EVALUATOR_LOCK))).scalar_one()
                connection.commit()
            except BaseException:
                connection.close()
                raise
        if not taken:
            connection.close()
            return None
        return EvaluatorLease(connection, self._engine)

    @contextmanager
    def claim_delivery(self, now: datetime, notifiers: Collection[str]) -> Iterator[ClaimedDelivery | None]:
        """A delivery to one of the notifiers whose time has come, ours while the block runs; None when there is none.

        Its row is locked in a transaction that stays open while it is sent: nobody else gets it, and when this
        process dies it is free again at once, with no attempt counted. Of one alert and notifier, a later message
        waits until the earlier one was sent or given up.
        """
        with translated_errors(self._engine), self._engine.connect() as connection:
            row = connection.execute(_due(now, notifiers)).one_or_none()
            claimed = None if row is None else ClaimedDelivery(connection, self._engine, _delivery(row))
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
    ) -> list[Alert]:
        """The alerts with `since` <= started_at < `until` in one of the states (all when None), the oldest first."""
        query = select(alerts).order_by(alerts.c.started_at, alerts.c.id)
        if since is not None:
            query = query.where(alerts.c.started_at >= since)
        if until is not None:
            query = query.where(alerts.c.started_at < until)
        if states is not None:
            query = query.where(alerts.c.state.in_([str(state) for state in states]))
        with translated_errors(self._engine), self._engine.connect() as connection:
            return [alert_of(row) for row in connection.execute(query)]


def _due(now: datetime, notifiers: Collection[str]) -> Any:
    earlier = deliveries.alias("earlier")
    overtakes = exists().where(
        earlier.c.alert_id == deliveries.c.alert_id,
        earlier.c.notifier == deliveries.c.notifier,
        earlier.c.status == "waiting",
        earlier.c.number < deliveries.c.number,
    )
    return (
        select(deliveries)
        .where(
            deliveries.c.status == "waiting",
            deliveries.c.next_attempt_at <= now,
            deliveries.c.notifier.in_(notifiers),
            ~overtakes,
        )
        .order_by(deliveries.c.next_attempt_at, deliveries.c.number)
        .limit(1)
        .with_for_update(skip_locked=True, of=deliveries)
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        alert=alert_from_json(row.payload),
        reason=NotificationReason(row.reason),
        notifier=row.notifier,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at.astimezone(UTC),
    )


def _clean(error: str) -> str:
    return error.replace("\0", "")[:2000]
