import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.baseline import learn_baseline
from alerts.distinct import DistinctWindow, Entry, count_distinct
from alerts.lifecycle import acknowledge, follow, resolve
from alerts.monitor import Advance, Monitor, Notice, first_needed
from alerts.rules import default_rules
from alerts.spike import look_at
from bearometer.alert import Acknowledgement, Alert, AlertState, Evidence, NotificationReason
from bearometer.mention import NegativeMention
from bearometer.settings import AlertSettings
from benchmarks.false_alarms import count_alerts

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRING = NotificationReason.FIRING


def mention(
    at: datetime, symbol: str = "ACME", author: str | None = None, text: str | None = None, post: str | None = None
) -> NegativeMention:
    post = post or f"test:{symbol}-{at.isoformat()}-{author}-{text}"
    return NegativeMention(symbol, post, at, text or post, author)


def chatter(days: int, per_day: float, symbol: str = "ACME", seed: int = 1) -> list[NegativeMention]:
    source = random.Random(seed)
    count = round(days * per_day)
    return [mention(START + timedelta(days=days) * source.random(), symbol) for _ in range(count)]


def crash(at: datetime, posts: int = 15, symbol: str = "ACME") -> list[NegativeMention]:
    return [mention(at + n * timedelta(minutes=4), symbol, author=f"a{n}") for n in range(posts)]


def said(table: Iterable[tuple[datetime, int]], symbol: str = "ACME") -> list[NegativeMention]:
    """So many from each moment on, a minute apart, each by an author and in words of its own."""
    return [
        mention(at + n * timedelta(minutes=1), symbol, author=f"{at} {n}") for at, count in table for n in range(count)
    ]


def fired(notices: Iterable[Notice]) -> list[tuple[str, datetime]]:
    return [(n.alert.symbol, n.alert.started_at) for n in notices if n.reason is FIRING]


# Distinct counting


@pytest.mark.parametrize(
    ("posts", "expected"),
    [
        ("", 0),
        ("a1", 1),
        ("a1 b2 c3", 3),
        ("a1 b1 c1", 1),  # a text that everybody repeats
        ("a1 a2 a3", 1),  # an author who floods
        ("a1 a2 b1", 1),  # each author's first post counts
        ("a1 b2 b3 c2", 2),
    ],
)
def test_a_repeated_text_and_an_authors_further_posts_count_once(posts: str, expected: int) -> None:
    negatives = [
        mention(START + n * timedelta(minutes=1), author=name[0], text=name[1]) for n, name in enumerate(posts.split())
    ]
    monitor = Monitor(AlertSettings(min_posts=1))
    monitor.add(negatives)
    monitor.advance(START + HOUR)
    assert monitor.chart("ACME", START + HOUR)[-1].negative == expected


entries = st.builds(
    Entry, at=st.integers(0, 30), post=st.integers(0, 5), author=st.integers(0, 3), text=st.integers(0, 3)
)


@given(st.lists(st.one_of(entries, st.integers(0, 30)), max_size=60))
def test_the_sliding_count_equals_a_recount(operations: list[Entry | int]) -> None:
    window = DistinctWindow()
    inside: set[Entry] = set()
    gone = -1
    for operation in operations:
        if isinstance(operation, Entry):
            if operation.at > gone:
                window.add(operation)
                inside.add(operation)
        else:
            gone = max(gone, operation)
            window.expire(gone)
            inside = {e for e in inside if e.at > gone}
        assert window.count == count_distinct(list(inside))
        assert window.authors == len({e.author for e in inside})
        assert window.oldest == min((e.at for e in inside), default=None)


# Spikes


