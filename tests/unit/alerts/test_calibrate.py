"""A history from which everything real was taken away, and the alerts that it brings."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest import Period
from alerts.calibrate import FACTORS, Keep, Realised, calibrate, find_distinct, shuffle, table
from alerts.monitor import Monitor
from alerts.rules import Rule, RuleSet
from bearometer.alert import Measure
from bearometer.mention import SeenMention
from bearometer.post import MARKET, topic_key

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
PERIOD = Period(START, START + 20 * DAY)
CRASH = START + 12 * DAY + 3 * HOUR
EAGER = Rule("eager", false_alerts_per_symbol_year=0.5)


def mention(at: datetime, symbol: str = "ACME", *, negative: bool = True, author: str | None = None) -> SeenMention:
    post = f"{symbol} {at.isoformat()}"
    return SeenMention(symbol, post, at, post, author or post, "test", negative)


def chatter(symbol: str, per_day: float, seed: int, hours: float = 24) -> list[SeenMention]:
    source = random.Random(f"{symbol} {seed}")
    return [
        mention(START + source.randrange(20) * DAY + hours * HOUR * source.random(), symbol, negative=n % 3 == 0)
        for n in range(round(20 * per_day))
    ]


def crash(posts: int = 30) -> list[SeenMention]:
    return [mention(CRASH + n * MINUTE) for n in range(posts)]


spans = st.integers(2 * 86_400, 30 * 86_400)
moments = st.lists(st.tuples(st.floats(0, 0.9999), st.sampled_from("AB"), st.booleans()), max_size=30)


@settings(max_examples=25)
@given(spans, moments, st.sampled_from(Keep), st.integers(0, 99))
def test_a_shuffle_keeps_symbols_sentiments_and_times_of_day_and_stays_in_the_period(
    seconds: int, told: list[tuple[float, str, bool]], keep: Keep, seed: int
) -> None:
    period = Period(START, START + timedelta(seconds=seconds))
    mentions = [
        replace(mention(START + timedelta(seconds=int(part * seconds)), symbol, negative=bad), post_id=f"{number}")
        for number, (part, symbol, bad) in enumerate(told)
    ]
    moved = shuffle(mentions, period, seed, keep)

    def kept(each: SeenMention) -> tuple[str, str, bool, timedelta]:
        return each.post_id, each.symbol, each.negative, (each.published_at - START) % DAY

    assert sorted(map(kept, moved)) == sorted(map(kept, mentions))
    assert all(period.start <= each.published_at < period.end for each in moved)
    assert len(find_distinct(moved)) == len(moved)


def test_a_shuffle_is_the_same_for_the_same_seed_whatever_the_order_of_the_history() -> None:
    mentions = chatter("ACME", 3, 1) + chatter("BOLT", 1, 1)
    mixed = random.Random(1).sample(mentions, len(mentions))
    shuffled = shuffle(find_distinct(mentions), PERIOD, 7)
    assert shuffle(find_distinct(mixed), PERIOD, 7) == shuffled
    assert shuffle(find_distinct(mentions), PERIOD, 8) != shuffled


def test_what_is_repeated_is_left_out_before_the_days_are_drawn() -> None:
    flood = [mention(CRASH + n * MINUTE, author="one") for n in range(50)]
    echo = [replace(mention(CRASH + n * MINUTE, "BOLT"), story="same") for n in range(50)]
    assert Counter(each.symbol for each in find_distinct(flood + echo)) == {"ACME": 1, "BOLT": 1}
    assert len(find_distinct(crash() + crash())) == 30


@pytest.mark.parametrize("keep", Keep)
def test_a_burst_is_gone_after_the_shuffle(keep: Keep) -> None:
    mentions = chatter("ACME", 1, 1) + crash() + [m for n in range(30) for m in chatter(f"S{n}", 2, 1)]
    monitor = Monitor(RuleSet((EAGER,)), 30)
    monitor.add(mentions)
    assert "ACME" in {notice.alert.symbol for notice in monitor.advance(PERIOD.end).notices}
    moved = [each for each in shuffle(find_distinct(mentions), PERIOD, 1, keep) if each.symbol == "ACME"]
    days = Counter((each.published_at - START) // DAY for each in moved)
    assert len(moved) == 50
    assert max(days.values()) <= 9
    assert len(days) >= 15


def test_busy_days_of_the_others_stay_busy_where_that_is_asked_for() -> None:
    told = [mention(START + day * DAY + n * MINUTE, f"S{n % 40}") for day in (3, 10) for n in range(400)]
    told += chatter("LONE", 5, 1)

    def on_busy_days(keep: Keep) -> int:
        moved = shuffle(told, PERIOD, 1, keep)
        return sum(each.symbol == "LONE" and (each.published_at - START) // DAY in {3, 10} for each in moved)

    assert on_busy_days(Keep.HOURS) <= 20
    assert on_busy_days(Keep.DAYS) >= 90


def test_the_alerts_of_a_rule_are_counted_by_its_budget_and_by_all_of_it() -> None:
    mentions = [m for n in range(12) for m in chatter(f"S{n}", 3, 2)] + crash()
    share = replace(EAGER, name="share", measure=Measure.SHARE, symbols=("ACME",))
    plain_threshold = Rule("threshold", at_least=5)
    nothing = replace(EAGER, name="nothing", symbols=("NONE",))
    shares: list[float] = []
    found = calibrate(
        RuleSet((EAGER, plain_threshold, share, nothing)), 30, mentions, PERIOD, shuffles=2, on_progress=shares.append
    )
    assert [(each.rule.name, each.names) for each in found] == [("eager", 13), ("share", 1), ("nothing", 0)]
    eager = found[0].budgets
    assert [row.budget for row in eager] == [0.5 * factor for factor in FACTORS]
    assert eager[0].symbol_years == pytest.approx(2 * 13 * 17 / 365.25)
    assert all(row.found_by_rule <= row.found for row in eager)
    assert [row.found for row in eager] == sorted(row.found for row in eager)
    assert eager[-1].found > 5
    assert (len(shares), shares[-1]) == (40, 1.0)
    assert shares == sorted(shares)
    lines = list(table(found))
    assert lines[0] == "eager (count): 13 watched, 1.2 symbol-years"
    assert lines[-1] == "nothing (count): nobody spoke of what it watches"
    assert len({len(line) for line in lines[1:7]}) == 1


def test_budgets_beyond_one_a_week_are_the_rules_own_or_none() -> None:
    daily = replace(EAGER, name="daily", false_alerts_per_symbol_year=365.0)
    weekly = replace(EAGER, name="weekly", false_alerts_per_symbol_year=5.2)
    found = calibrate(RuleSet((daily, weekly)), 30, chatter("ACME", 1, 1), PERIOD, shuffles=1)
    assert [[row.budget for row in each.budgets] for each in found] == [[365.0], [5.2, 3 * 5.2, 52.0]]


def test_topics_and_the_market_are_calibrated_where_a_rule_watches_them() -> None:
    told = chatter("ACME", 4, 1)
    whole = [replace(each, symbol=key) for each in told for key in (MARKET, topic_key("Earnings"))]
    market = replace(EAGER, symbols=("market", "#*"))
    [found] = calibrate(RuleSet((market,)), 30, told + whole, PERIOD, shuffles=1)
    assert found.names == 2


def test_what_lies_outside_of_the_period_is_left_out() -> None:
    outside = [mention(START - MINUTE, "EARLY"), mention(PERIOD.end, "LATE")]
    [found] = calibrate(RuleSet((EAGER,)), 30, [*outside, *chatter("ACME", 1, 1)], PERIOD, shuffles=1)
    assert found.names == 1


def test_a_promise_is_kept_where_chance_can_excuse_what_was_found() -> None:
    row = Realised(budget=0.5, symbol_years=20.0, found=12, found_by_rule=1)
    assert row.expected == 10
    assert row.interval == pytest.approx((0.31, 1.05), abs=0.01)
    assert row.is_kept
    assert not replace(row, found=40).is_kept
    assert not replace(row, found=0).is_kept
