import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evaluator import Evaluator, Policy
from alerts.monitor import Notice
from alerts.rules import SUPPLY, Rule, RuleSet
from alerts.supply import LOOK_EVERY, Supply, find_shortages
from alerts.tell import hold_back
from bearometer.alert import (
    Acknowledgement,
    Alert,
    AlertState,
    Evidence,
    Measure,
    NotificationReason,
    Severity,
    Silence,
)
from bearometer.clock import ManualClock
from bearometer.post import EVALUATION, is_symbol, source_key, source_of
from bearometer.settings import AlertSettings
from storage.silences import Action
from storage.supply import SourceState
from tests.memory_journal import MemoryJournal
from tests.scripted_monitor import ScriptedMonitor

NOW = datetime(2026, 3, 2, 20, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86_400))
LAG = SUPPLY[Measure.LAG]
SILENT, FAILING = (replace(SUPPLY[each], pending_seconds=0) for each in (Measure.NO_DATA, Measure.FAILING))
ALL = (SILENT, FAILING, LAG)


def source(
    *,
    post: timedelta | None = MINUTE,
    well: timedelta | None = SECOND,
    written: timedelta = SECOND,
    error: str | None = None,
    paused: bool = False,
    name: str = "news",
    now: datetime = NOW,
) -> SourceState:
    """Times are how long ago."""
    return SourceState(
        name=name,
        paused=paused,
        last_error=error,
        newest_published_at=None if post is None else now - post,
        polled_at=None if well is None else now - well,
        updated_at=now - written,
    )


def verdict(rule: Rule, *sources: SourceState, watermark: datetime | None = NOW) -> str:
    shortages = find_shortages(rule, sources, watermark, NOW)
    found = {key: "well" if each is None else "begins" if each.begins else "lasts" for key, each in shortages.items()}
    return " ".join(f"{key} {said}" for key, said in found.items())


@pytest.mark.parametrize(
    ("rule", "state", "said"),
    [
        (SILENT, source(), "!news well"),
        (SILENT, source(post=DAY), "!news well"),
        (SILENT, source(post=DAY + SECOND), "!news begins"),
        (SILENT, source(post=-HOUR), "!news well"),  # a post from the future
        (SILENT, source(post=None), "!news well"),  # it never spoke
        (SILENT, source(post=DAY + SECOND, paused=True), ""),
        (SILENT, source(post=3 * DAY, written=2 * DAY - SECOND), "!news begins"),  # its worker has died
        (SILENT, source(post=3 * DAY, written=2 * DAY), "!news lasts"),  # nobody runs it any more
        (FAILING, source(), "!news well"),
        (FAILING, source(error="503"), "!news well"),
        (FAILING, source(error="503", well=HOUR), "!news well"),
        (FAILING, source(error="503", well=HOUR + SECOND), "!news begins"),
        (FAILING, source(error="503", well=None), "!news begins"),
        (FAILING, source(well=None), "!news well"),  # asked for the first time just now
        (FAILING, source(well=5 * HOUR, written=5 * HOUR), "!news well"),  # nobody asks it: no fault of its own
        (FAILING, source(error="503", well=HOUR + SECOND, paused=True), ""),
        (FAILING, source(error="503", well=9 * DAY, written=DAY + HOUR), "!news lasts"),
    ],
)
def test_a_source_is_judged_by_its_last_post_and_by_its_trouble(rule: Rule, state: SourceState, said: str) -> None:
    assert verdict(rule, state) == said