def test_a_crash_on_a_quiet_symbol_fires_once_within_the_hour_and_resolves() -> None:
    at = START + timedelta(days=14, hours=14)
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(14, 0.3) + chatter(14, 2, "BUSY") + crash(at))
    notices = monitor.advance(at + timedelta(days=3)).notices
    assert [str(n.reason) for n in notices] == ["firing", "escalated", "resolved"]
    alert = notices[-1].alert
    assert at < alert.started_at < at + HOUR
    assert alert.resolved_at is not None
    assert at + timedelta(hours=24) < alert.resolved_at < at + timedelta(hours=27)
    assert alert.peak.negative >= 15
    assert alert.peak.expected < 1
    assert alert.peak.p_value < 1e-9


def test_spam_alone_is_no_spike() -> None:
    at = START + timedelta(days=14)
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(14, 0.3))
    monitor.add(mention(at + n * timedelta(minutes=1), author=f"bot{n}", text="buy puts") for n in range(200))
    monitor.add(mention(at + n * timedelta(minutes=1), author="loud", text=f"rant {n}") for n in range(200))
    assert not monitor.advance(at + timedelta(days=3)).notices


def test_spam_does_not_teach_the_baseline() -> None:
    at = START + timedelta(days=14)
    spam = [
        mention(START + timedelta(days=day, minutes=n), author=f"bot{n}", text=f"buy puts {day}")
        for day in range(13)
        for n in range(100)
    ]
    monitor = Monitor(AlertSettings())
    monitor.add([*spam, *crash(at, posts=40)])
    assert fired(monitor.advance(at + timedelta(days=1)).notices)


def test_the_first_days_are_not_news() -> None:
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(30, 25, "BUSY") + chatter(30, 3, "SOME", seed=2))
    assert not monitor.advance(START + timedelta(days=30)).notices


def test_a_crash_in_the_first_days_fires_as_soon_as_three_days_are_known() -> None:
    begin = START + timedelta(minutes=1)  # the day in which watching began is only a part and does not count
    known = START + timedelta(days=5)  # the windows of this day are judged by the three days before the one they cover
    monitor = Monitor(AlertSettings())
    monitor.add([mention(begin, "BUSY"), *crash(known - 4 * HOUR)])
    assert fired(monitor.advance(known + HOUR).notices) == [("ACME", known)]


def test_a_symbol_that_nobody_spoke_of_before_can_fire_once_others_were_watched() -> None:
    at = START + timedelta(days=14)
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(14, 2, "BUSY") + crash(at, symbol="NEW"))
    assert [symbol for symbol, _ in fired(monitor.advance(at + timedelta(days=1)).notices)] == ["NEW"]


def test_an_hour_is_enough_of_a_window_too() -> None:
    at = START + timedelta(days=14, hours=14)
    monitor = Monitor(AlertSettings(window="1h"))
    monitor.add(chatter(14, 1) + crash(at))
    assert len(fired(monitor.advance(at + timedelta(days=1)).notices)) == 1


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    monitor = Monitor(AlertSettings())
    monitor.add([mention(START)])
    monitor.advance(START)
    assert monitor.as_of == START
    assert monitor.chart("ACME", START)[-1].negative == 1
    assert monitor.chart("ACME", START + timedelta(days=1))[-1].negative == 0
    assert monitor.chart("ACME", START + timedelta(days=1, microseconds=-1))[-1].negative == 1


# Event time


def test_event_time_stays_behind_the_watermark_on_a_grid() -> None:
    monitor = Monitor(AlertSettings(step_seconds=300))
    assert monitor.as_of is None
    monitor.advance(START + timedelta(minutes=4))
    assert monitor.as_of == START
    monitor.add([mention(START + timedelta(minutes=7))])
    monitor.advance(START + timedelta(minutes=9))
    assert monitor.as_of == START + timedelta(minutes=5)
    monitor.advance(START + timedelta(minutes=13))
    assert monitor.as_of == START + timedelta(minutes=10)
    monitor.advance(START)
    assert monitor.as_of == START + timedelta(minutes=10)


