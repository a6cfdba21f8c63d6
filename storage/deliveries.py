"""Messages to receivers in Postgres: queued by the evaluator, kept when given up. Who sends them: claims.py."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from bearometer.alert import Delivery, NotificationReason
from storage.alert_rows import alert_to_json
from storage.tables import deliveries

__all__ = [
    "FailedDelivery",
    "SentMessage",
    "event_time",
    "failed_deliveries",
    "messages_of",
    "queue",
    "resend",
    "sent_since",
    "told_to",
]

TOLD_TO = text("""
SELECT alert_id, notifier FROM deliveries WHERE alert_id = ANY(:ids) AND status <> 'dropped'
UNION
SELECT other.id, notifier
FROM deliveries CROSS JOIN LATERAL jsonb_array_elements_text(jsonb_path_query_array(others, '$[*].id')) AS other (id)
WHERE others <> '[]' AND jsonb_path_query_array(others, '$[*].id') ?| CAST(:ids AS text[]) AND other.id = ANY(:ids)
    AND status <> 'dropped'
""")


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A message that was given up."""

    id: str
    alert_id: str
    notifier: str
    reason: NotificationReason
    attempts: int
    error: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What became of one message about an alert."""

    id: str
    notifier: str
    reason: NotificationReason
    status: str
    """`waiting`, `sent`, `failed` or `dropped`."""
    attempts: int
    error: str | None
    created_at: datetime
    next_attempt_at: datetime
    sent_at: datetime | None
    receipt: str | None
    others: int
    """How many further alerts it told of."""
    dropped: int


def event_time(delivery: Delivery) -> datetime:
    """When it was told, in event time: rate caps count by that."""
    alert = delivery.alert
    match delivery.reason:
        case NotificationReason.RESOLVED:
            # An end that was held back is told later than it came.
            moments = (alert.resolved_at, alert.told_at)
        case NotificationReason.ACKNOWLEDGED:
            moments = (alert.acknowledged.at if alert.acknowledged else None, None)
        case _:
            moments = (alert.told_at or alert.fired_at, None)
    return max((moment for moment in moments if moment is not None), default=alert.started_at)


def queue(connection: Connection, delivery: Delivery, *, dropped: bool = False) -> None:
    """Have it sent, or note that it was dropped for the cap; one of an id that is there is left as it is.

    Where `delivery.dropped` is 0 it is counted here: how many messages to this receiver were dropped since the last
    one that was not. So a process that starts over need not know.
    """
    row = {
        "id": delivery.id,
        "alert_id": delivery.alert.id,
        "reason": str(delivery.reason),
        "notifier": delivery.notifier,
        "payload": alert_to_json(delivery.alert),
        "others": [alert_to_json(other) for other in delivery.others],
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "event_at": event_time(delivery),
        "status": "dropped" if dropped else "waiting",
        "dropped": delivery.dropped if dropped or delivery.dropped else _dropped_before(delivery.notifier),
    }
    connection.execute(insert(deliveries).values(row).on_conflict_do_nothing(index_elements=["id"]))


def failed_deliveries(connection: Connection, limit: int) -> list[FailedDelivery]:
    """Those that were given up, the latest first."""
    query = select(deliveries).where(deliveries.c.status == "failed").order_by(deliveries.c.number.desc()).limit(limit)
    return [
        FailedDelivery(
            row.id,
            row.alert_id,
            row.notifier,
            NotificationReason(row.reason),
            row.attempts,
            row.last_error or "",
            row.created_at.astimezone(UTC),
        )
        for row in connection.execute(query)
    ]


def messages_of(connection: Connection, alert_id: str) -> list[SentMessage]:
    """What became of an alert's messages, in the order in which they were queued."""
    query = select(deliveries).where(deliveries.c.alert_id == alert_id).order_by(deliveries.c.number)
    return [
        SentMessage(
            id=row.id,
            notifier=row.notifier,
            reason=NotificationReason(row.reason),
            status=row.status,
            attempts=row.attempts,
            error=row.last_error,
            created_at=row.created_at.astimezone(UTC),
            next_attempt_at=row.next_attempt_at.astimezone(UTC),
            sent_at=row.sent_at.astimezone(UTC) if row.sent_at else None,
            receipt=row.receipt,
            others=len(row.others),
            dropped=row.dropped,
        )
        for row in connection.execute(query)
    ]


def resend(connection: Connection, ids: Collection[str], at: datetime) -> int:
    """Have those of `ids` that were given up sent from `at` on, with all their attempts before them; how many.

    What is older than a sent end of its alert is left: it would open again what nothing closes any more.
    """
    later = deliveries.alias("later")
    is_over = exists().where(
        _same_alert_and_notifier(later),
        later.c.number > deliveries.c.number,
        later.c.reason == str(NotificationReason.RESOLVED),
        later.c.status == "sent",
    )
    again = (
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.status == "failed", ~is_over)
        .values(status="waiting", attempts=0, next_attempt_at=at)
    )
    return connection.execute(again).rowcount


def sent_since(connection: Connection, since: datetime, until: datetime) -> dict[str, int]:
    """By notifier, the messages of `since` <= event time <= `until`, without those that were dropped."""
    query = (
        select(deliveries.c.notifier, func.count())
        .where(deliveries.c.event_at.between(since, until), deliveries.c.status != "dropped")
        .group_by(deliveries.c.notifier)
    )
    return {name: count for name, count in connection.execute(query)}


def told_to(connection: Connection, alert_ids: Collection[str]) -> dict[str, set[str]]:
    """By alert, the notifiers with a message about it, alone or among others; without those that were dropped."""
    told: dict[str, set[str]] = {}
    for alert_id, notifier in connection.execute(TOLD_TO, {"ids": list(alert_ids)}):
        told.setdefault(alert_id, set()).add(notifier)
    return told


def _dropped_before(notifier: str) -> Any:
    earlier, kept = deliveries.alias("earlier"), deliveries.alias("kept")
    last_kept = (
        select(func.coalesce(func.max(kept.c.number), 0))
        .where(kept.c.notifier == notifier, kept.c.status != "dropped")
        .scalar_subquery()
    )
    return (
        select(func.count())
        .select_from(earlier)
        .where(earlier.c.notifier == notifier, earlier.c.status == "dropped", earlier.c.number > last_kept)
        .scalar_subquery()
    )


def _same_alert_and_notifier(other: Any) -> Any:
    return (other.c.alert_id == deliveries.c.alert_id) & (other.c.notifier == deliveries.c.notifier)