@pytest.mark.parametrize(
    ("behind", "states", "said"),
    [
        (15 * MINUTE, [source()], "well"),
        (15 * MINUTE + SECOND, [source()], "begins"),
        (None, [source()], "begins"),  # nothing was stored yet
        (-HOUR, [source()], "well"),
        (9 * DAY, [], "well"),  # a replay of the past
        (9 * DAY, [source(post=None, well=None, error="503")], "well"),  # no source ever worked
        (9 * DAY, [source(well=None, error="one feed of many")], "begins"),
        (9 * DAY, [source(paused=True)], "well"),
        (4 * HOUR, [source(well=4 * HOUR, written=4 * HOUR)], "lasts"),  # ingest was stopped, and not just now
        (2 * HOUR, [source(well=2 * HOUR, written=2 * HOUR)], "begins"),
        (4 * HOUR, [source(well=4 * HOUR, written=4 * HOUR), source(name="b")], "begins"),
    ],
)
def test_the_evaluation_is_judged_by_the_watermark_while_sources_are_asked(
    behind: timedelta | None, states: list[SourceState], said: str
) -> None:
    watermark = None if behind is None else NOW - behind
    assert verdict(LAG, *states, watermark=watermark) == f"! {said}"


def test_which_sources_a_rule_watches_is_said_by_patterns() -> None:
    silent = [source(name=name, post=2 * DAY) for name in ("feeds", "press-a", "press-b", "x")]
    rule = replace(SILENT, symbols=("!press-*", "!x"), exclude=("!press-b",))
    assert verdict(rule, *silent) == "!press-a begins !x begins"


def test_what_is_wrong_is_said_as_far_as_is_known() -> None:
    def problem(rule: Rule, state: SourceState, watermark: datetime | None = NOW) -> str | None:
        [shortage] = find_shortages(rule, [state], watermark, NOW).values()
        assert shortage is not None
        return shortage.problem

    assert problem(SILENT, source(post=2 * DAY)) is None
    assert problem(SILENT, source(post=2 * DAY, error="503")) == "503"
    assert problem(SILENT, source(post=2 * DAY, written=6 * MINUTE)) == (
        "ingest has said nothing since 2026-03-02 19:54 UTC: its worker or the broker is away"
    )
    behind = NOW - HOUR
    assert problem(LAG, source(), behind) == "ingest goes on: the stream is behind or stands still"
    assert "since 2026-03-02 19:00" in (problem(LAG, source(well=HOUR, written=HOUR), behind) or "")


class Watch:
    """The sources as they are at each moment, and what `Supply` makes of them minute by minute."""

    def __init__(self, rules: Sequence[Rule] = ALL, alerts: Sequence[Alert] = ()) -> None:
        self.now = NOW
        self.sources: list[SourceState] = []
        self.lag = timedelta(0)
        self.alerts = {alert.id: alert for alert in alerts}
        self.told: list[tuple[timedelta, str]] = []
        self._rules = rules
        self.restart()

    def restart(self) -> None:
        self.supply = Supply(self._rules, lambda: self.sources, list(self.alerts.values()))

    def go(self, length: timedelta, *, restarting: bool = False, **state: object) -> None:
        """Let time pass; the sources' times go with it where `state` says how long ago they are."""
        until = self.now + length
        while self.now < until:
            self.now += LOOK_EVERY
            if state:
                self.sources = [source(now=self.now, **state)]  # type: ignore[arg-type]
            if restarting:
                self.restart()
            advance = self.supply.look(self.now, self.now - self.lag)
            self.alerts |= {alert.id: alert for alert in advance.alerts}
            self.told += [
                (n.alert.told_at - NOW, f"{n.reason} {n.alert.rule}") for n in advance.notices if n.alert.told_at
            ]


@pytest.mark.parametrize("restarting", [False, True])
def test_a_silent_source_is_told_once_and_so_is_its_end(restarting: bool) -> None:
    watch = Watch()
    watch.sources = [source(post=timedelta(0), well=None)]
    watch.go(25 * HOUR, restarting=restarting)
    assert watch.told == [(DAY + MINUTE, "firing no-data")]
    watch.go(2 * HOUR, restarting=restarting, post=MINUTE)
    assert watch.told[1:] == [(25 * HOUR + MINUTE, "resolved no-data")]
    [alert] = watch.alerts.values()
    assert alert.id == "no-data:!news:2026-03-03T20:01:00+00:00"
    assert (alert.state, alert.peak.start, alert.peak.end) == (AlertState.RESOLVED, NOW, alert.started_at)