def test_event_time_follows_the_watermark_although_nothing_negative_was_ever_said() -> None:
    monitor = Monitor(AlertSettings(step_seconds=300))
    for watermark, as_of in [
        (timedelta(minutes=4), timedelta(0)),
        (timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(days=200, minutes=13), timedelta(days=200, minutes=10)),
        (timedelta(minutes=5), timedelta(days=200, minutes=10)),
    ]:
        assert monitor.advance(START + watermark) == Advance()
        assert monitor.as_of == START + as_of


@pytest.mark.parametrize(
    ("said_at", "as_of"),
    [
        (timedelta(minutes=8), timedelta(minutes=10)),
        (timedelta(minutes=58), timedelta(hours=1)),
        (timedelta(minutes=88), timedelta(hours=1)),  # one partition's news, ahead of the watermark
    ],
)
def test_event_time_begins_at_the_first_mention_and_not_after_the_watermark(
    said_at: timedelta, as_of: timedelta
) -> None:
    monitor = Monitor(AlertSettings(step_seconds=300))
    monitor.add([mention(START + said_at), mention(START + said_at + timedelta(minutes=5))])
    monitor.advance(START + HOUR, looks=1)
    assert monitor.as_of == START + as_of


def test_a_late_crash_is_found_on_the_next_tick() -> None:
    at = START + timedelta(days=14, hours=10)
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(14, 0.3))
    monitor.advance(at + timedelta(hours=3))
    monitor.add(crash(at))
    notices = monitor.advance(at + timedelta(hours=4)).notices
    assert fired(notices) == [("ACME", at + timedelta(hours=3, minutes=5))]


@pytest.mark.parametrize(
    ("known_late", "spikes"),
    [
        ([], 1),
        ([(START + timedelta(days=day), 12) for day in range(1, 13)], 0),
    ],
    ids=["a silent past", "a busy past"],
)
def test_a_past_that_becomes_known_late_is_learned_before_the_next_look(
    known_late: list[tuple[datetime, int]], spikes: int
) -> None:
    morning = START + timedelta(days=14, hours=9)
    monitor = Monitor(AlertSettings(min_posts=1))
    monitor.add([mention(START, "BUSY"), mention(morning)])
    monitor.advance(morning + HOUR)  # from here on a baseline of ACME is kept: nothing was said of it before
    monitor.add(said([*known_late, (morning + 2 * HOUR, 12)]))
    assert len(fired(monitor.advance(morning + 3 * HOUR).notices)) == spikes


@pytest.mark.parametrize(
    ("watched_before", "starts_after"),
    [
        (timedelta(0), []),
        (timedelta(days=1), []),
        (timedelta(days=3), [timedelta(hours=2, minutes=5)]),
        (timedelta(days=10), [timedelta(hours=2, minutes=5)]),
    ],
)
def test_when_watching_turns_out_to_have_begun_earlier_everybody_is_looked_at_again_on_the_next_tick(
    watched_before: timedelta, starts_after: list[timedelta]
) -> None:
    at = START + timedelta(days=1, hours=10)
    monitor = Monitor(AlertSettings())
    monitor.add([mention(START, "BUSY"), *crash(at)])
    assert not monitor.advance(at + 2 * HOUR).notices  # too little of the past is known
    monitor.add([mention(START - watched_before, "BUSY")])
    notices = monitor.advance(at + 3 * HOUR).notices  # and nothing new is said of ACME
    assert fired(notices) == [("ACME", at + after) for after in starts_after]


@pytest.mark.parametrize(
    ("pending_seconds", "state", "told"),
    [(0, AlertState.FIRING, [NotificationReason.RESOLVED]), (6 * 3600, AlertState.PENDING, [])],
)
def test_an_open_alert_ends_after_a_restart_although_nothing_is_known_of_its_symbol_any_more(
    pending_seconds: int, state: AlertState, told: list[NotificationReason]
) -> None:
    at = START + timedelta(days=14)
    rules = AlertSettings(pending_seconds=pending_seconds)
    monitor = Monitor(rules)
    monitor.add([mention(START, "BUSY"), *crash(at)])
    [alert] = monitor.advance(at + 2 * HOUR).alerts
    assert alert.state is state

    restarted = Monitor(rules, monitor.as_of, [alert])
    ended = restarted.advance(at + timedelta(days=1))
    assert [(a.id, a.state) for a in ended.alerts] == [(alert.id, AlertState.RESOLVED)]
    assert [n.reason for n in ended.notices] == told


