import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.bins import BIN, BINS_A_DAY, LOOK_BACK, Count, DistinctCounter, Said, Talk, bin_of, moment, said_of
from alerts.monitor import Advance, Monitor, Notice, first_needed
from alerts.rules import Rule, RuleSet
from alerts.watched import Watched
from bearometer.alert import Acknowledgement, Alert, AlertState, Evidence, Measure, NotificationReason
from bearometer.mention import SeenMention
from bearometer.post import MARKET, topic_key

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
FIRING, RESOLVED = NotificationReason.FIRING, NotificationReason.RESOLVED
HISTORY = 30
ONE = RuleSet((Rule("spike"),))


def mention(
    at: datetime,
    symbol: str = "ACME",
    author: str | None = None,
    story: str | None = None,
    *,
    negative: bool = True,
    source: str = "test",
) -> SeenMention:
    post = f"{source}:{symbol}-{at.isoformat()}-{author}-{story}-{negative}"
    return SeenMention(symbol, post, at, story or post, author, source, negative)


def chatter(days: int, per_day: float, symbol: str = "ACME", seed: int = 1, negative: float = 0.2) -> list[SeenMention]:
    source = random.Random(f"{seed} {symbol}")
    return [
        mention(START + days * DAY * source.random(), symbol, negative=source.random() < negative)
        for _ in range(round(days * per_day))
    ]


def crash(at: datetime, posts: int = 15, symbol: str = "ACME", source: str = "test") -> list[SeenMention]:
    return [mention(at + n * timedelta(minutes=4), symbol, author=f"a{n}", source=source) for n in range(posts)]


def fired(notices: Iterable[Notice]) -> list[tuple[str, datetime]]:
    return [(n.alert.symbol, n.alert.started_at) for n in notices if n.reason is FIRING]


def watch(mentions: Iterable[SeenMention], until: datetime, rules: RuleSet = ONE) -> Advance:
    monitor = Monitor(rules, HISTORY)
    monitor.add(mentions)
    return monitor.advance(until)


# Counting


@pytest.mark.parametrize(
    ("posts", "expected"),
    [
        ("", 0),
        ("a1", 1),
        ("a1 b2 c3", 3),
        ("a1 b1 c1", 1),  # a story that everybody tells
        ("a1 a2 a3", 1),  # an author who floods
        ("a1 a2 b1", 1),  # each author's first post counts
        ("a1 b2 b3 c2", 2),
        ("a1 a2 b2", 2),  # what an author says besides takes nothing from others
    ],
)
def test_a_story_told_again_and_an_authors_further_posts_count_once(posts: str, expected: int) -> None:
    noon = START + DAY / 2
    said = [said_of(mention(noon + n * MINUTE, author=name[0], story=name[1])) for n, name in enumerate(posts.split())]
    counts = DistinctCounter().count(said)
    assert sum(count.negative for count in counts) == sum(count.posts for count in counts) == expected


def test_who_was_neutral_can_still_speak_badly() -> None:
    said = [said_of(mention(START + n * MINUTE, author="a", negative=n == 1)) for n in range(2)]
    assert DistinctCounter().count(said) == [Count(bin_of(START), 1, 2)]


numbers = st.integers(-(2**63), 2**63 - 1)
saids = st.builds(
    Said,
    at=st.integers(10 * LOOK_BACK * BIN, 10 * LOOK_BACK * BIN + 6 * BINS_A_DAY * BIN),
    post=numbers,
    author=st.sampled_from([1, -(2**62), 2**62 + 12345, 8 * 10**10]),
    story=st.sampled_from([2, -(2**61), 2**60 + 54321, 3 * 10**10]),
    source=st.integers(0, 3),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(saids, max_size=20), st.integers(0, 6 * BINS_A_DAY))
