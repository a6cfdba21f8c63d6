"""`[[supply]]` in the rules file, and its rules in words."""

from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from alerts.rule_file import check_rules, read_rules
from alerts.rule_keys import SUPPLY_KEYS
from alerts.rule_words import describe_rule
from alerts.rules import SUPPLY, QuietHours, Rule, RuleSet, default_rules
from bearometer.alert import Measure, Severity
from bearometer.settings import AlertSettings

SETTINGS = AlertSettings()
NO_DATA = SUPPLY[Measure.NO_DATA]
NIGHT = '[[quiet_hours]]\nname = "night"\nstart = "22:00"\nend = "07:00"\n'
HOURS = QuietHours(time(22), time(7))


def read(folder: Path, content: str, settings: AlertSettings = SETTINGS) -> RuleSet:
    path = folder / "rules.toml"
    path.write_text(content, encoding="utf-8")
    return read_rules(path, settings)


def read_rule(folder: Path, content: str) -> Rule:
    (rule,) = read(folder, f'[[supply]]\nkind = "no-data"\n{content}').supply
    return rule


EVERY_KEY = [
    ('kind = "Failing"', "measure", Measure.FAILING),
    ('name = "quiet"', "name", "quiet"),
    ('sources = ["feeds", "news-*"]', "symbols", ("!feeds", "!news-*")),
    ('sources = "feeds"', "symbols", ("!feeds",)),
    ('exclude = "x"', "exclude", ("!x",)),
    ('after = "1h30m"', "at_least", 5400),
    ('pending = "10m"', "pending_seconds", 600),
    ('clear_after = "10m"', "clear_seconds", 600),
    ('cooldown = "2d"', "cooldown_seconds", 172_800),
    ('repeat = "4h"', "repeat_seconds", 14_400),
    ('severity = "critical"', "severity", Severity.CRITICAL),
    ('routes = "slack"', "routes", ("slack",)),
    ('quiet_hours = "night"', "quiet_hours", (HOURS,)),
    ('inhibits = ["*", "W*"]', "inhibits", ("*", "W*")),
    ('inhibits_lists = "mine"', "inhibits", ("WMT",)),
    ('inhibits_sectors = "retail"\ninhibits_topics = "Macro"', "inhibits", ("TGT", "#Macro")),
]


@pytest.mark.parametrize(("said", "field", "value"), EVERY_KEY)
def test_every_key_means_what_it_says(tmp_path: Path, said: str, field: str, value: object) -> None:
    groups = f'{NIGHT}[lists]\nmine = ["WMT"]\n[sectors]\nretail = ["TGT"]\n'
    kind = "" if said.startswith("kind") else 'kind = "no-data"\n'
    (rule,) = read(tmp_path, f"[[supply]]\n{kind}{said}\n{groups}").supply
    assert getattr(rule, field) == value
    changed: dict[str, Any] = {
        field: value,
        **({"name": "failing", "cooldown_seconds": 3600, "at_least": 3600} if not kind else {}),
    }
    assert rule == replace(NO_DATA, **changed)


def test_every_key_is_tested() -> None:
    assert {line.partition(" =")[0] for said, _, _ in EVERY_KEY for line in said.split("\n")} == set(SUPPLY_KEYS)


def test_a_file_without_these_tables_has_the_default_ones(tmp_path: Path) -> None:
    assert read(tmp_path, "").supply == tuple(SUPPLY.values()) == default_rules(SETTINGS).supply
    assert [rule.name for rule in read(tmp_path, '[[supply]]\nkind = "lag"\n').supply] == ["lag"]


def test_the_setting_takes_the_default_ones_away_and_not_those_of_a_file(tmp_path: Path) -> None:
    off = AlertSettings(watch_sources=False)
    assert default_rules(off).supply == read(tmp_path, "", off).supply == ()
    assert [rule.name for rule in read(tmp_path, '[[supply]]\nkind = "lag"\n', off).supply] == ["lag"]


