"""A session of Postgres on which a process waits for the right to evaluate, or has it, and reads what is stored."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, func, select, text

from bearometer.errors import Unavailable
from bearometer.mention import SeenMention
from storage import tables
from storage.failures import translated_errors
from storage.polls import Poll, read_poll, read_snapshot

__all__ = ["EVALUATOR_LOCK", "LEASE_LOCK", "EvaluatorSession"]

EVALUATOR_LOCK = 0x0BEA2004
"""Shared by all sessions that know mentions. `bearometer forget` ends them, and has it for itself meanwhile."""
LEASE_LOCK = 0x0BEA2006
"""Of the one that evaluates."""


class EvaluatorSession:
    """Lasts until `close`, or until its connection ends: then every call raises Unavailable.

    What it gives is of one session from its beginning on. A server that crashed or was replaced by another may count
    its transactions anew, and what was seen on the old one says nothing there. Not to be shared between threads.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: str | None = None
        self._admitted = False
        self._lost = False
        with translated_errors(engine):
            self._connection = engine.connect()
            # Never back to the pool: the locks belong to this session and must end with it.
            self._connection.detach()

    def admit(self) -> bool:
        """Whether mentions may be known here; not while somebody is being forgotten. Ask before the first poll."""
        self._admitted = self._admitted or self._try(func.pg_try_advisory_lock_shared(EVALUATOR_LOCK))
        return self._admitted

    def try_lease(self) -> bool:
        """Whether the right to evaluate is this session's, from now until it ends. Does not wait."""
        return self.admit() and self._try(func.pg_try_advisory_lock(LEASE_LOCK))

    def as_of(self) -> datetime | None:
        """Event time up to which the evaluation was committed; None before the first."""
        with self.transaction() as connection:
            moment = connection.execute(select(tables.evaluator.c.as_of)).scalar_one_or_none()
        return None if moment is None else moment.astimezone(UTC)

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
        ones (before `since`) too: over the life of the session each mention exactly once, in no order, whether it has
        the lease by then or not. When it raises, `take` may have had some of them: the session is over then, or of no
        more use. `whole_posts` adds each post once for MARKET and once for its topic's key; spam, and what no model was
        asked about, is left out. Ask for the same at each poll: what one did not ask for, no later one brings.

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

    def start_over(self) -> None:
        """Let the next poll be a first one."""
        self._seen = None

    def close(self) -> None:
        """End it, and with it the lease. May be called again, and after the connection was lost."""
        self._lost = True
        self._connection.close()

    @contextmanager
    def transaction(self, snapshot: bool = False) -> Iterator[Connection]:
        """The session's connection in a transaction, for the queries of this folder; committed at the block's end.

        With `snapshot` all its queries see the same moment, and it writes nothing.
        """
        # A connection that was lost must never be made anew: the new session would not hold the locks.
        if self._lost or self._connection.invalidated:
            message = "the session is over: its connection to Postgres was lost or released"
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

    def _try(self, lock: ColumnElement[bool]) -> bool:
        with self.transaction() as connection:
            return bool(connection.execute(select(lock)).scalar_one())
