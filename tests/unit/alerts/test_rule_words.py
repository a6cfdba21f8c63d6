import math
from datetime import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rule_words import describe_rule, describe_together
from alerts.rules import QuietHours, Rule, RuleSet
from bearometer.alert import Measure, Severity
from bearometer.post import MARKET

RULE = Rule("negative-spike")


def test_a_rule_is_one_line_in_words() -> None:
    assert describe_rule(RULE) == (
        "negative-spike: distinct negative mentions of every symbol in 5 min to 24 h; "
        "at most one false alert per symbol in 5 years; from 5 posts by 3 authors on; "
        "told at once, again when 1,000 times less likely; "
        "over when the odds have been 100 times better for 1 h, and then no new alert for 1 day; "
        "warning, told to every route"
    )


def test_an_explicit_threshold_is_named_in_place_of_the_budget() -> None:
    said = describe_rule(Rule("r", measure=Measure.SHARE, scales=("1h", "24h"), at_least=0.6, symbols=("WMT",)))
    assert said.startswith(
        "r: negative part of the distinct mentions of WMT in 1 h and 24 h; when it reaches 60 %; from 5"
    )
    assert "over when it has been less for 1 h, and" in said
    assert "all distinct mentions of WMT in 5 min; when it reaches 2,000;" in describe_rule(
        Rule("r", measure=Measure.VOLUME, scales=("5m",), at_least=2000, symbols=("WMT",))
    )


@pytest.mark.parametrize(
    ("symbols", "exclude", "said"),
    [
        (("market",), (), "of all posts together in"),
        (("#Earnings", "#*", "BRK.*"), (), "of the topic Earnings, every topic and symbols like BRK.* in"),
        (("A", "B", "C", "D"), (), "of A, B, C and D in"),
        (tuple("ABCDEFG"), (), "of A, B, C and 4 more in"),
        (("*",), ("WMT", "TGT"), "of every symbol but not WMT and TGT in"),
    ],
)
def test_what_it_watches_is_named(symbols: tuple[str, ...], exclude: tuple[str, ...], said: str) -> None:
    assert said in describe_rule(Rule("r", symbols=symbols, exclude=exclude))


def test_for_one_symbol_only_this_one_is_named() -> None:
    assert "mentions of WMT in" in describe_rule(RULE, "WMT")
    assert "mentions of the topic Macro in" in describe_rule(RULE, "#Macro")
    assert "mentions of all posts together in" in describe_rule(RULE, MARKET)


def test_when_and_to_whom_it_is_told_is_named() -> None:
    rule = Rule(
        "r",
        min_posts=1,
        min_authors=1,
        min_sources=2,
        pending_seconds=5490,
        escalate_factor=math.inf,
        repeat_seconds=7200,
        severity=Severity.INFO,
        routes=("slack", "email:*"),
        inhibits=("WMT",),
        quiet_hours=(
            QuietHours(time(22), time(7), "Europe/Zurich", (0, 1, 2, 3, 4)),
            QuietHours(time(0), time(0), days=(5, 6), unless=None),
        ),
    )
    assert describe_rule(rule).partition("; from ")[2] == (
        "1 post by 1 author on in 2 sources; "
        "told after 1 h 31 min 30 s, and every 2 h until somebody acknowledges it; "
        "over when the odds have been 100 times better for 1 h, and then no new alert for 1 day; "
        "waits from 22:00 to 07:00 Europe/Zurich from Monday to Friday unless critical; "
        "waits from 00:00 to 00:00 UTC on Saturday and Sunday; "
        "while it fires nothing is said of WMT; info, told to slack and email:*"
    )


def test_what_holds_for_all_together_is_one_line() -> None:
    assert describe_together(RuleSet((RULE,))) == (
        "all together: at most 12 false alerts a year, shared by the symbols and by the rules of each; "
        "5 new alerts at once are one message; at most 20 messages an hour to each route"
    )
    assert "rules of each, and as many for each topic or for all posts together; " in describe_together(
        RuleSet((RULE, Rule("market", symbols=("market",))))
    )
    assert "any number of false alerts a year" in describe_together(RuleSet((RULE,), market_false_alerts_per_year=None))


@settings(deadline=None)
@given(
    st.builds(
        Rule,
        name=st.text(),
        measure=st.sampled_from(Measure),
        symbols=st.lists(st.text(), max_size=6).map(tuple),
        at_least=st.none() | st.floats(1e-9, 1e12),
        false_alerts_per_symbol_year=st.floats(1e-9, 365),
        pending_seconds=st.integers(0, 10**8),
        routes=st.lists(st.text(), max_size=3).map(tuple),
    )
)
def test_no_rule_breaks_it(rule: Rule) -> None:
    assert len(describe_rule(rule).splitlines()) == 1
