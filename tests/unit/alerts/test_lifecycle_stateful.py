"""The evaluator against every order of looks, silences, people's words, crashes and restarts that hypothesis finds."""

import threading
from datetime import time, timedelta
from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.evaluator import END_KEPT, Evaluator, Policy
from alerts.lifecycle import end_is_untold
from alerts.monitor import Notice
from alerts.rules import QuietHours, Rule, RuleSet
from alerts.tell import hold_back
from bearometer.alert import Alert, AlertState, Evidence, NotificationReason, Severity, Silence
from bearometer.clock import ManualClock
from bearometer.errors import Unavailable
from bearometer.settings import AlertSettings
from storage.lease import Action
from tests.memory_journal import MemoryJournal
from tests.scripted_monitor import KINDS, START, STEP, Script, ScriptedMonitor

CAP = 4
FIRING, RESOLVED = NotificationReason.FIRING, NotificationReason.RESOLVED

COMMON = Rule("common", symbols=("A", "B"), clear_seconds=600, cooldown_seconds=3600, repeat_seconds=2700)
POLITE = Rule(
    "polite",
    symbols=("C",),
    pending_seconds=300,
    clear_seconds=0,
    cooldown_seconds=0,
    routes=("mail",),
    quiet_hours=(QuietHours(time(23), time(1), "Europe/Zurich"),),
)
SHOCK = Rule("shock", symbols=("market",), clear_seconds=300, severity=Severity.CRITICAL, inhibits=("B", "C"))
RULES = RuleSet((COMMON, POLITE, SHOCK), group_at=2, route_cap_per_hour=CAP)
BY_SYMBOL = {"A": COMMON, "B": COMMON, "C": POLITE, "*": SHOCK}
POLICY = Policy(AlertSettings(), RULES, ("mail", "slack"))


def start(journal: MemoryJournal, script: Script) -> Evaluator:
    """As alerts/watch.py does it."""
    monitor = ScriptedMonitor(script, BY_SYMBOL, journal.as_of)
    alerts = journal.recent_alerts(journal.as_of - END_KEPT) if journal.as_of else []
    for alert in alerts:
        monitor.put(alert)
    evidence = Evidence((), (), ())
    clock = ManualClock(START)
    return Evaluator(journal, monitor, POLICY, clock, lambda _, __: evidence, since=START, ended=alerts)


