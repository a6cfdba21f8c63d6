import logging
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from alerts.evaluator import END_KEPT, Evaluator, Policy
from alerts.lifecycle import end_is_untold
from alerts.rules import QuietHours, Rule, RuleSet
from bearometer.alert import Alert, AlertState, Evidence, Severity, Silence
from bearometer.clock import ManualClock
from bearometer.settings import AlertSettings
from storage.lease import Action
from tests.memory_journal import MemoryJournal
from tests.scripted_monitor import START, STEP, ScriptedMonitor

PLAIN = Rule("spike", symbols=("A", "B"), clear_seconds=0)
SHOCK = Rule("shock", symbols=("market",), clear_seconds=0, severity=Severity.CRITICAL)
HOUR = 12
"""In ticks."""


class Evaluation:
    """An evaluator from START on, and what it is to see: for each symbol at which tick what begins."""

    def __init__(
        self,
        script: dict[str, dict[int, str]],
        rules: Iterable[Rule] = (PLAIN, SHOCK),
        *,
        behind: timedelta = timedelta(0),
        settings: AlertSettings | None = None,
        **limits: Any,
    ) -> None:
        self.journal = MemoryJournal()
        self.asked: list[bool] = []
        plain, shock = rules
        seen = {symbol: [(START + tick * STEP, kind) for tick, kind in row.items()] for symbol, row in script.items()}
        self._monitor = ScriptedMonitor(seen, {"A": plain, "B": plain, "*": shock})
        policy = Policy(settings or AlertSettings(), RuleSet((plain, shock), **limits), ("mail", "slack"))
        self._clock = ManualClock(START + behind)
        self._evaluator = Evaluator(self.journal, self._monitor, policy, self._clock, self._find, since=START)

    def _find(self, alert: Alert, has_time: bool) -> Evidence:
        self.asked.append(has_time)
        return Evidence((), (), ("m@1",))

    def until(self, tick: int) -> None:
        self.journal.watermark = START + tick * STEP + timedelta(seconds=1)
        self._evaluator.poll(threading.Event())

    def told(self, notifier: str = "mail") -> list[tuple[float, str]]:
        """At which tick what of whom."""
        return [
            ((each.at - START) / STEP, f"{each.delivery.reason} {each.delivery.alert.symbol}")
            for each in self.journal.written
            if each.delivery.notifier == notifier and not each.is_dropped
        ]

    def silence(self, begin: int, end: int, symbol: str = "*") -> None:
        number = len(self.journal.all_silences) + 1
        silence = Silence(f"s-{number}", symbol, "*", "ann", "known", START + begin * STEP, START + end * STEP)
        self.journal.all_silences.append(silence)

    def act(self, action: str, alert_id: str) -> None:
        number = len(self.journal.actions) + 1
        kind = "resolve" if action == "resolve" else "acknowledge"
        self.journal.actions.append(Action(number, alert_id, kind, "ann", "mine", START))  # type: ignore[arg-type]

    def alert(self, symbol: str = "A") -> Alert:
        return next(alert for alert in self.journal.stored.values() if alert.symbol == symbol)


def test_what_is_silenced_is_told_when_the_silence_ends_if_it_still_fires() -> None:
    run = Evaluation({"A": {2: "over", 20: "quiet"}, "B": {2: "over", 8: "quiet"}})
    run.silence(0, 10)
    run.until(40)
    assert run.told() == [(10, "firing A"), (20, "resolved A")]
    assert run.alert("A").fired_at == START + 2 * STEP
    assert run.alert("B").told_at is None


def test_a_silence_that_begins_later_holds_back_the_escalation_and_the_end() -> None:
    run = Evaluation({"A": {2: "over", 6: "worse", 9: "quiet"}, "B": {2: "over", 6: "worse", 30: "quiet"}})
    run.silence(5, 12)
    run.until(40)
    assert run.told() == [
        (2, "firing A"),
        (2, "firing B"),
        (12, "resolved A"),
        (12, "escalated B"),
        (30, "resolved B"),
    ]
    assert run.alert("A").resolved_at == START + 9 * STEP


def test_an_end_that_could_not_be_told_for_a_week_is_not_told_any_more(caplog: pytest.LogCaptureFixture) -> None:
    week = END_KEPT // STEP
    run = Evaluation({"A": {2: "over", 9: "quiet"}, "B": {2: "over", 11: "quiet"}})
    run.silence(5, week + 10)
    run.until(week + 40)
    assert run.told() == [(2, "firing A"), (2, "firing B"), (week + 10, "resolved B")]
    gone = [each.getMessage() for each in caplog.records if "nobody is told" in each.getMessage()]
    assert gone == [f"the end of {run.alert('A').id} was held back for 7 days: nobody is told"]


def test_what_is_held_back_is_logged_once_and_remembered_only_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    run = Evaluation({"A": {2: "over", 6: "worse", 9: "quiet"}, "B": {2: "over"}})
    run.silence(5, 12)
    run.until(11)
    held = [each.getMessage() for each in caplog.records if "not told now" in each.getMessage()]
    assert len(held) == len(set(held)) == 2  # that it is worse, and over
    assert {id_ for id_, _, _ in run._evaluator._logged} == {run.alert("A").id}
    run.until(30)
    assert run.told()[-1] == (12, "resolved A")
    assert run._evaluator._logged == set()


