from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rules import Rule, RuleSet, default_rules
from bearometer.post import MARKET, is_symbol
from bearometer.settings import AlertSettings

PATTERNS = st.sampled_from(["*", "WMT", "W*", "?MT", "[A-M]*", "market", "#*", "#Earnings", "#E*", "A"])
KEYS = st.sampled_from(["WMT", "A", "AMT", "MARKET", MARKET, "#Earnings", "#Macro"])


@given(st.lists(PATTERNS).map(tuple), st.lists(PATTERNS).map(tuple), KEYS)
def test_a_rule_covers_what_one_of_its_patterns_matches_and_none_that_excludes(
    symbols: tuple[str, ...], exclude: tuple[str, ...], key: str
) -> None:
    name = "market" if key == MARKET else key
    watched = any(fnmatchcase(name, each) for each in symbols if is_symbol(key) or each != "*")
    excluded = any(fnmatchcase(name, each) for each in exclude)
    assert Rule("r", symbols=symbols, exclude=exclude).covers(key) == (watched and not excluded)


@pytest.mark.parametrize(("key", "covered"), [("WMT", True), ("MARKET", True), (MARKET, False), ("#Earnings", False)])
def test_without_a_word_on_what_it_watches_a_rule_watches_every_symbol_and_nothing_else(
    key: str, covered: bool
) -> None:
    assert Rule("r").covers(key) == covered


def test_the_rules_of_a_symbol_come_in_their_order() -> None:
    rules = RuleSet((Rule("b"), Rule("c", symbols=("TGT",)), Rule("a", symbols=("W*",))))
    assert [rule.name for rule in rules.for_symbol("WMT")] == ["b", "a"]


def test_the_default_rule_has_the_numbers_of_the_settings() -> None:
    settings = AlertSettings(
        false_alerts_per_symbol_year=1,
        min_posts=7,
        min_authors=2,
        pending_seconds=1,
        clear_factor=3,
        cooldown_seconds=4,
    )
    (rule,) = default_rules(settings).rules
    assert (rule.name, rule.false_alerts_per_symbol_year, rule.min_posts, rule.min_authors) == (
        "negative-spike",
        1,
        7,
        2,
    )
    assert (rule.pending_seconds, rule.clear_factor, rule.clear_seconds, rule.cooldown_seconds) == (1, 3, 3600, 4)
