"""The right of one process at a time to evaluate, and all that the evaluator reads and writes under it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from bearometer.alert import Alert, AlertState, Delivery, Silence
from bearometer.mention import SeenMention
from storage import tables
from storage.alert_rows import alert_of, alert_row
from storage.deliveries import queue, sent_since, told_to
from storage.evidence import Said, find_said
from storage.polls import Poll
from storage.session import EvaluatorSession
from storage.silences import Action, mark_applied, silences_ahead, waiting_actions
from storage.supply import SourceState, read_sources

__all__ = ["Action", "EvaluatorLease", "Poll", "take_lease"]

# The server ends the session of a machine that has vanished, and frees the lock: 9 s after its link was cut when this
# was measured, with a statement running or not; after 11 s at the latest. Stricter than the other connections, since
# nobody evaluates until then. On a socket without TCP these settings do nothing, and are not needed.
# https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS
NOTICE_LOSS = text("""
SELECT set_config(name, value, false)
FROM (VALUES ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '10s')) AS wanted (name, value)
""")
# A statement that is running would otherwise be finished first. Not every system can look at a busy connection.
NOTICE_LOSS_IN_STATEMENTS = text("SET client_connection_check_interval = '2s'")


class EvaluatorLease:
    """Held until `release`, or until its session ends: then every call raises Unavailable, and nothing is written.

    Everything goes over the one session that holds the lock, and goes on where that has read so far. Not to be shared
    between threads.
    """

    def __init__(self, session: EvaluatorSession) -> None:
        self._session = session

    def watch_connection(self) -> None:
        """Have the server free the lease within about ten seconds when this machine vanishes."""
        with self.transaction() as connection:
            connection.execute(NOTICE_LOSS)
        # A server that cannot refuses it; a lost connection is no DBAPIError by then.
        with suppress(DBAPIError), self.transaction() as connection:
            connection.execute(NOTICE_LOSS_IN_STATEMENTS)

    def as_of(self) -> datetime | None:
        """Event time up to which the evaluation was committed; None before the first."""
        return self._session.as_of()

    def recent_alerts(self, ended_since: datetime) -> list[Alert]:
        """All alerts that are not over, and those resolved at `ended_since` or later; the oldest first."""
        table = tables.alerts
        by_older = exists().where(tables.deliveries.c.alert_id == table.c.id, tables.deliveries.c.event_at.is_(None))
        query = (
            select(table, by_older.label("told_by_older"))
            .where(or_(table.c.state != str(AlertState.RESOLVED), table.c.resolved_at >= ended_since))
            .order_by(table.c.started_at, table.c.id)
        )
        with self.transaction() as connection:
            return [_with_telling(alert_of(row), row.told_by_older) for row in connection.execute(query)]

    def poll(
        self,
        since: datetime,
        idle_after_seconds: float,
        take: Callable[[Iterable[SeenMention]], None],
        *,
        whole_posts: bool = False,
    ) -> Poll:
        """The watermark, and to `take` what is new: see the session, which may have polled before it had the lease."""
        return self._session.poll(since, idle_after_seconds, take, whole_posts=whole_posts)

    def evidence(self, key: str, start: datetime, end: datetime, *, every_label: bool = False) -> Said:
        """What was said of `start` <= published_at < `end`; as `storage.evidence.find_said` says."""
        with self.transaction() as connection:
            return find_said(connection, key, start, end, every_label)

    def sources(self) -> list[SourceState]:
        """The sources of posts of the present, as their ingest workers last wrote them down."""
        with self.transaction() as connection:
            return read_sources(connection)

    def silences(self) -> list[Silence]:
        """Those that are not over at the event time of the last commit, begun or not."""
        with self.transaction() as connection:
            return silences_ahead(connection)

    def waiting_actions(self) -> list[Action]:
        """What people have asked for and no commit has applied yet, in the order in which they did."""
        with self.transaction() as connection:
            return waiting_actions(connection)

    def sent_since(self, since: datetime, until: datetime) -> dict[str, int]:
        """By notifier, the messages queued of `since` <= event time <= `until`, without those that were dropped."""
        with self.transaction() as connection:
            return sent_since(connection, since, until)

    def told_to(self, alert_ids: Collection[str]) -> dict[str, set[str]]:
        """By alert, the notifiers with a message about it, alone or among others; without those that were dropped."""
        with self.transaction() as connection:
            return told_to(connection, alert_ids)

    def commit(
        self,
        as_of: datetime | None,
        alerts: Sequence[Alert],
        deliveries: Sequence[Delivery],
        applied: Sequence[int] = (),
        dropped: Sequence[Delivery] = (),
    ) -> None:
        """Note the evaluation up to `as_of`, the alerts as they are now, and the messages to be sent: all or nothing.

        `as_of` is None before the first post: an alert may tell that there is none.

        An alert of the same id is replaced; a delivery of an id that is there is left as it is. `applied` are the
        numbers of the actions that the alerts now show, or that came to nothing. `dropped` are kept to be seen and
        are not sent: the next message to the same notifier, in a later commit, says how many they were.
        """
        with self.transaction() as connection:
            if as_of is not None:
                position = insert(tables.evaluator).values(single_row=1, as_of=as_of)
                changed_position = {"as_of": position.excluded.as_of}
                connection.execute(position.on_conflict_do_update(index_elements=["single_row"], set_=changed_position))
            for alert in alerts:
                row = alert_row(alert)
                upsert = insert(tables.alerts).values(row)
                changed: dict[str, Any] = {name: upsert.excluded[name] for name in row if name != "id"}
                changed["updated_at"] = text("clock_timestamp()")
                connection.execute(upsert.on_conflict_do_update(index_elements=["id"], set_=changed))
            for delivery in deliveries:
                queue(connection, delivery)
            for delivery in dropped:
                queue(connection, delivery, dropped=True)
            mark_applied(connection, applied)

    def release(self) -> None:
        """Let another have it. May be called again, and after the connection was lost."""
        self._session.close()

    def transaction(self) -> AbstractContextManager[Connection]:
        """The session's connection in a transaction, for the queries of this folder; committed at the block's end."""
        return self._session.transaction()


def take_lease(session: EvaluatorSession) -> EvaluatorLease | None:
    """The right to evaluate, which one session has at a time; None while another has it. Does not wait.

    A process that dies frees it at once, a machine that vanishes within about ten seconds.
    """
    if not session.try_lease():
        return None
    lease = EvaluatorLease(session)
    lease.watch_connection()
    return lease


def _with_telling(alert: Alert, told_by_older: bool) -> Alert:
    """Versions up to schema 0004 did not note with an alert that people were told of it, only with the messages."""
    if alert.told_at is not None or not told_by_older:
        return alert
    return replace(alert, told=alert.peak, told_at=alert.resolved_at or alert.fired_at)