@pytest.mark.parametrize("restarting", [False, True])
def test_a_source_that_never_worked_is_told_after_the_same_time(restarting: bool) -> None:
    watch = Watch()
    watch.go(3 * HOUR, restarting=restarting, post=None, well=None, error="404")
    assert watch.told == [(HOUR + MINUTE, "firing failing")]


def test_trouble_that_passes_is_not_told() -> None:
    watch = Watch()
    watch.go(50 * MINUTE, post=None, well=None, error="404")
    watch.go(HOUR, post=MINUTE)
    watch.sources = [source(now=watch.now, post=MINUTE, well=timedelta(0), error="503")]
    watch.go(50 * MINUTE)
    watch.go(5 * MINUTE)
    assert watch.told == []


def test_a_lag_is_told_after_five_minutes_and_over_after_five_minutes() -> None:
    watch = Watch()
    watch.lag = 20 * MINUTE
    watch.go(4 * MINUTE, post=MINUTE)
    watch.lag = MINUTE
    watch.go(MINUTE, post=MINUTE)
    assert watch.told == []
    watch.lag = 20 * MINUTE
    watch.go(30 * MINUTE, post=MINUTE)
    watch.lag = MINUTE
    watch.go(4 * MINUTE, post=MINUTE)
    watch.lag = 20 * MINUTE
    watch.go(5 * MINUTE, post=MINUTE)
    watch.lag = MINUTE
    watch.go(10 * MINUTE, post=MINUTE)
    assert watch.told == [(11 * MINUTE, "firing lag"), (50 * MINUTE, "resolved lag")]
    assert {alert.severity for alert in watch.alerts.values()} == {Severity.CRITICAL}


def test_a_pause_ends_the_alert_at_once_and_so_does_the_rules_end() -> None:
    watch = Watch()
    watch.go(2 * MINUTE, post=2 * DAY, error="503", well=2 * HOUR)
    assert [told for _, told in watch.told] == ["firing no-data", "firing failing"]
    watch.go(MINUTE, post=2 * DAY, error="503", paused=True)
    assert sorted(told for _, told in watch.told[2:]) == ["resolved failing", "resolved no-data"]
    other = Watch()
    other.go(MINUTE, post=2 * DAY)
    without = Watch(rules=(), alerts=list(other.alerts.values()))
    without.go(MINUTE, post=2 * DAY)
    assert [told for _, told in without.told] == ["resolved no-data"]


def test_what_is_old_after_a_nights_stop_is_not_told_if_it_comes_soon() -> None:
    watch = Watch(rules=tuple(SUPPLY.values()))
    watch.lag = 60 * HOUR
    watch.go(3 * MINUTE, post=60 * HOUR, well=60 * HOUR, error="no network yet")
    assert {alert.state for alert in watch.alerts.values()} == {AlertState.PENDING}
    watch.lag = MINUTE
    watch.go(HOUR, post=MINUTE)
    assert watch.told == []


def test_after_the_end_there_is_no_new_alert_in_the_cool_down() -> None:
    watch = Watch(rules=[FAILING])
    watch.go(2 * MINUTE, post=None, error="503", well=2 * HOUR)
    watch.go(MINUTE)
    watch.go(MINUTE, post=None)
    watch.go(2 * HOUR, post=None, error="503", well=2 * HOUR)
    assert watch.told == [
        (MINUTE, "firing failing"),
        (4 * MINUTE, "resolved failing"),
        (64 * MINUTE, "firing failing"),
    ]