def test_a_counter_that_has_read_the_look_back_counts_on_as_if_it_had_read_everything(
    known: list[Said], after: int
) -> None:
    start = 10 * LOOK_BACK + after
    talk = Talk()
    for said in known:
        talk.add(said)
    everything = DistinctCounter().count(talk.between(0, 20 * LOOK_BACK))
    lately = DistinctCounter().count(talk.between(start - LOOK_BACK, 20 * LOOK_BACK))
    assert [c for c in everything if c.bin >= start] == [c for c in lately if c.bin >= start]

    counter = DistinctCounter()
    before = counter.count(talk.between(0, start))
    counter.forget(start)
    assert before + counter.count(talk.between(start, 20 * LOOK_BACK)) == everything


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(saids, max_size=20))
def test_no_day_holds_an_author_more_than_twice_in_each_of_the_two_ways(known: list[Said]) -> None:
    counts = DistinctCounter().count(sorted({said._replace(author=1) for said in known}))
    for count in counts:
        day = [c for c in counts if count.bin <= c.bin < count.bin + BINS_A_DAY]
        assert sum(c.negative for c in day) <= 2
        assert sum(c.posts for c in day) <= 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=3), min_size=3, max_size=3, unique=True), st.integers(10, 120))
def test_a_story_counts_once_or_twice_and_one_that_never_ends_at_most_three_times_in_a_day(
    stories: list[str], every_minutes: int
) -> None:
    """It is told on for three days by an account each; after each day it has another name."""
    told = [
        said_of(mention(START + n * every_minutes * MINUTE, author=f"a{n}", story=stories[n * every_minutes // 1440]))
        for n in range(3 * 1440 // every_minutes)
    ]
    counter = DistinctCounter()
    counted = [said for said in told if counter.count((said,))]
    for story in {said.story for said in told}:
        assert 1 <= sum(said.story == story for said in counted) <= 2
    for first in counted:
        assert sum(first.at <= said.at < first.at + BINS_A_DAY * BIN for said in counted) <= 3


# One symbol


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[int, SeenMention]]:
    """Mentions over ten days with the bin in which they become known."""
    source = random.Random(draw(st.integers(0, 2**32)))
    found = []
    for number in range(source.choice([3, 40, 150])):
        at = START + timedelta(minutes=source.uniform(0, 10 * 1440))
        delay = timedelta(minutes=source.choice([0, 0, 0, 60, 1500, 6000]) * source.random())
        said = SeenMention(
            "A",
            f"p{number}",
            at,
            f"t{source.randint(0, 40)}",
            source.choice([None, *(f"a{n}" for n in range(9))]),
            "test",
            source.random() < 0.5,
        )
        found.append((bin_of(at + delay), said))
    return sorted(found, key=lambda pair: pair[0])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arrivals(), st.lists(st.integers(1, 12 * BINS_A_DAY), max_size=12))
def test_what_is_found_depends_neither_on_when_a_mention_became_known_nor_on_who_looked_before(
    known: list[tuple[int, SeenMention]], looks: list[int]
) -> None:
    first, end = bin_of(START), bin_of(START) + 12 * BINS_A_DAY
    straight = Watched({("1h", "24h"): set(Measure)})
    for _, said in sorted(known, key=lambda pair: pair[1].published_at):
        straight.add(said_of(said), bin_of(said.published_at))
    expected = straight.find(first, end)

    watched = Watched({("1h", "24h"): set(Measure)})
    waiting = list(known)
    for look in sorted(looks):
        while waiting and waiting[0][0] < first + look:
            _, said = waiting.pop(0)
            watched.add(said_of(said), bin_of(said.published_at))
        watched.find(first, first + look)
        if look % 7 == 0:
            watched.rest(first + look)
    for _, said in waiting:
        watched.add(said_of(said), bin_of(said.published_at))
    assert watched.find(first, end) == expected
    assert watched.seen(end, BINS_A_DAY) == straight.seen(end, BINS_A_DAY)


# Spikes


def test_a_crash_on_a_quiet_symbol_fires_once_within_the_hour_and_resolves() -> None:
    at = START + timedelta(days=14, hours=14)
    told = watch(chatter(14, 1) + chatter(14, 8, "BUSY") + crash(at), at + 3 * DAY).notices
    assert [n.reason for n in told if n.reason is not NotificationReason.ESCALATED] == [FIRING, RESOLVED]
    alert = told[-1].alert
    assert at < alert.started_at <= at + HOUR
    assert alert.resolved_at is not None
    assert at + HOUR < alert.resolved_at < at + 2 * DAY
    peak = alert.peak
    assert peak.negative >= 12
    assert peak.posts is not None
    assert peak.posts >= peak.negative
    assert peak.expected < 1
    assert peak.measure is Measure.COUNT
    assert peak.per_year is not None
    assert peak.per_year < 0.05
    assert peak.p_value < 1e-3


def test_spam_alone_is_no_spike() -> None:
    at = START + 14 * DAY
    bots = [mention(at + n * MINUTE, author=f"bot{n}", story="buy puts") for n in range(200)]
    loud = [mention(at + n * MINUTE, author="loud", story=f"rant {n}") for n in range(200)]
    assert not watch(chatter(14, 0.5) + bots + loud, at + 3 * DAY).notices


def test_good_news_is_no_spike_of_bad_ones_and_one_of_volume() -> None:
    at = START + 14 * DAY
    rules = RuleSet((Rule("bad"), Rule("loud", measure=Measure.VOLUME)))
    praise = [mention(at + n * MINUTE, author=f"a{n}", negative=False) for n in range(60)]
    notices = watch(chatter(14, 1) + praise, at + 2 * HOUR, rules).notices
    assert {n.alert.rule for n in notices} == {"loud"}
    peak = notices[0].alert.peak
    assert peak.measure is Measure.VOLUME
    assert peak.authors >= 5


def test_with_one_name_for_all_posts_the_market_is_watched_like_a_symbol_where_a_rule_says_so() -> None:
    at = START + 14 * DAY
    names = (MARKET, topic_key("Earnings"), "ACME")
    mentions = [m for name in names for m in chatter(14, 1, name) + crash(at, 20, name)]
    rules = RuleSet((Rule("all"), Rule("wide", symbols=("market",)), Rule("topics", symbols=("#*",))))
    notices = watch(mentions, at + 2 * HOUR, rules).notices
    assert {(n.alert.rule, n.alert.symbol) for n in notices} == {
        ("all", "ACME"),
        ("wide", MARKET),
        ("topics", topic_key("Earnings")),
    }


@pytest.mark.parametrize(("sources", "spikes"), [(("a",), 0), (("a", "b"), 1)])
def test_a_rule_may_ask_for_more_than_one_source(sources: Sequence[str], spikes: int) -> None:
    at = START + 14 * DAY
    both = [replace(m, source=sources[n % len(sources)]) for n, m in enumerate(crash(at, 20))]
    notices = watch(chatter(14, 1) + both, at + 2 * HOUR, RuleSet((Rule("spike", min_sources=2),))).notices
    assert len(fired(notices)) == spikes


@pytest.mark.parametrize(("at_least", "spikes"), [(30, 0), (12, 1)])
def test_an_explicit_threshold_stands_in_place_of_the_budget(at_least: float, spikes: int) -> None:
    at = START + 14 * DAY
    rule = Rule("spike", at_least=at_least, scales=("1h", "6h"), false_alerts_per_symbol_year=1e-9)
    notices = watch(chatter(14, 1) + crash(at, 20), at + DAY, RuleSet((rule,))).notices
    assert len(fired(notices)) == spikes
    if spikes:
        assert notices[0].alert.peak.end - notices[0].alert.peak.start == 6 * HOUR
        assert [n.reason for n in notices if n.reason is RESOLVED]


def test_the_markets_budget_is_shared_by_the_symbols_that_were_spoken_of() -> None:
    at = START + 14 * DAY
    others = [m for n in range(40) for m in chatter(14, 0.5, f"S{n}", seed=n, negative=0.0)]
    talk = chatter(14, 1) + crash(at, 20)
    plenty = RuleSet((Rule("spike"),), market_false_alerts_per_year=40 * 0.2)
    [told, *_] = watch(talk + others, at + 2 * HOUR, plenty).notices
    assert told.alert.peak.per_year is not None
    scarce = replace(plenty, market_false_alerts_per_year=1e-300)
    assert not watch(talk + others, at + 2 * HOUR, scarce).notices
    none = replace(plenty, market_false_alerts_per_year=None)
    assert fired(watch(talk + others, at + 2 * HOUR, none).notices)[0][0] == "ACME"


def test_the_first_days_of_watching_start_no_alert_and_a_new_symbol_later_does() -> None:
    monitor = Monitor(ONE, HISTORY)
    monitor.add([*crash(START + HOUR), *chatter(14, 8, "BUSY", negative=0.1)])
    assert not monitor.advance(START + 2 * DAY).notices
    at = START + 10 * DAY
    monitor.add(crash(at, symbol="NEW"))
    assert {n.alert.symbol for n in monitor.advance(at + 2 * HOUR).notices} == {"NEW"}


# Late ones


def test_a_late_crash_is_found_on_the_next_tick() -> None:
    at = START + timedelta(days=14, hours=10)
    monitor = Monitor(ONE, HISTORY)
    monitor.add(chatter(14, 1))
    monitor.advance(at + HOUR)
    monitor.add(crash(at))
    assert fired(monitor.advance(at + 4 * HOUR).notices) == [("ACME", at + HOUR + 5 * MINUTE)]


def test_a_past_that_becomes_known_late_is_learned_before_the_next_look() -> None:
    at = START + timedelta(days=14, hours=9)
    monitor = Monitor(ONE, HISTORY)
    monitor.add([mention(START, "BUSY"), mention(at)])
    monitor.advance(at + HOUR)
    daily = [m for day in range(1, 14) for m in crash(START + day * DAY + timedelta(hours=11))]
    monitor.add([replace(m, author=f"{m.author} {m.published_at}") for m in daily])
    monitor.add(crash(at + 2 * HOUR))
    assert not monitor.advance(at + 4 * HOUR).notices


def test_when_watching_turns_out_to_have_begun_earlier_everybody_is_looked_at_again_on_the_next_tick() -> None:
    at = START + timedelta(days=1, hours=10)
    monitor = Monitor(ONE, HISTORY)
    monitor.add([mention(START, "BUSY"), *crash(at)])
    assert not monitor.advance(at + HOUR).notices  # too little of the past is known
    monitor.add([mention(START - 10 * DAY, "BUSY")])
    notices = monitor.advance(at + 3 * HOUR).notices  # and nothing new is said of ACME
    assert fired(notices) == [("ACME", at + HOUR + 5 * MINUTE)]


def test_silence_starts_no_alert() -> None:
    at = START + 14 * DAY
    monitor = Monitor(ONE, HISTORY)
    monitor.add(chatter(14, 1) + crash(at, 20))
    [notice, *_] = monitor.advance(at + 90 * MINUTE).notices
    # The alert is gone, as if a person had ended it and its cool-down were over; nothing new is said.
    ended = replace(notice.alert, state=AlertState.RESOLVED, resolved_at=at + 80 * MINUTE, told_at=None)
    restarted = Monitor(ONE, HISTORY, monitor.as_of, [ended])
    restarted.add(chatter(14, 1) + crash(at, 3))
    assert not restarted.advance(at + DAY).notices


# The life of alerts


def test_an_open_alert_ends_after_a_restart_although_nothing_is_known_of_its_symbol_any_more() -> None:
    at = START + 14 * DAY
    monitor = Monitor(ONE, HISTORY)
    monitor.add([mention(START, "BUSY"), *crash(at)])
    [alert] = monitor.advance(at + HOUR).alerts
    assert monitor.open_alerts() == (alert,)
    restarted = Monitor(ONE, HISTORY, monitor.as_of, [alert])
    ended = restarted.advance(at + DAY)
    assert [(a.id, a.state) for a in ended.alerts] == [(alert.id, AlertState.RESOLVED)]
    assert [n.reason for n in ended.notices] == [RESOLVED]
    assert restarted.open_alerts() == ()


def test_an_alert_whose_rule_was_taken_away_is_resolved() -> None:
    at = START + 14 * DAY
    monitor = Monitor(ONE, HISTORY)
    monitor.add([mention(START, "BUSY"), *crash(at)])
    [alert] = monitor.advance(at + HOUR).alerts
    for rules in (RuleSet((Rule("other"),)), RuleSet((Rule("spike", symbols=("NONE",)),)), RuleSet(())):
        changed = Monitor(rules, HISTORY, monitor.as_of, [alert])
        ended = changed.advance(at + DAY)
        assert [(n.alert.id, n.alert.state, n.reason) for n in ended.notices] == [
            (alert.id, AlertState.RESOLVED, RESOLVED)
        ]
        assert changed.open_alerts() == ()


def test_an_alert_that_a_person_has_acted_on_goes_on_from_there() -> None:
    at = START + 14 * DAY
    monitor = Monitor(ONE, HISTORY)
    monitor.add(chatter(14, 1) + crash(at))
    monitor.advance(at + HOUR)
    [alert] = monitor.open_alerts()
    by = Acknowledgement("ann", at + HOUR)
    monitor.put(replace(alert, state=AlertState.ACKNOWLEDGED, acknowledged=by))
    ended = monitor.advance(at + 3 * DAY)
    assert [(a.state, a.acknowledged) for a in ended.alerts] == [(AlertState.RESOLVED, by)]


def test_evidence_stays_with_the_alert() -> None:
    at = START + 14 * DAY
    monitor = Monitor(ONE, HISTORY)
    monitor.add(chatter(14, 1) + crash(at, 30))
    [notice, *_] = monitor.advance(at + HOUR).notices
    evidence = Evidence((), monitor.chart("ACME", notice.alert.peak.end), ("m@1",))
    monitor.attach(notice.alert, evidence)
    later = monitor.advance(at + 3 * DAY).alerts
    assert [alert.evidence for alert in later] == [evidence]


def test_the_chart_shows_the_last_day_by_the_hour_against_what_was_expected() -> None:
    at = START + 14 * DAY
    monitor = Monitor(ONE, HISTORY)
    monitor.add(chatter(14, 4) + crash(at))
    monitor.advance(at + HOUR)
    chart = monitor.chart("ACME", at + HOUR)
    assert len(chart) == 24
    assert chart[-1].negative == 15 > chart[-1].expected
    assert all(0 <= point.expected < 3 and point.high is not None for point in chart)
    assert all(point.high >= point.expected for point in chart if point.high is not None)
    assert [b.at - a.at for a, b in pairwise(chart)] == [HOUR] * 23
    assert monitor.chart("NOBODY", at) == ()


# Cost


def test_a_symbol_is_looked_at_only_when_something_was_said_or_an_alert_is_open() -> None:
    monitor = Monitor(ONE, HISTORY)
    monitor.add(mention(START + n * timedelta(hours=7), f"S{n}") for n in range(60))
    looked = 0
    while True:
        before = monitor.as_of
        monitor.advance(START + 30 * DAY, looks=1)
        if monitor.as_of == before:
            break
        looked += 1
    assert looked <= 61


def test_memory_does_not_grow_with_the_past() -> None:
    monitor = Monitor(ONE, 7)
    for day in range(60):
        monitor.add(mention(START + day * DAY + n * MINUTE, f"S{day}", f"a{n}") for n in range(5))
        monitor.advance(START + day * DAY + DAY / 2)
    assert len(monitor._watched) <= 20
    assert len(monitor._active) <= 24


def test_a_backlog_is_worked_off_in_bounded_steps_with_the_same_result() -> None:
    at = START + 14 * DAY
    mentions = chatter(20, 6) + crash(at, 40)
    end = START + 22 * DAY
    expected = watch(mentions, end)
    stepwise = Monitor(ONE, HISTORY)
    stepwise.add(mentions)
    notices: list[Notice] = []
    before, steps = None, 0
    while True:
        notices += stepwise.advance(end, looks=10).notices
        if stepwise.as_of == before:
            break
        before, steps = stepwise.as_of, steps + 1
    assert notices == list(expected.notices)
    assert stepwise.as_of == end
    assert steps > 10


@pytest.mark.parametrize(
    ("said_at", "as_of"),
    [(timedelta(0), timedelta(0)), (4 * MINUTE, timedelta(0)), (5 * MINUTE, 5 * MINUTE), (2 * HOUR, HOUR)],
)
def test_event_time_begins_at_the_first_mention_and_not_after_the_watermark(
    said_at: timedelta, as_of: timedelta
) -> None:
    monitor = Monitor(ONE, HISTORY)
    assert monitor.as_of is None
    monitor.add([mention(START + said_at)])
    monitor.advance(START + HOUR, looks=0)
    assert monitor.as_of == START + as_of


# The same whatever happened in between

LOOSE = Rule(
    "loose",
    scales=("5m", "1h"),
    false_alerts_per_symbol_year=60.0,
    min_posts=2,
    min_authors=1,
    clear_factor=3.0,
    clear_seconds=1800,
    cooldown_seconds=7200,
    repeat_seconds=14_400,
)


@st.composite
def timelines(draw: st.DrawFn) -> tuple[RuleSet, list[tuple[datetime, SeenMention]]]:
    """Sparse chatter and bursts about two symbols over 12 days, some of it known only hours or days later."""
    source = random.Random(draw(st.integers(0, 2**32)))
    rule = replace(
        LOOSE, pending_seconds=draw(st.sampled_from([0, 1800])), cooldown_seconds=draw(st.sampled_from([0, 7200]))
    )
    minutes = [(source.uniform(0, 12 * 1440), symbol) for symbol in "AB" for _ in range(source.choice([5, 60]))]
    for _ in range(4):
        burst, symbol = source.uniform(2.5 * 1440, 12 * 1440), source.choice("AB")
        minutes += [(burst + source.uniform(0, 120), symbol) for _ in range(source.randint(2, 12))]
    known = []
    for number, (minute, symbol) in enumerate(minutes):
        at = START + timedelta(minutes=minute)
        delay = source.choice([0, 0, 0, 30, 600, 5000]) * source.random()
        author = source.choice([None, None, *(f"a{n}" for n in range(12))])
        said = SeenMention(symbol, f"p{number}", at, f"t{source.randint(0, 60)}", author, "s", source.random() < 0.7)
        known.append((at + timedelta(minutes=delay), said))
    share = replace(rule, name="share", measure=Measure.SHARE, scales=("6h",))
    rules = RuleSet((rule, share), market_false_alerts_per_year=draw(st.sampled_from([None, 100.0])))
    return rules, sorted(known, key=lambda pair: pair[0])


def polls(known: Sequence[tuple[datetime, SeenMention]]) -> list[tuple[datetime, list[SeenMention]]]:
    """What each poll gives, every twenty minutes: watermark and new mentions; to the end of all windows."""
    step = 20 * MINUTE
    moments = [START + n * step for n in range(14 * 24 * 3)]
    return [(at, [m for when, m in known if at - step < when <= at]) for at in moments]


def recent(alerts: Iterable[Alert], as_of: datetime) -> list[Alert]:
    """As the store gives them."""
    return [a for a in alerts if a.state is not AlertState.RESOLVED or (a.resolved_at or as_of) >= as_of - 2 * HOUR]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(timelines(), st.sets(st.integers(1, 14 * 24 * 3), max_size=8))
def test_kills_and_restarts_at_any_point_change_nothing(
    timeline: tuple[RuleSet, list[tuple[datetime, SeenMention]]], kills: set[int]
) -> None:
    rules, known = timeline
    straight: list[Notice] = []
    monitor = Monitor(rules, 7)
    for watermark, new in polls(known):
        monitor.add(new)
        straight += monitor.advance(watermark).notices

    told: list[Notice] = []
    stored: dict[str, Alert] = {}
    seen: list[SeenMention] = []
    monitor = Monitor(rules, 7)
    for number, (watermark, new) in enumerate(polls(known)):
        seen += new
        as_of = monitor.as_of
        if number in kills and as_of is not None:
            monitor = Monitor(rules, 7, as_of, recent(stored.values(), as_of))
            since = first_needed(as_of, 7)
            shuffled = [m for m in seen if m.published_at >= since]
            random.Random(number).shuffle(shuffled)
            monitor.add(shuffled)
        else:
            monitor.add(new)
        advance = monitor.advance(watermark)
        told += advance.notices
        stored |= {alert.id: alert for alert in advance.alerts}
    assert told == straight
    assert moment(bin_of(START)) == START


def test_posts_of_weeks_ago_that_a_new_feed_brings_do_not_say_that_anybody_watched_then() -> None:
    source = random.Random(5)
    names = [f"S{n}" for n in range(20)]
    live = [mention(START + 2 * DAY * source.random(), source.choice(names), f"u{n}") for n in range(400)]
    weeks_ago = [replace(mention(START - n * DAY, "OLD", f"o{n}"), on_time=False) for n in range(1, 29)]
    assert fired(watch([*live, *weeks_ago], START + 2 * DAY).notices) == []
    known_then = [replace(each, on_time=True) for each in weeks_ago]
    assert fired(watch([*live, *known_then], START + 2 * DAY).notices), "with a quiet month before, it is a burst"


def test_the_market_s_budget_is_shared_by_the_rules_of_a_symbol() -> None:
    def budget(*rules: Rule) -> float:
        monitor = Monitor(RuleSet(rules, market_false_alerts_per_year=0.3), HISTORY)
        monitor.add(chatter(5, 3))
        monitor.advance(START + 5 * DAY)
        return monitor._budget("ACME", rules[0], bin_of(START + 5 * DAY))

    plenty = Rule("a", false_alerts_per_symbol_year=9.0)
    assert budget(plenty) == pytest.approx(0.3)
    assert budget(plenty, replace(plenty, name="b")) == pytest.approx(0.15)
    assert budget(plenty, Rule("c", at_least=50)) == pytest.approx(0.3)