def test_texts_that_count_only_when_a_flood_leaves_the_window_are_looked_at_then() -> None:
    at = START + timedelta(days=14)
    authors = [f"a{n}" for n in range(12)]
    flood = [mention(at + n * timedelta(minutes=1), author=author, text="the same") for n, author in enumerate(authors)]
    own = [mention(at + HOUR + n * timedelta(minutes=1), author=author) for n, author in enumerate(authors)]
    monitor = Monitor(AlertSettings())
    monitor.add([mention(START, "BUSY"), *flood, *own])
    notices = monitor.advance(at + 3 * timedelta(days=1)).notices
    assert [(s, t) for s, t in fired(notices) if s == "ACME"] == [
        ("ACME", at + timedelta(days=1) + timedelta(minutes=5))
    ]


def test_symbols_that_nobody_speaks_of_any_more_are_forgotten() -> None:
    monitor = Monitor(AlertSettings(history_days=7))
    monitor.add([mention(START + n * timedelta(days=1), f"S{n}") for n in range(60)])
    monitor.advance(START + 60 * timedelta(days=1))
    assert len(monitor._symbols) < 12


def test_a_backlog_is_worked_off_in_bounded_steps_with_the_same_result() -> None:
    at = START + timedelta(days=14)
    negatives = chatter(20, 3) + crash(at, 60)
    whole, stepwise = Monitor(AlertSettings()), Monitor(AlertSettings())
    end = START + timedelta(days=22)
    whole.add(negatives)
    expected = whole.advance(end)
    stepwise.add(negatives)
    notices: list[Notice] = []
    before, steps = None, 0
    while True:
        notices += stepwise.advance(end, looks=10).notices
        if stepwise.as_of == before:
            break
        before, steps = stepwise.as_of, steps + 1
    assert notices == list(expected.notices)
    assert stepwise.as_of == whole.as_of == end
    assert steps > 10


def test_evidence_stays_with_the_alert() -> None:
    at = START + timedelta(days=14)
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(14, 0.3) + crash(at, 30))
    notice = monitor.advance(at + HOUR).notices[0]
    evidence = Evidence((), monitor.chart("ACME", notice.alert.peak.end), ("m@1",))
    monitor.attach(notice.alert, evidence)
    later = monitor.advance(at + timedelta(days=3)).alerts
    assert [alert.evidence for alert in later] == [evidence]


def test_what_is_put_is_the_alert_that_goes_on() -> None:
    at = START + timedelta(days=14)
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(14, 0.3) + crash(at))
    monitor.advance(at + HOUR)
    [alert] = monitor.open_alerts()
    taken, _ = acknowledge(alert, Acknowledgement("ann", at + HOUR))
    monitor.put(taken)
    assert monitor.open_alerts() == (taken,)
    ended, _ = resolve(taken, Acknowledgement("bob", at + HOUR))
    monitor.put(ended)
    assert monitor.open_alerts() == ()
    assert monitor.advance(at + 20 * HOUR) == Advance()  # its cool-down lasts


def test_event_time_can_be_found_without_a_look() -> None:
    monitor = Monitor(AlertSettings())
    monitor.add([mention(START + timedelta(minutes=8))])
    assert monitor.advance(START + HOUR, looks=0) == Advance()
    assert monitor.as_of == START + timedelta(minutes=5)


def test_the_chart_shows_the_spike_last_and_what_was_expected_before_it() -> None:
    at = START + timedelta(days=14)
    monitor = Monitor(AlertSettings())
    monitor.add(chatter(14, 2) + crash(at))
    monitor.advance(at + timedelta(days=1))
    chart = monitor.chart("ACME", at + timedelta(hours=23))
    assert len(chart) == 14
    assert chart[-1].negative >= 15 > chart[-1].expected
    assert all(0 < point.expected < 6 for point in chart)
    assert [b.at - a.at for a, b in pairwise(chart)] == [timedelta(days=1)] * 13