def test_a_source_that_nobody_runs_any_more_stays_told_once() -> None:
    watch = Watch(rules=[SILENT])
    watch.sources = [source(post=DAY, well=None)]
    watch.go(9 * DAY)
    assert [told for _, told in watch.told] == ["firing no-data"]
    [alert] = watch.supply.open_alerts()
    watch.supply.put(replace(alert, state=AlertState.RESOLVED, resolved_at=watch.now, told_at=watch.now))
    watch.go(9 * DAY)
    assert len(watch.told) == 1


def test_replays_of_the_past_say_nothing() -> None:
    watch = Watch()
    watch.lag = 4_000 * DAY
    watch.go(DAY)
    assert (watch.told, watch.alerts) == ([], {})


@given(st.lists(st.tuples(st.integers(0, 4000), st.booleans(), st.booleans()), max_size=30))
def test_whatever_happens_each_alert_is_told_once_and_ended_once(steps: list[tuple[int, bool, bool]]) -> None:
    watch = Watch()
    for minutes, fails, paused in steps:
        watch.lag = timedelta(minutes=minutes)
        watch.go(
            MINUTE * 20, post=timedelta(minutes=minutes), error="503" if fails else None, well=HOUR * 2, paused=paused
        )
    counts: dict[str, int] = {}
    for _, told in watch.told:
        reason, rule = told.split()
        counts[rule] = counts.get(rule, 0) + (1 if reason == "firing" else -1)
        assert counts[rule] in (0, 1)
    open_now = {alert.rule for alert in watch.supply.open_alerts() if alert.state is AlertState.FIRING}
    assert {rule for rule, count in counts.items() if count} == open_now


def test_keys_of_sources_are_no_symbols() -> None:
    assert (source_key("feeds"), source_of("!feeds"), source_of(EVALUATION)) == ("!feeds", "feeds", "")
    assert not is_symbol("!feeds")
    assert not is_symbol(EVALUATION)
    assert source_of("WMT") is None
    assert not Rule("r", symbols=("*",)).covers("!feeds")


def firing(key: str = "!news", rule: str = "no-data") -> Alert:
    watch = Watch()
    watch.go(MINUTE, post=2 * DAY)
    [alert] = watch.supply.open_alerts()
    return replace(alert, rule=rule, symbol=key, id=f"{rule}:{key}")


@pytest.mark.parametrize(
    ("pattern", "is_held"), [("*", True), ("!*", True), ("!ne*", True), ("!x", False), ("?*", False), ("NEWS", False)]
)
def test_a_silence_of_everything_or_of_the_source_holds_it_back(pattern: str, is_held: bool) -> None:
    silence = Silence("s", pattern, "*", "ann", "known", NOW - DAY, NOW + DAY)
    rules = RuleSet((), supply=ALL)
    said, held = hold_back([Notice(firing(), NotificationReason.FIRING)], NOW, rules, [silence], [])
    assert (len(said), len(held)) == ((0, 1) if is_held else (1, 0))


def test_a_rule_on_the_supply_mutes_spikes_and_no_rule_mutes_the_supply() -> None:
    blind = replace(LAG, inhibits=("*",))
    rules = RuleSet((Rule("spike"), Rule("shock", symbols=("market",), inhibits=("*",))), supply=(blind, SILENT))
    behind, silent, spike, shock = (
        firing(key, rule) for key, rule in (("!", "lag"), ("!news", "no-data"), ("WMT", "spike"), ("*", "shock"))
    )
    notices = [Notice(alert, NotificationReason.FIRING) for alert in (behind, silent, spike, shock)]
    said, held = hold_back(notices, NOW, rules, [], [behind, silent, spike, shock])
    assert [notice.alert for notice in said] == [behind, silent]
    assert [(each.notice.alert, each.by) for each in held] == [(spike, "alert lag:!"), (shock, "alert lag:!")]


