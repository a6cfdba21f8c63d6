import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from alerts.backtest import Event, Outcome, Period, Scope, read_events, replay, scale_budgets, score
from alerts.monitor import Monitor, Notice
from alerts.rules import Rule, RuleSet
from bearometer.alert import NotificationReason
from bearometer.errors import Misconfigured
from bearometer.mention import SeenMention
from storage.history import KnownMention

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
CRASH = START + 14 * DAY + 10 * HOUR
PERIOD = Period(START + 10 * DAY, START + 20 * DAY)
RULES = RuleSet((Rule("spike"),))


def mention(at: datetime, symbol: str = "ACME", *, negative: bool = True) -> SeenMention:
    post = f"{symbol} {at.isoformat()}"
    return SeenMention(symbol, post, at, post, None, "test", negative)


def quiet(days: int = 20) -> list[SeenMention]:
    source = random.Random(1)
    return [mention(START + days * DAY * source.random(), negative=source.random() < 0.2) for _ in range(days * 2)]


def crash(at: datetime = CRASH, posts: int = 20) -> list[SeenMention]:
    return [mention(at + n * 3 * MINUTE) for n in range(posts)]


def known(mentions: list[SeenMention], delay: timedelta = timedelta(0)) -> list[KnownMention]:
    return [KnownMention(each.published_at + delay, replace(each, on_time=delay < DAY)) for each in mentions]


def in_order(history: list[KnownMention]) -> list[KnownMention]:
    return sorted(history, key=lambda each: (each.known_at, each.mention.published_at))


def test_a_back_test_finds_what_the_live_monitor_finds() -> None:
    mentions = sorted(quiet() + crash(), key=lambda each: each.published_at)
    monitor = Monitor(RULES, 30)
    live: list[Notice] = []
    for each in mentions:
        monitor.add([each])
        live += monitor.advance(each.published_at).notices
    fired = [notice.alert for notice in live if notice.reason is NotificationReason.FIRING]
    assert fired
    assert replay(RULES, 30, known(mentions), PERIOD) == fired


@pytest.mark.parametrize("delay", [timedelta(0), 3 * HOUR])
def test_an_alert_starts_when_its_posts_were_known_and_not_before(delay: timedelta) -> None:
    history = in_order(
        known(quiet() + [mention(CRASH + 30 * MINUTE * n, "BUSY", negative=False) for n in range(20)])
        + known(crash(), delay)
    )
    [alert] = replay(RULES, 30, history, PERIOD)
    assert CRASH + delay < alert.started_at <= CRASH + delay + 90 * MINUTE


def test_it_finds_no_sooner_than_a_live_worker_what_is_known_late_of_a_symbol_of_which_nothing_else_is_said() -> None:
    calm, burst = known(quiet()), known(crash(posts=6), 10.5 * MINUTE)
    monitor = Monitor(RULES, 30)
    live: list[Notice] = []
    waiting = in_order(calm + burst)
    for second in range(0, 20 * 24 * 3600, 30):  # heartbeats
        now = START + timedelta(seconds=second)
        while waiting and waiting[0].known_at <= now:
            monitor.add([waiting.pop(0).mention])
        live += monitor.advance(now).notices
    [fired] = [notice.alert for notice in live if notice.reason is NotificationReason.FIRING]
    assert fired.started_at > burst[0].known_at
    assert replay(RULES, 30, in_order(calm + burst), PERIOD) == [fired]


def test_a_file_that_was_taken_in_later_as_a_whole_is_judged_by_the_time_of_its_posts() -> None:
    mentions = sorted(quiet() + crash(), key=lambda each: each.published_at)
    later = [KnownMention(START + 300 * DAY, replace(each, on_time=False)) for each in mentions]
    expected = replay(RULES, 30, known(mentions), PERIOD)
    assert expected
    assert replay(RULES, 30, later, PERIOD) == expected


def test_what_a_new_feed_brings_of_weeks_ago_sets_event_time_back_for_nobody_and_begins_no_watching() -> None:
    first = known([mention(CRASH - DAY, "BUSY", negative=False)])
    archive = [KnownMention(CRASH - DAY, replace(each, on_time=False)) for each in quiet(12)]
    assert not replay(RULES, 30, in_order(first + archive + known(crash())), PERIOD)
    watched = known([mention(START + n * DAY, "BUSY", negative=False) for n in range(13)])
    assert replay(RULES, 30, in_order(watched + archive + known(crash())), PERIOD)


