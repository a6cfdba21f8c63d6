"""The evaluator's loop under the lease. One process evaluates at a time; the others wait to take over."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta

from alerts.evaluator import END_KEPT, Evaluator, Policy, WatchReport
from alerts.evidence import FindWords, gather
from alerts.rules import RuleSet, default_rules
from alerts.standby import Standby
from alerts.supply import Supply, is_of_supply
from bearometer.alert import Alert, Evidence
from bearometer.clock import Clock
from bearometer.errors import Transient
from bearometer.settings import AlertSettings
from storage.alerts import AlertStore
from storage.lease import EvaluatorLease, take_lease
from storage.session import EvaluatorSession

__all__ = ["WatchReport", "open_evaluation", "run_watch"]

LONGEST_WAIT_SECONDS = 15.0

log = logging.getLogger(__name__)


def run_watch(
    store: AlertStore,
    settings: AlertSettings,
    notifier_names: Sequence[str],
    clock: Clock,
    stop: threading.Event,
    on_poll: Callable[[WatchReport], None] | None = None,
    *,
    find_words: FindWords | None = None,
    rules: RuleSet | None = None,
) -> None:
    """Evaluate until `stop` is set. Blocks; `on_poll` is called from this thread after each poll.

    `find_words` is asked of the top post of an alert that fires, for at most about twice `explain_seconds` a poll; it
    must not raise. Without `rules` those of the settings hold.
    Every alert is queued once for each of `notifier_names` that its rule's routes lead to. When another process has
    the lease it waits for it, and reads meanwhile what it will need; when Postgres is away it starts over from what is
    stored, with back-off. Raises nothing but defects.
    """
    policy = Policy(settings, rules or default_rules(settings), tuple(notifier_names))
    failures = 0

    def note(report: WatchReport) -> None:
        nonlocal failures
        failures = 0
        if on_poll is not None:
            on_poll(report)

    while not stop.is_set():
        try:
            with closing(store.open_session()) as session:
                _take_turns(session, policy, clock, stop, note, find_words)
        except Transient as error:
            wait = min(LONGEST_WAIT_SECONDS, settings.poll_seconds * 2**failures)
            failures = min(failures + 1, 10)
            log.warning("the evaluation, or waiting for it, stopped and starts over in %.1f s: %s", wait, error)
            stop.wait(wait)


def _take_turns(
    session: EvaluatorSession,
    policy: Policy,
    clock: Clock,
    stop: threading.Event,
    note: Callable[[WatchReport], None],
    find_words: FindWords | None,
) -> None:
    """Wait until nobody else evaluates, and then do, until `stop` is set; `note` is called after each poll.

    In a function of its own, so that nothing which one session has read is kept while the next one reads.
    """
    standby = Standby(session, policy)
    if (lease := take_lease(session)) is None:
        log.info("another process evaluates; this one waits to take over")
    while lease is None:
        standby.look(stop)
        if stop.wait(policy.settings.poll_seconds):
            return
        lease = take_lease(session)
    evaluator = open_evaluation(lease, standby, policy, clock, stop, find_words)
    while not stop.is_set():
        note(evaluator.poll(stop))
        stop.wait(policy.settings.poll_seconds)


def open_evaluation(
    lease: EvaluatorLease,
    standby: Standby,
    policy: Policy,
    clock: Clock,
    stop: threading.Event,
    find_words: FindWords | None = None,
) -> Evaluator:
    """Go on from what is stored; what the standby knows, of the same session, need not be read again."""
    rules = policy.rules
    as_of = lease.as_of()
    monitor = standby.hand_over(as_of, stop)
    cooldown = timedelta(seconds=max((rule.cooldown_seconds for rule in rules.by_name().values()), default=0))
    # Before the first post there may be alerts all the same, that there is none: those go by the clock.
    alerts = lease.recent_alerts((as_of or clock.now()) - max(cooldown, END_KEPT))
    monitor.take_over(each for each in alerts if not is_of_supply(each))
    supply = Supply(rules.supply, lease.sources, filter(is_of_supply, alerts))

    def find_evidence(alert: Alert, has_time: bool) -> Evidence:
        if is_of_supply(alert):
            return supply.evidence(alert)
        return gather(lease, monitor, alert, find_words if has_time else None)

    log.info(
        "evaluating from %s on; %d mentions are known already",
        "the first mention" if as_of is None else as_of.isoformat(),
        standby.known,
    )
    return Evaluator(lease, monitor, policy, clock, find_evidence, since=standby.since, ended=alerts, supply=supply)
