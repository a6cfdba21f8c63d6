"""What people say to the evaluator, in Postgres: silences, and what is to become of an alert."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_leave

from bearometer.alert import Silence
from bearometer.errors import Failed
from bearometer.terminal import plain
from storage.tables import alert_actions, alerts, evaluator, silences

__all__ = [
    "Action",
    "ActionKind",
    "action_is_applied",
    "add_silence",
    "expire_silence",
    "list_silences",
    "mark_applied",
    "request",
    "silences_ahead",
    "waiting_actions",
]

ActionKind = Literal["acknowledge", "resolve"]


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody wants to become of an alert; the evaluator does it, so that nothing races with it."""

    number: int
    alert_id: str
    action: ActionKind
    who: str
    comment: str
    at: datetime
    """When it was asked for, by the database's clock: no event time."""


def add_silence(connection: Connection, silence: Silence) -> None:
    """Keep it; the same one again changes nothing. Failed when another one has its id."""
    connection.execute(insert_or_leave(silences).values(asdict(silence)).on_conflict_do_nothing(index_elements=["id"]))
    kept = connection.execute(select(silences).where(silences.c.id == silence.id)).one()
    if _silence(kept) != silence:
        message = f"another silence has the id {plain(silence.id, 100)!r}"
        raise Failed(message)


def expire_silence(connection: Connection, silence_id: str, at: datetime) -> bool:
    """End it at `at`, or before it begins if that is later; False when it was over by then or there is none."""
    ended = (
        update(silences)
        .where(silences.c.id == silence_id, silences.c.ends_at > at, silences.c.ends_at > silences.c.starts_at)
        .values(ends_at=func.greatest(silences.c.starts_at, at))
    )
    return connection.execute(ended).rowcount > 0


def list_silences(connection: Connection, at: datetime | None) -> list[Silence]:
    """Those that are not over at `at`, begun or not; all when it is None. Those that end first come first."""
    query = select(silences).order_by(silences.c.ends_at, silences.c.id)
    if at is not None:
        query = query.where(silences.c.ends_at > at, silences.c.ends_at > silences.c.starts_at)
    return [_silence(row) for row in connection.execute(query)]


def silences_ahead(connection: Connection) -> list[Silence]:
    """Those that may still matter: not over at the event time up to which was evaluated."""
    as_of = connection.execute(select(evaluator.c.as_of)).scalar_one_or_none()
    return list_silences(connection, as_of)


def request(connection: Connection, alert_id: str, action: ActionKind, who: str, comment: str) -> int:
    """Write down what somebody wants; gives its number. Failed when there is no such alert."""
    wanted = select(alerts.c.id, literal(action), literal(who), literal(comment)).where(alerts.c.id == alert_id)
    written = (
        insert(alert_actions)
        .from_select(["alert_id", "action", "who", "comment"], wanted, include_defaults=False)
        .returning(alert_actions.c.number)
    )
    number: int | None = connection.execute(written).scalar_one_or_none()
    if number is None:
        message = f"there is no alert {plain(alert_id, 200)!r}; `bearometer alerts list` shows them"
        raise Failed(message)
    return number


def waiting_actions(connection: Connection) -> list[Action]:
    """What was asked for and is not applied yet, in the order in which it was asked for."""
    query = select(alert_actions).where(alert_actions.c.applied_at.is_(None)).order_by(alert_actions.c.number)
    return [
        Action(row.number, row.alert_id, row.action, row.who, row.comment, row.created_at.astimezone(UTC))
        for row in connection.execute(query)
    ]


def mark_applied(connection: Connection, numbers: Sequence[int]) -> None:
    """Note that they are done; what was done before keeps its time."""
    if numbers:
        done = alert_actions.c.number.in_(numbers) & alert_actions.c.applied_at.is_(None)
        connection.execute(update(alert_actions).where(done).values(applied_at=text("clock_timestamp()")))


def action_is_applied(connection: Connection, number: int) -> bool:
    """Whether the evaluator has done it."""
    query = select(alert_actions.c.applied_at.is_not(None)).where(alert_actions.c.number == number)
    return bool(connection.execute(query).scalar_one_or_none())


def _silence(row: Any) -> Silence:
    return Silence(
        id=row.id,
        symbol=row.symbol,
        rule=row.rule,
        author=row.author,
        reason=row.reason,
        starts_at=row.starts_at.astimezone(UTC),
        ends_at=row.ends_at.astimezone(UTC),
    )