def test_memory_does_not_grow_with_the_past() -> None:
    monitor = Monitor(AlertSettings(history_days=7))
    for day in range(60):
        monitor.add(mention(START + timedelta(days=day, minutes=n), f"S{day}", f"a{n}") for n in range(20))
        monitor.advance(START + timedelta(days=day, hours=12))
    assert len(monitor._symbols) <= 14
    assert len(monitor._active) <= 14


# The same whatever happened in between

TINY = {
    "window": "1h",
    "step_seconds": 900,
    "half_life_days": 2.0,
    "history_days": 7,
    "min_posts": 2,
    "min_authors": 1,
    "false_alerts_per_symbol_year": 300.0,
    "clear_factor": 3.0,
    "clear_seconds": 1800,
    "cooldown_seconds": 7200,
}

tuning = st.fixed_dictionaries(
    {
        "pending_seconds": st.sampled_from([0, 1800]),
        "min_posts": st.integers(1, 3),
        "clear_factor": st.sampled_from([1.0, 3.0]),
        "cooldown_seconds": st.sampled_from([0, 7200]),
    }
)


@st.composite
def timelines(draw: st.DrawFn) -> tuple[AlertSettings, list[tuple[datetime, NegativeMention]]]:
    """Sparse chatter and bursts about two symbols over 12 days, some of it known only hours or days later."""
    source = random.Random(draw(st.integers(0, 2**32)))
    minutes = [(source.uniform(0, 12 * 1440), symbol) for symbol in "AB" for _ in range(source.choice([5, 40]))]
    for _ in range(4):
        burst, symbol = source.uniform(2.5 * 1440, 12 * 1440), source.choice("AB")
        minutes += [(burst + source.uniform(0, 120), symbol) for _ in range(source.randint(2, 9))]
    known = []
    for number, (minute, symbol) in enumerate(minutes):
        at = START + timedelta(minutes=minute)
        delay = source.choice([0, 0, 0, 30, 600, 5000]) * source.random()
        text = f"t{source.randint(0, 60)}"
        author = source.choice([None, None, *(f"a{n}" for n in range(12))])
        known.append((at + timedelta(minutes=delay), NegativeMention(symbol, f"p{number}", at, text, author)))
    return AlertSettings.model_validate(TINY | draw(tuning)), sorted(known, key=lambda pair: pair[0])


def polls(known: Sequence[tuple[datetime, NegativeMention]]) -> list[tuple[datetime, list[NegativeMention]]]:
    """What each poll gives, at every tick: watermark and new mentions; to the end of all windows."""
    step = timedelta(seconds=900)
    moments = [START + n * step for n in range(15 * 24 * 4)]
    return [(at, [m for when, m in known if at - step < when <= at]) for at in moments]


@settings(max_examples=15, deadline=None)
@given(timelines(), st.sets(st.integers(0, 15 * 24 * 4), max_size=8))
def test_kills_and_restarts_at_any_point_change_nothing(
    timeline: tuple[AlertSettings, list[tuple[datetime, NegativeMention]]], kills: set[int]
) -> None:
    rules, known = timeline
    straight: list[Notice] = []
    monitor = Monitor(rules)
    for watermark, new in polls(known):
        monitor.add(new)
        straight += monitor.advance(watermark).notices

    told: list[Notice] = []
    stored_alerts: dict[str, Alert] = {}
    as_of: datetime | None = None
    seen: list[NegativeMention] = []
    monitor = Monitor(rules)
    for number, (watermark, new) in enumerate(polls(known)):
        seen += new
        if number in kills:
            if as_of is None:
                monitor = Monitor(rules)
                monitor.add(seen)
            else:
                monitor = Monitor(rules, as_of, recent(stored_alerts.values(), as_of, rules))
                monitor.add(m for m in seen if m.published_at >= first_needed(as_of, rules))
        else:
            monitor.add(new)
        advance = monitor.advance(watermark)
        told += advance.notices
        stored_alerts |= {alert.id: alert for alert in advance.alerts}
        as_of = monitor.as_of
    assert told == straight