def test_routes_and_quiet_hours_come_from_the_defaults_and_nothing_else(tmp_path: Path) -> None:
    content = f'{NIGHT}[defaults]\nroutes = "mail"\nquiet_hours = "night"\nseverity = "info"\ncooldown = "9d"\n'
    for supply in (read(tmp_path, content).supply, read(tmp_path, f'{content}[[supply]]\nkind = "no-data"\n').supply):
        assert supply[0] == replace(NO_DATA, routes=("mail",), quiet_hours=(HOURS,))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[supply]]\n", "1: `kind` is missing"),
        ('[[supply]]\nkind = "silence"\n', '2: `kind` is "silence"; it must be "no-data", "failing" or "lag"'),
        ('[supply]\nkind = "lag"\n', "1: `supply` is a table; it must be written [[supply]], with two brackets"),
        ('[[supply]]\nkind = "lag"\nafter = "5s"\n', '3: `after` is "5s"; it must be a length of time'),
        (
            '[[supply]]\nkind = "no-data"\nsources = ["a b"]\n',
            '3: `sources` has "a b"; each must be the name of a source',
        ),
        (
            '[[supply]]\nkind = "no-data"\nsources = []\n',
            "3: `sources` is an empty list; it must be a list of names of",
        ),
        ('[[supply]]\nkind = "lag"\nsources = "a"\n', "3: `sources` says nothing here: a lag is one of all sources"),
        (
            '[[supply]]\nkind = "lag"\n[[supply]]\nkind = "lag"\n',
            '4: `name` is "lag"; another [[supply]] has it already; without a `name` it is called after its `kind`',
        ),
        (
            '[[supply]]\nkind = "lag"\n[[supply]]\nname = "lag"\nkind = "no-data"\n',
            '4: `name` is "lag"; another [[supply]] has it already',
        ),
        ('[[supply]]\nkind = "lag"\nmin_posts = 1\n', "3: `min_posts` is unknown; it must be one of kind, name,"),
        ('[[supply]]\nkind = "lag"\nquiet_hours = "x"\n', '3: `quiet_hours` has "x"; [[quiet_hours]] has none of that'),
        ('[[supply]]\nkind = "lag"\nroutes = "x"\n', '3: warning: `routes` has "x"; no configured route is such'),
        (
            f'[[supply]]\nkind = "lag"\nquiet_hours = "night"\n{NIGHT}',
            '3: warning: `quiet_hours` has "night", which never hold this rule back: its severity is critical',
        ),
        ('[[rule]]\nname = "lag"\n', '2: `name` is "lag"; a rule on the supply has it already'),
        ('[[rule]]\nname = "r"\nmeasure = "lag"\n', '3: `measure` is "lag"; it must be "count", "share" or "volume"'),
    ],
)
def test_every_mistake_is_named_by_its_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(content)
    [problem] = check_rules(path, SETTINGS, ["slack"]).problems
    assert str(problem).removeprefix(f"{path}:").startswith(said)


def test_quiet_hours_of_the_defaults_are_no_mistake_of_the_critical_default_rule(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f'{NIGHT}[defaults]\nquiet_hours = "night"\n')
    assert check_rules(path, SETTINGS, ["slack"]).problems == ()


def test_the_rules_are_told_in_words() -> None:
    assert describe_rule(NO_DATA) == (
        "no-data: no new post for 1 day (every source by itself); told after 10 min; over as soon as all is well, "
        "and then no new alert for 1 day; warning, told to every route"
    )
    failing = replace(
        SUPPLY[Measure.FAILING],
        symbols=("!feeds", "!news-*"),
        exclude=("!news-x",),
        repeat_seconds=7200,
        inhibits=("*",),
    )
    assert describe_rule(failing).startswith(
        "failing: trouble for 1 h (source feeds and source news-* but not source news-x); told after 10 min, "
        "and every 2 h until somebody acknowledges it; "
    )
    assert "; while it fires nothing is said of anything else; " in describe_rule(failing)
    assert describe_rule(SUPPLY[Measure.LAG]) == (
        "lag: what is evaluated is 15 min behind the clock; told after 5 min; over when all has been well for 5 min, "
        "and then no new alert for 1 h; critical, told to every route"
    )