def test_an_end_by_hand_at_the_moment_of_the_acknowledgement_is_known_to_be_untold() -> None:
    run = Evaluation({"A": {2: "over"}})
    run.silence(1, 20)
    run.until(10)
    run.act("acknowledge", run.alert().id)
    run.act("resolve", run.alert().id)
    run.until(11)
    assert end_is_untold(run.alert())


def test_quiet_hours_hold_back_until_they_end() -> None:
    night = QuietHours(time(20, 30), time(21, 30))
    rule = replace(PLAIN, quiet_hours=(night,))
    run = Evaluation({"A": {HOUR: "over", 40: "quiet"}, "B": {HOUR: "over", HOUR + 3: "quiet"}}, [rule, SHOCK])
    run.until(60)
    assert run.told() == [(18, "firing A"), (40, "resolved A")]


def test_a_shock_of_the_market_holds_back_its_members_until_it_is_over() -> None:
    shock = replace(SHOCK, inhibits=("A",))
    run = Evaluation({"*": {2: "over", 10: "quiet"}, "A": {2: "over"}, "B": {2: "over"}}, [PLAIN, shock])
    run.until(20)
    assert run.told() == [(2, "firing *"), (2, "firing B"), (10, "resolved *"), (10, "firing A")]


def test_one_moments_alerts_are_one_message() -> None:
    run = Evaluation({"*": {2: "over"}, "A": {2: "worse"}, "B": {2: "over"}}, group_at=3)
    run.until(5)
    assert run.told() == [(2, "firing *")]
    assert [alert.symbol for alert in run.journal.written[0].delivery.others] == ["A", "B"]
    assert all(alert.evidence for alert in run.journal.written[0].alerts)


def test_an_end_is_told_to_those_who_could_be_told_of_the_alert() -> None:
    run = Evaluation({"A": {2: "over", 4: "quiet"}, "B": {3: "over", 4: "quiet"}}, route_cap_per_hour=1)
    run.until(10)
    assert run.told() == run.told("slack") == [(2, "firing A"), (4, "resolved A")]
    assert [each.delivery.alert.symbol for each in run.journal.written if each.is_dropped] == ["B", "B"]


def test_an_alert_that_nobody_takes_on_is_told_again_and_one_that_somebody_has_is_not() -> None:
    run = Evaluation({"A": {2: "over"}}, [replace(PLAIN, repeat_seconds=1800), SHOCK])
    run.until(10)
    run.act("acknowledge", run.alert().id)
    run.until(30)
    assert run.told() == [(2, "firing A"), (8, "repeated A"), (10, "acknowledged A")]
    assert run.alert().state is AlertState.ACKNOWLEDGED


def test_an_action_is_applied_although_event_time_stands_still() -> None:
    run = Evaluation({"A": {2: "over"}})
    run.until(10)
    run.act("resolve", run.alert().id)
    run.until(10)
    assert run.told() == [(2, "firing A"), (10, "resolved A")]
    assert run.journal.applied == [1]


def test_what_is_asked_for_an_alert_that_is_over_comes_to_nothing(caplog: pytest.LogCaptureFixture) -> None:
    run = Evaluation({"A": {2: "over", 4: "quiet"}})
    run.until(10)
    caplog.set_level(logging.INFO)
    run.act("acknowledge", run.alert().id)
    run.until(11)
    assert run.journal.applied == [1]
    assert run.alert().acknowledged is None
    assert "which is over" in caplog.text


def test_no_end_is_told_where_nobody_wants_to_hear_of_it() -> None:
    run = Evaluation({"A": {2: "over", 4: "quiet"}}, settings=AlertSettings(notify_resolved=False))
    run.silence(3, 6)
    run.until(10)
    assert run.told() == [(2, "firing A")]


@pytest.mark.parametrize(("hours", "expected"), [(0.5, [(6, "firing A"), (30, "resolved A")]), (2.0, None)])
def test_what_happened_too_long_ago_is_told_only_if_it_still_fires(
    hours: float, expected: list[tuple[float, str]] | None
) -> None:
    run = Evaluation(
        {"A": {2: "over", 30: "quiet"}, "B": {2: "over", 4: "quiet"}},
        behind=timedelta(hours=1),
        settings=AlertSettings(max_age_hours=hours),
    )
    run.until(40)
    told = [(2, "firing A"), (2, "firing B"), (4, "resolved B"), (30, "resolved A")]
    assert run.told() == (expected or told)


def test_why_nothing_is_said_stands_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    run = Evaluation({"A": {2: "over"}})
    run.silence(0, 30)
    run.until(20)
    assert [r.getMessage() for r in caplog.records if "silence s-1" in r.getMessage()] == [
        "alert firing for A: 9 negative against 0.1 expected up to 2026-03-02T20:10:00+00:00; not told now: silence s-1"
    ]


def test_evidence_is_found_when_it_fires_and_again_when_it_is_told() -> None:
    run = Evaluation({"A": {2: "over"}})
    run.silence(0, 10)
    run.until(8)
    assert run.asked == [False]
    assert run.alert().evidence is not None
    run.until(20)
    assert run.asked == [False, True]
    assert run.journal.written[0].delivery.alert.evidence == run.alert().evidence