def recent(alerts: Iterable[Alert], as_of: datetime, rules: AlertSettings) -> list[Alert]:
    """As the store gives them."""
    since = as_of - timedelta(seconds=rules.cooldown_seconds)
    return [a for a in alerts if a.state is not AlertState.RESOLVED or (a.resolved_at or as_of) >= since]


@settings(max_examples=10, deadline=None)
@given(timelines())
def test_skipping_looks_changes_nothing(
    timeline: tuple[AlertSettings, list[tuple[datetime, NegativeMention]]],
) -> None:
    """Against a detector that recounts everything for every symbol on every tick."""
    rules, known = timeline
    monitor = Monitor(rules)
    expected: list[tuple[str, NotificationReason]] = []
    told: list[tuple[str, NotificationReason]] = []
    latest: dict[str, Alert | None] = {"A": None, "B": None}
    seen: list[NegativeMention] = []
    for watermark, new in polls(known):
        seen += new
        monitor.add(new)
        told += [(n.alert.id, n.reason) for n in monitor.advance(watermark).notices]
        if seen and min(m.published_at for m in seen) <= watermark:
            for symbol in "AB":
                latest[symbol], reason = follow_naively(seen, symbol, watermark, latest[symbol], rules)
                alert = latest[symbol]
                if reason is not None and alert is not None:
                    expected.append((alert.id, reason))
    assert told == expected


def follow_naively(
    seen: list[NegativeMention], symbol: str, now: datetime, alert: Alert | None, rules: AlertSettings
) -> tuple[Alert | None, NotificationReason | None]:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    period_of = {id(m): -((epoch - m.published_at) // HOUR) - 1 for m in seen}
    mine = [m for m in seen if m.symbol == symbol]
    closed = (now - HOUR - epoch) // HOUR
    horizon = closed - rules.history_days * 24
    begun = min((p for p in period_of.values() if p >= horizon - 1), default=closed)
    start = min(max(begun + 1, horizon), closed)
    by_period: dict[int, list[NegativeMention]] = {}
    for m in mine:
        if start <= period_of[id(m)] < closed:
            by_period.setdefault(period_of[id(m)], []).append(m)
    past = [(period, count_texts(mentions)) for period, mentions in sorted(by_period.items())]
    inside = [m for m in mine if now - HOUR < m.published_at <= now]
    look = look_at(
        symbol=symbol,
        end=now,
        window=HOUR,
        negative=count_texts(inside),
        authors=len({m.author or m.post_id for m in inside}),
        baseline=learn_baseline(past, start, closed, rules.half_life_days * 24, 24),
        warm=(closed - start) >= 72,
        settings=rules,
    )
    return follow(alert, look, default_rules(rules).rules[0])


def count_texts(mentions: list[NegativeMention]) -> int:
    """Different texts among the authors' first posts; no two posts here are of the same moment."""
    first = {m.author or m.post_id: m.fingerprint for m in sorted(mentions, key=lambda m: m.published_at, reverse=True)}
    return len(set(first.values()))


def test_streams_in_which_nothing_happens_keep_to_the_budget() -> None:
    """A cheap cut of benchmarks/false_alarms.py; the promise is 1 a symbol-year."""
    rules = AlertSettings(false_alerts_per_symbol_year=1.0, min_posts=1, min_authors=1)
    cells = ((0.3, 0.5), (3.0, 0.5), (20.0, 0.3))
    alerts = sum(count_alerts(rules, 4, 365, per_day, dispersion, seed=7) for per_day, dispersion in cells)
    assert alerts <= 12
