"""The evaluator's loop under the lease. One process evaluates at a time; the others wait to take over."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from alerts.evaluator import END_KEPT, Evaluator, Policy, WatchReport
from alerts.evidence import FindWords, gather
from alerts.monitor import Monitor, first_needed
from alerts.rules import RuleSet, default_rules
from alerts.supply import Supply, is_of_supply
from bearometer.alert import Alert, Evidence
from bearometer.clock import Clock
from bearometer.errors import Transient
from bearometer.settings import AlertSettings
from storage.alerts import AlertStore
from storage.lease import EvaluatorLease

__all__ = ["WatchReport", "run_watch"]

LONGEST_WAIT_SECONDS = 15.0
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

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
    the lease it waits for it; when Postgres is away it starts over from what is stored, with back-off. Raises nothing
    but defects.
    """
    policy = Policy(settings, rules or default_rules(settings), tuple(notifier_names))
    failures = 0
    waiting = False
    while not stop.is_set():
        try:
            lease = store.acquire_lease()
            if lease is None:
                if not waiting:
                    log.info("another process evaluates; this one waits to take over")
                waiting = True
                stop.wait(settings.poll_seconds)
                continue
            waiting = False
            try:
                evaluator = _open_evaluation(lease, policy, clock, find_words)
                while not stop.is_set():
                    report = evaluator.poll(stop)
                    failures = 0
                    if on_poll is not None:
                        on_poll(report)
                    stop.wait(settings.poll_seconds)
            finally:
                lease.release()
        except Transient as error:
            wait = min(LONGEST_WAIT_SECONDS, settings.poll_seconds * 2**failures)
            failures = min(failures + 1, 10)
            log.warning("the evaluation stopped and starts over in %.1f s: %s", wait, error)
            stop.wait(wait)


def _open_evaluation(lease: EvaluatorLease, policy: Policy, clock: Clock, find_words: FindWords | None) -> Evaluator:
    """Go on from what is stored."""
    settings, rules = policy.settings, policy.rules
    as_of = lease.as_of()
    since = BEGINNING if as_of is None else first_needed(as_of, settings.history_days)
    cooldown = timedelta(seconds=max((rule.cooldown_seconds for rule in rules.by_name().values()), default=0))
    # Before the first post there may be alerts all the same, that there is none: those go by the clock.
    alerts = lease.recent_alerts((as_of or clock.now()) - max(cooldown, END_KEPT))
    monitor = Monitor(rules, settings.history_days, as_of, (each for each in alerts if not is_of_supply(each)))
    supply = Supply(rules.supply, lease.sources, filter(is_of_supply, alerts))

    def find_evidence(alert: Alert, has_time: bool) -> Evidence:
        if is_of_supply(alert):
            return supply.evidence(alert)
        return gather(lease, monitor, alert, find_words if has_time else None)

    log.info("evaluating from %s on", "the first mention" if as_of is None else as_of.isoformat())
    return Evaluator(lease, monitor, policy, clock, find_evidence, since=since, ended=alerts, supply=supply)
