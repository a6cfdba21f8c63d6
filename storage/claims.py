"""What is due to be told, claimed in Postgres by who sends it: one message, or several that are told as one.

A claimed row is locked in a transaction that stays open while it is sent, so that nobody else gets it, and when this
process dies it is free again at once, with no attempt counted.

Of a receiver who gets digests, messages wait until the oldest has waited for long enough, and are then claimed all
together. What is urgent does not wait: critical alerts, and those that got much worse, which also go before what waits
of the same alert. Once it is sent, what it went before is old news, and is settled with it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, Update, exists, func, or_, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from bearometer.alert import Delivery, NotificationReason, Severity
from storage.alert_rows import alert_from_json
from storage.failures import translated_errors
from storage.tables import deliveries

__all__ = ["ClaimedDelivery", "ClaimedDigest", "claim", "claim_collected"]

MAX_ERROR_CHARS = 2000
MAX_RECEIPT_CHARS = 500
MAX_COLLECTED = 500
"""Messages in one digest; the next one takes the rest at once."""

DIGEST_LOCK = 0x0D16
# Two workers must not share the messages of one digest among themselves.
LOCK_DIGEST = text("SELECT pg_try_advisory_xact_lock(:lock, hashtext(:notifier))")


class ClaimedDelivery:
    """A delivery that is ours until the `with` block ends; exactly one of `sent` and `failed` ends it in Postgres."""

    def __init__(self, connection: Connection, engine: Engine, delivery: Delivery) -> None:
        self.delivery = delivery
        self._connection = connection
        self._engine = engine

    def sent(self, at: datetime, receipt: str | None = None) -> None:
        """The other side has taken it; committed at once. Unavailable: it may be sent again.

        The first `receipt` that an alert's messages to a notifier have brought is the `thread` of the later ones. With
        an urgent one, what it overtook counts as sent too.
        """
        kept = None if receipt is None else _clean(receipt, MAX_RECEIPT_CHARS)
        if is_urgent(self.delivery):
            with translated_errors(self._engine):
                self._connection.execute(_settle_overtaken(self.delivery, at))
        self._settle(status="sent", sent_at=at, last_error=None, receipt=kept)

    def failed(self, error: str, next_attempt_at: datetime | None) -> None:
        """It was not taken: to be tried again at `next_attempt_at`, given up when that is None; committed at once."""
        if next_attempt_at is None:
            self._settle(status="failed", last_error=_clean(error, MAX_ERROR_CHARS))
        else:
            self._settle(next_attempt_at=next_attempt_at, last_error=_clean(error, MAX_ERROR_CHARS))

    def _settle(self, **values: Any) -> None:
        mine = deliveries.c.id == self.delivery.id
        with translated_errors(self._engine):
            self._connection.execute(
                update(deliveries).where(mine).values(attempts=deliveries.c.attempts + 1, **values)
            )
            self._connection.commit()


class ClaimedDigest:
    """Deliveries to one receiver that are ours until the `with` block ends; `sent` or `failed` ends all at once."""

    def __init__(self, connection: Connection, engine: Engine, found: Sequence[Delivery]) -> None:
        self.deliveries = tuple(found)
        self._connection = connection
        self._engine = engine

    def sent(self, at: datetime, receipt: str | None = None) -> None:
        """The other side has taken them; committed at once. Unavailable: all may be sent again."""
        kept = None if receipt is None else _clean(receipt, MAX_RECEIPT_CHARS)
        with translated_errors(self._engine):
            self._settle({each.id for each in self.deliveries}, status="sent", sent_at=at, receipt=kept)
            self._connection.commit()

    def failed(self, error: str, next_attempt_at: datetime | None, last: Collection[str] = ()) -> None:
        """They were not taken: to be tried again at `next_attempt_at`; committed at once.

        Given up are those whose ids are in `last`, and all when `next_attempt_at` is None.
        """
        ids = {each.id for each in self.deliveries}
        lost = ids if next_attempt_at is None else ids & set(last)
        kept = _clean(error, MAX_ERROR_CHARS)
        with translated_errors(self._engine):
            self._settle(lost, status="failed", last_error=kept)
            self._settle(ids - lost, next_attempt_at=next_attempt_at, last_error=kept)
            self._connection.commit()

    def _settle(self, ids: Collection[str], **values: Any) -> None:
        values = {"attempts": deliveries.c.attempts + 1, "last_error": None, **values}
        self._connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(**values))


def claim(
    connection: Connection, now: datetime, notifiers: Collection[str], collecting: Collection[str] = ()
) -> Delivery | None:
    """Lock the delivery that is due first for the transaction, one that nobody else has locked; None without any.

    Of the `collecting` notifiers only what is urgent.
    """
    row = connection.execute(_due(now, notifiers, collecting)).one_or_none()
    return None if row is None else _delivery(row)


def claim_collected(connection: Connection, notifier: str, now: datetime, after: timedelta) -> list[Delivery]:
    """Lock all that waits to be told to the notifier and is not urgent, in order; none while all is newer than `after`.

    None, too, while another session has the notifier's digest.
    """
    if not connection.execute(LOCK_DIGEST, {"lock": DIGEST_LOCK, "notifier": notifier}).scalar_one():
        return []
    waiting = _waiting([notifier], [notifier]).where(~_is_urgent(deliveries))
    is_time = deliveries.c.next_attempt_at <= now, deliveries.c.created_at <= now - after
    if connection.execute(waiting.where(*is_time).limit(1)).one_or_none() is None:
        return []
    rows = connection.execute(
        waiting.order_by(deliveries.c.number).limit(MAX_COLLECTED).with_for_update(skip_locked=True, of=deliveries)
    )
    return [_delivery(row) for row in rows]


def _due(now: datetime, notifiers: Collection[str], collecting: Collection[str]) -> Select[Any]:
    return (
        _waiting(notifiers, collecting)
        .where(
            deliveries.c.next_attempt_at <= now,
            or_(deliveries.c.notifier.not_in(collecting), _is_urgent(deliveries)),
        )
        .order_by(deliveries.c.next_attempt_at, deliveries.c.number)
        .limit(1)
        .with_for_update(skip_locked=True, of=deliveries)
    )


def _waiting(notifiers: Collection[str], collecting: Collection[str]) -> Select[Any]:
    """What waits and has no message about the same alert before it, with the receipt of the alert's first one.

    Of `collecting` notifiers only an urgent one holds up those after it.
    """
    earlier = deliveries.alias("earlier")
    is_before = (
        earlier.c.notifier == deliveries.c.notifier,
        earlier.c.status == "waiting",
        earlier.c.number < deliveries.c.number,
        or_(earlier.c.notifier.not_in(collecting), _is_urgent(earlier)),
    )
    # The beginning may stand among the others of a message about many.
    tells_of_it = func.jsonb_path_query_array(earlier.c.others, text("'$[*].id'")).op("?")(deliveries.c.alert_id)
    overtakes = exists().where(earlier.c.alert_id == deliveries.c.alert_id, *is_before) | exists().where(
        earlier.c.others != text("'[]'::jsonb"), tells_of_it, *is_before
    )
    first = deliveries.alias("first")
    thread = (
        select(first.c.receipt)
        .where(
            first.c.alert_id == deliveries.c.alert_id,
            first.c.notifier == deliveries.c.notifier,
            first.c.status == "sent",
            first.c.receipt.is_not(None),
        )
        .order_by(first.c.number)
        .limit(1)
        .scalar_subquery()
    )
    return select(deliveries, thread.label("thread")).where(
        deliveries.c.status == "waiting", deliveries.c.notifier.in_(notifiers), ~overtakes
    )


def _settle_overtaken(delivery: Delivery, at: datetime) -> Update:
    """Settle what waits for a digest and is older news of the same alert, and of nothing else; never an end."""
    mine = deliveries.alias("mine")
    overtaken = (
        select(deliveries.c.id)
        .join(mine, mine.c.id == delivery.id)
        .where(
            deliveries.c.alert_id == delivery.alert.id,
            deliveries.c.notifier == delivery.notifier,
            deliveries.c.status == "waiting",
            deliveries.c.number < mine.c.number,
            deliveries.c.reason != str(NotificationReason.RESOLVED),
            deliveries.c.others == text("'[]'::jsonb"),
            deliveries.c.dropped == 0,
        )
        # What a digest has just now, it tells.
        .with_for_update(skip_locked=True, of=deliveries)
    )
    settled = update(deliveries).where(deliveries.c.id.in_(overtaken))
    return settled.values(status="sent", sent_at=at, last_error=None)


def is_urgent(delivery: Delivery) -> bool:
    """Whether it waits for no digest."""
    return delivery.reason is NotificationReason.ESCALATED or delivery.alert.severity is Severity.CRITICAL


def _is_urgent(table: Any) -> ColumnElement[bool]:
    critical = func.coalesce(table.c.payload["severity"].astext == str(Severity.CRITICAL), False)
    return or_(table.c.reason == str(NotificationReason.ESCALATED), critical)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        alert=alert_from_json(row.payload),
        reason=NotificationReason(row.reason),
        notifier=row.notifier,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at.astimezone(UTC),
        others=tuple(alert_from_json(other) for other in row.others),
        dropped=row.dropped,
        thread=row.thread,
    )


def _clean(words: str, limit: int) -> str:
    return words.replace("\0", "")[:limit]
