"""A warm standby: a process that waits for the right to evaluate knows what is stored, and has its detectors running.

It reads what whoever evaluates reads, moves on to the event time that was committed, and says and writes nothing. What
it knows is only a head start: when it evaluates it goes on from the journal's event time and alerts, as a process
does that has just begun, and says the same.
"""

import logging
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import takewhile

from alerts.evaluator import Policy
from alerts.monitor import Monitor, first_needed, watches_whole_posts
from bearometer.mention import SeenMention
from storage.session import EvaluatorSession

__all__ = ["Standby"]

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


class Standby:
    """Knows the mentions that the session has given; must not be used once somebody evaluates with its monitor."""

    def __init__(self, session: EvaluatorSession, policy: Policy) -> None:
        self._session = session
        self._policy = policy
        self._whole_posts = watches_whole_posts(policy.rules)
        self._monitor: Monitor | None = None
        self.since = BEGINNING
        """When the session's first poll must begin."""
        self.known = 0
        """How many mentions it has read."""

    def look(self, stop: threading.Event) -> None:
        """Read what is new and move on to where the evaluation is; the first time that may take minutes.

        When `stop` is set it ends early, and is of no more use.
        """
        if not self._session.admit():
            return
        as_of = self._session.as_of()
        monitor = self._monitor_for(as_of)

        def take(mentions: Iterable[SeenMention]) -> None:
            monitor.add(takewhile(lambda _: not stop.is_set(), mentions))

        settings = self._policy.settings
        poll = self._session.poll(self.since, settings.idle_partition_seconds, take, whole_posts=self._whole_posts)
        self.known += poll.mentions
        if as_of is not None:
            monitor.follow(as_of, stop.is_set)

    def hand_over(self, as_of: datetime | None, stop: threading.Event) -> Monitor:
        """The monitor at the journal's event time, without alerts; the session's next poll gives what it lacks."""
        monitor = self._monitor_for(as_of)
        if as_of is not None:
            monitor.follow(as_of, stop.is_set)
        return monitor

    def _monitor_for(self, as_of: datetime | None) -> Monitor:
        """The one that there is, if the journal was not put back to before it; else another that knows nothing."""
        reached = self._monitor.as_of if self._monitor is not None else None
        if self._monitor is None or (reached is not None and (as_of is None or as_of < reached)):
            if reached is not None:
                log.warning("event time has gone back to before %s: the mentions are read again", reached.isoformat())
            settings = self._policy.settings
            self._session.start_over()
            self.known = 0
            self.since = BEGINNING if as_of is None else first_needed(as_of, settings.history_days)
            self._monitor = Monitor(self._policy.rules, settings.history_days, as_of)
        return self._monitor
