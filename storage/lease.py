"""The right of one process at a time to evaluate, and all that the evaluator reads and writes under it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, exists, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from bearometer.alert import Alert, AlertState, Delivery, Silence
from bearometer.errors import Unavailable
from bearometer.mention import SeenMention
from storage import tables
from storage.alert_rows import alert_of, alert_row
from storage.deliveries import queue, sent_since, told_to
from storage.evidence import Said, find_said
from storage.failures import translated_errors
from storage.polls import Poll, read_poll, read_snapshot
from storage.silences import Action, mark_applied, silences_ahead, waiting_actions
from storage.supply import SourceState, read_sources

__all__ = ["EVALUATOR_LOCK", "Action", "EvaluatorLease", "Poll"]

EVALUATOR_LOCK = 0x0BEA2004

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
    """Held until `release`, or until its connection ends: then every call raises Unavailable, and nothing is written.

    Everything goes over the one connection that holds the lock. Not to be shared between threads.
    """

    def __init__(self, connection: Connection, engine: Engine) -> None:
        self._connection = connection
        self._engine = engine
        self._seen: str | None = None
        self._lost = False

    def watch_connection(self) -> None:
        """Have the server free the lease within about ten seconds when this machine vanishes."""
        with self.transaction() as connection:
            connection.execute(NOTICE_LOSS)
        # A server that cannot refuses it; a lost connection is no DBAPIError by then.
        with suppress(DBAPIError), self.transaction() as connection:
            connection.execute(NOTICE_LOSS_IN_STATEMENTS)

    def as_of(self) -> datetime | None:
        """Event time up to which the evaluation was committed; None before the first."""
        with self.transaction() as connection:
            moment = connection.execute(select(tables.evaluator.c.as_of)).scalar_one_or_none()
        return None if moment is None else moment.astimezone(UTC)

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
        """The watermark; `take` gets the mentions committed since the poll before, of the same snapshot.

        The first poll gives every mention with published_at >= `since`; each later one those committed since, late
        ones (before `since`) too: over the life of the lease each mention exactly once, in no order. When it raises,
        `take` may have had some of them: the lease is over then, or of no more use. `whole_posts` adds each post once
        for MARKET and once for its topic's key; spam, and what no model was asked about, is left out. Ask for the same
        at each poll: what one did not ask for, no later one brings.

        The watermark is never ahead of the mentions: both are of the same snapshot, and a post and the progress past
        it are of the same transaction. It is the least `newest_at` of the partitions, without those whose progress
        was noted more than `idle_after_seconds` before the latest; None when there is none, or while one of them has
        not seen any time.
        """
        with self.transaction(snapshot=True) as connection:
            snapshot = read_snapshot(connection)
            poll = read_poll(connection, self._seen, since, idle_after_seconds, take, whole_posts=whole_posts)
        self._seen = snapshot
        return poll

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
        self._lost = True
        self._connection.close()

    @contextmanager
    def transaction(self, snapshot: bool = False) -> Iterator[Connection]:
        """The lease's connection in a transaction, for the queries of this folder; committed at the end of the block.

        With `snapshot` all its queries see the same moment, and it writes nothing.
        """
        # A connection that was lost must never be made anew: the new session would not hold the lock.
        if self._lost or self._connection.invalidated:
            message = "the evaluator's lease is over: its connection to Postgres was lost or released"
            raise Unavailable(message)
        try:
            with translated_errors(self._engine), self._connection.begin():
                if snapshot:
                    self._connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                yield self._connection
        except Unavailable:
            self._lost = True
            self._connection.invalidate()
            raise


def _with_telling(alert: Alert, told_by_older: bool) -> Alert:
    """Versions up to schema 0004 did not note with an alert that people were told of it, only with the messages."""
    if alert.told_at is not None or not told_by_older:
        return alert
    return replace(alert, told=alert.peak, told_at=alert.resolved_at or alert.fired_at)