class Life(RuleBasedStateMachine):
    """One evaluator that is killed and restarted, and beside it one that nothing happens to."""

    def __init__(self) -> None:
        super().__init__()
        self.script: Script = {symbol: [] for symbol in BY_SYMBOL}
        self.now = START
        self.journal, self.undisturbed = MemoryJournal(), MemoryJournal()
        self.evaluator, self.twin = start(self.journal, self.script), start(self.undisturbed, self.script)
        self.number = 0

    @rule(
        symbol=st.sampled_from(list(BY_SYMBOL)),
        kinds=st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4),
        ticks=st.integers(1, 4),
    )
    def something_is_said(self, symbol: str, kinds: list[str], ticks: int) -> None:
        self._forget_what_would_follow(symbol)
        self.script[symbol] += [(self.now + (1 + n * ticks) * STEP, kind) for n, kind in enumerate(kinds)]

    @rule(kind=st.sampled_from(["over", "worse"]), symbols=st.sets(st.sampled_from(list(BY_SYMBOL)), min_size=2))
    def all_is_said_at_once(self, kind: str, symbols: set[str]) -> None:
        for symbol in symbols:
            self._forget_what_would_follow(symbol)
            self.script[symbol].append((self.now + STEP, kind))

    def _forget_what_would_follow(self, symbol: str) -> None:
        self.script[symbol] = [(since, kind) for since, kind in self.script[symbol] if since <= self.now]

    @rule(ticks=st.integers(1, 20), at_once=st.booleans(), dies_after=st.none() | st.integers(0, 4))
    def time_passes(self, ticks: int, at_once: bool, dies_after: int | None) -> None:
        self.journal.commits_left = dies_after
        moments = [self.now + n * STEP for n in range(1, ticks + 1)]
        for moment in moments[-1:] if at_once else moments:
            self.journal.watermark = moment + timedelta(seconds=1)
            try:
                self.evaluator.poll(threading.Event())
            except Unavailable:
                self.is_restarted()
                self.evaluator.poll(threading.Event())
        self.now = moments[-1]
        self.undisturbed.watermark = self.now + timedelta(seconds=1)
        self.twin.poll(threading.Event())
        assert self.journal.waiting_actions() == []

    @rule()
    def is_restarted(self) -> None:
        self.journal.commits_left = None
        self.evaluator = start(self.journal, self.script)

    @precondition(lambda self: self.journal.stored)
    @rule(
        place=st.integers(0, 3), kind=st.sampled_from(["acknowledge", "resolve"]), who=st.sampled_from(["ann", "bob"])
    )
    def somebody_acts(self, place: int, kind: Literal["acknowledge", "resolve"], who: str) -> None:
        latest = sorted(self.journal.stored.values(), key=lambda alert: (alert.resolved_at is not None, alert.id))
        self.number += 1
        action = Action(self.number, latest[min(place, len(latest) - 1)].id, kind, who, "", START)
        self.journal.actions.append(action)
        self.undisturbed.actions.append(action)

    @rule(symbol=st.sampled_from(["*", "A", "B", "market"]), ticks=st.integers(1, 24), later=st.integers(0, 4))
    def is_silenced(self, symbol: str, ticks: int, later: int) -> None:
        self.number += 1
        begin = self.now + later * STEP + timedelta(seconds=1)
        silence = Silence(f"s-{self.number}", symbol, "*", "ann", "known", begin, begin + ticks * STEP)
        self.journal.all_silences.append(silence)
        self.undisturbed.all_silences.append(silence)

    @invariant()
    def restarts_change_nothing(self) -> None:
        assert self.journal.stored == self.undisturbed.stored
        assert self.journal.written == self.undisturbed.written

    @invariant()
    def what_fires_is_told_unless_something_holds_it_back(self) -> None:
        if self.journal.as_of is None:
            return
        open_alerts = [a for a in self.journal.stored.values() if a.state is not AlertState.RESOLVED]
        for alert in open_alerts:
            if alert.state is AlertState.FIRING and alert.told_at is None and alert.quiet_since is None:
                [held] = self._held(alert, FIRING, open_alerts)
                assert held
        for alert in self.journal.stored.values():
            if end_is_untold(alert) and self.journal.as_of > (alert.resolved_at or START):
                assert self._held(alert, RESOLVED, open_alerts)

    def _held(self, alert: Alert, reason: NotificationReason, open_alerts: list[Alert]) -> list[str]:
        assert self.journal.as_of is not None
        known = [s for s in self.journal.all_silences if s.starts_at <= self.journal.as_of]
        _, held = hold_back([Notice(alert, reason)], self.journal.as_of, RULES, known, open_alerts)
        return [each.by for each in held]

    @invariant()
    def an_alert_is_told_to_whom_its_rule_says_once_and_its_end_only_afterwards(self) -> None:
        firing: set[tuple[str, str]] = set()
        known: set[tuple[str, str]] = set()
        ended: set[tuple[str, str]] = set()
        for each in self.journal.written:
            for alert in each.alerts:
                key = (alert.id, each.delivery.notifier)
                if each.delivery.reason is FIRING:
                    assert key not in firing
                    firing.add(key)
                if each.delivery.reason is RESOLVED:
                    assert key in known
                    assert not each.is_dropped
                    ended.add(key)
                else:
                    assert key not in ended
                if not each.is_dropped:
                    known.add(key)
                assert alert.rule != "polite" or each.delivery.notifier == "mail"
        for alert in self.journal.stored.values():
            if alert.told_at is not None and alert.acknowledged is None:
                names = ["mail"] if alert.rule == "polite" else ["mail", "slack"]
                assert {(alert.id, name) for name in names} <= firing

    @invariant()
    def nothing_is_said_of_what_is_silenced_and_nobody_gets_more_than_the_cap(self) -> None:
        for each in self.journal.written:
            for alert in each.alerts:
                name = "market" if alert.symbol == "*" else alert.symbol
                for silence in self.journal.all_silences:
                    assert silence.symbol not in ("*", name) or not silence.starts_at <= each.at < silence.ends_at
        for name in POLICY.notifiers:
            mine = [each for each in self.journal.written if each.delivery.notifier == name and not each.is_dropped]
            for each in mine:
                hour = [other for other in mine if each.at - timedelta(hours=1) < other.at <= each.at]
                assert len([o for o in hour if o.delivery.reason is not RESOLVED]) <= CAP

    @invariant()
    def what_people_ask_for_is_done_once(self) -> None:
        assert len(set(self.journal.applied)) == len(self.journal.applied)
        assert self.journal.applied == self.undisturbed.applied


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