def test_a_post_from_the_future_does_not_set_event_time_ahead() -> None:
    ahead = KnownMention(CRASH - HOUR, mention(CRASH + 20 * HOUR, "BUSY", negative=False))
    history = known(quiet() + crash())
    assert replay(RULES, 30, in_order([*history, ahead]), PERIOD) == replay(RULES, 30, in_order(history), PERIOD)


def test_only_alerts_of_the_period_are_given() -> None:
    history = in_order(known(quiet() + crash()))
    assert not replay(RULES, 30, history, Period(CRASH + 5 * HOUR, CRASH + DAY))
    assert not replay(RULES, 30, history, Period(START, CRASH))


def test_alerts_are_set_beside_events_of_the_day_or_of_the_day_before() -> None:
    [alert] = replay(RULES, 30, in_order(known(quiet() + crash())), PERIOD)
    day = alert.started_at.date()
    events = [Event(day, "ACME"), Event(day, "ELSE"), Event(day - DAY, "ACME"), Event(day + 50 * DAY, "ACME")]
    outcome = score([alert], Scope.of(RULES.rules, ["ACME", "ELSE", "*", "#Earnings"], events, PERIOD))
    assert (outcome.alerts, outcome.right, outcome.events, outcome.found) == (1, 1, 3, 2)
    assert outcome.precision == 1
    assert outcome.symbol_years == pytest.approx(20 / 365.25)
    assert outcome.per_symbol_year == pytest.approx(365.25 / 20)
    assert score([alert], Scope.of(RULES.rules, ["ACME"], [Event(day + DAY, "ACME")], PERIOD)).right == 0
    nothing = score([], Scope.of(RULES.rules, [], [], PERIOD))
    assert nothing == Outcome(0, 0, 0.0, 0, 0, 0)
    assert nothing.precision is None


def test_only_what_the_rules_watch_counts_and_topics_and_the_market_count_apart() -> None:
    [alert] = replay(RULES, 30, in_order(known(quiet() + crash())), PERIOD)
    day = alert.started_at.date()
    rules = (Rule("few", symbols=("ACME", "MUTE")), Rule("market", symbols=("market", "#*")))
    spoken_of = ["ACME", "*", "#Earnings", *(f"S{number}" for number in range(1000))]
    events = [Event(day, "ACME"), Event(day, "MUTE"), Event(day, "S1")]
    scope = Scope.of(rules, spoken_of, events, PERIOD)
    assert scope.symbols == {"ACME"}
    assert {event.symbol for event in scope.events} == {"ACME", "MUTE"}
    outcome = score([alert, replace(alert, symbol="*"), replace(alert, symbol="#Earnings")], scope)
    assert (outcome.alerts, outcome.others, outcome.precision) == (1, 2, 1)
    assert (outcome.found, outcome.events) == (1, 2)
    assert outcome.per_symbol_year == pytest.approx(365.25 / 10)


def test_an_event_on_the_day_on_which_the_period_is_over_is_not_of_it() -> None:
    events = [Event(date(2015, 12, 31), "ACME"), Event(date(2016, 1, 1), "ACME")]
    end = datetime(2016, 1, 1, tzinfo=UTC)
    assert Scope.of(RULES.rules, [], events, Period(end - 90 * DAY, end)).events == {events[0]}
    assert Scope.of(RULES.rules, [], events, Period(end - 90 * DAY, end + MINUTE)).events == {*events}


def test_more_budget_brings_no_fewer_alerts() -> None:
    history = in_order(known(quiet() + crash() + crash(START + 17 * DAY, 6)))
    counts = [len(replay(scale_budgets(RULES, factor), 30, history, PERIOD)) for factor in (1e-9, 1.0, 1000.0)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_events_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("date,symbol,note\n2015-10-14,wmt,lowered its forecast\n", "utf-8")
    assert read_events(path) == [Event(date(2015, 10, 14), "WMT")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"symbol,date\nWMT,2015-10-14\nWMT,14.10.2015\n", r"events.csv:3: '14.10.2015' is no date such as 2015-10-14"),
        (b"symbol\nWMT\n", "must have the columns symbol and date"),
        (b"", "must have the columns symbol and date"),
        (b"symbol,date\n\xff\xfe,x\n", "cannot be read"),
        (b"symbol,date\nWMT\n", "is no date"),
    ],
)
def test_what_is_wrong_with_a_file_of_events_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=said):
        read_events(path)


def test_a_missing_file_of_events_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.csv cannot be read"):
        read_events(tmp_path / "none.csv")