class Evaluation:
    """An evaluator in which event time may stand still while the clock goes on."""

    def __init__(self, journal: MemoryJournal, clock: ManualClock, *, rules: Sequence[Rule] = ALL) -> None:
        self.sources: list[SourceState] = []
        self.journal = journal
        self.clock = clock
        alerts = list(journal.stored.values())
        supply = Supply(rules, lambda: self.sources, [a for a in alerts if a.symbol.startswith("!")])
        policy = Policy(AlertSettings(), RuleSet((Rule("spike"),), supply=tuple(rules)), ("mail",))

        def find(alert: Alert, has_time: bool) -> Evidence:
            return supply.evidence(alert)

        monitor = ScriptedMonitor({}, {}, as_of=journal.as_of)
        self._evaluator = Evaluator(journal, monitor, policy, clock, find, since=NOW, ended=alerts, supply=supply)

    def go(self, length: timedelta) -> None:
        self.clock.sleep(length.total_seconds())
        self._evaluator.poll(threading.Event())

    def told(self) -> list[str]:
        return [f"{each.delivery.reason} {each.delivery.alert.symbol}" for each in self.journal.written]


@pytest.mark.parametrize("watermark", [None, NOW])
def test_it_is_told_although_event_time_stands_still_or_never_began(watermark: datetime | None) -> None:
    run = Evaluation(MemoryJournal(watermark=watermark), ManualClock(NOW))
    run.sources = [source(name="news", post=23 * HOUR, error="HTTP 503")]
    run.go(MINUTE)
    assert run.told() == []
    run.go(HOUR)
    run.go(HOUR)
    # Failing since an hour ago; silent for a day; and nothing was evaluated since NOW, or ever.
    assert sorted(run.told()) == ["firing !", "firing !news", "firing !news"]
    again = Evaluation(run.journal, run.clock)
    again.sources = run.sources
    again.go(HOUR)
    assert len(again.told()) == 3
    alert = next(alert for alert in again.journal.stored.values() if alert.rule == "no-data")
    assert alert.evidence == Evidence((), (), (), problem="HTTP 503")


def test_what_people_do_with_it_goes_by_the_clock() -> None:
    run = Evaluation(MemoryJournal(), ManualClock(NOW), rules=[SILENT])
    run.sources = [source(post=2 * DAY)]
    run.go(MINUTE)
    [alert] = run.journal.stored.values()
    run.journal.actions.append(Action(1, alert.id, "acknowledge", "ann", "they know", NOW))
    run.go(MINUTE)
    [alert] = run.journal.stored.values()
    assert alert.acknowledged == Acknowledgement("ann", NOW + 2 * MINUTE, "they know")
    run.journal.actions.append(Action(2, alert.id, "resolve", "bob", "", NOW))
    run.go(MINUTE)
    assert run.told() == ["firing !news", "acknowledged !news", "resolved !news"]
    assert run.journal.applied == [1, 2]
    run.go(HOUR)
    assert len(run.told()) == 3


def test_an_end_in_a_silence_is_told_once_after_it() -> None:
    run = Evaluation(MemoryJournal(watermark=NOW), ManualClock(NOW), rules=[SILENT])
    run.sources = [source(post=2 * DAY)]
    run.go(MINUTE)
    run.journal.all_silences.append(Silence("s", "!*", "*", "ann", "known", NOW, NOW + 3 * HOUR))
    run.sources = [source(post=-HOUR)]
    run.go(HOUR)
    assert run.told() == ["firing !news"]
    later = Evaluation(run.journal, run.clock, rules=[SILENT])
    later.sources = run.sources
    for _ in range(4):
        later.journal.watermark = later.clock.now()
        later.go(HOUR)
    assert later.told() == ["firing !news", "resolved !news"]


def test_sources_that_fail_together_are_one_message() -> None:
    run = Evaluation(MemoryJournal(), ManualClock(NOW), rules=[FAILING])
    run.sources = [source(name=f"s{n}", error="no route to host", well=HOUR, post=None) for n in range(7)]
    run.go(MINUTE)
    [message] = run.journal.written
    assert len(message.delivery.others) == 6
