import math
from dataclasses import fields, replace
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.rule_file import check_rules, load_rules, read_rules
from alerts.rule_keys import MARKET_KEYS, QUIET_KEYS, RULE_KEYS
from alerts.rules import QuietHours, Rule, RuleSet, default_rules
from bearometer.alert import Measure, Severity
from bearometer.errors import Misconfigured
from bearometer.settings import AlertSettings
from bearometer.topics import TOPICS

SETTINGS = AlertSettings()
RULE = '[[rule]]\nname = "r"\n'
NIGHT = '[[quiet_hours]]\nname = "night"\nstart = "22:00"\nend = "07:00"\n'
reuses_its_folder = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def read(folder: Path, content: str) -> RuleSet:
    path = folder / "rules.toml"
    path.write_text(content, encoding="utf-8")
    return read_rules(path, SETTINGS)


def read_rule(folder: Path, content: str) -> Rule:
    (rule,) = read(folder, f"{RULE}{content}").rules
    return rule


def problems(folder: Path, content: str, routes: tuple[str, ...] = ()) -> list[str]:
    path = folder / "rules.toml"
    path.write_text(content, encoding="utf-8")
    return [str(each).removeprefix(f"{folder}/") for each in check_rules(path, SETTINGS, routes).problems]


def test_without_a_file_there_are_the_default_rules() -> None:
    assert load_rules(SETTINGS) == default_rules(SETTINGS)


def test_the_file_of_the_settings_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE)
    assert [rule.name for rule in load_rules(AlertSettings(rules=path)).rules] == ["r"]


def test_an_empty_file_leaves_everything_as_it_is(tmp_path: Path) -> None:
    assert read(tmp_path, "") == default_rules(SETTINGS)
    assert read(tmp_path, "\ufeff# nothing\r\n") == default_rules(SETTINGS)


def test_what_a_rule_does_not_say_is_as_the_defaults_and_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f'{RULE}min_posts = 9\n[defaults]\nmin_authors = 8\nmin_posts = 7\nseverity = "info"\n')
    (rule,) = read_rules(path, AlertSettings(min_authors=6, cooldown_seconds=5)).rules
    assert (rule.min_posts, rule.min_authors, rule.severity, rule.cooldown_seconds) == (9, 8, Severity.INFO, 5)


def test_defaults_without_a_rule_change_the_default_one(tmp_path: Path) -> None:
    (rule,) = read(tmp_path, '[defaults]\nroutes = "slack"\n').rules
    assert rule == replace(default_rules(SETTINGS).rules[0], routes=("slack",))


@pytest.mark.parametrize(
    ("said", "field", "value"),
    [
        ('measure = "share"', "measure", Measure.SHARE),
        ('scales = ["24h", "1h"]', "scales", ("1h", "24h")),
        ("false_alerts_per_symbol_year = 2", "false_alerts_per_symbol_year", 2.0),
        ("at_least = 100", "at_least", 100.0),
        ("min_posts = 1", "min_posts", 1),
        ("min_authors = 1", "min_authors", 1),
        ("min_sources = 2", "min_sources", 2),
        ('pending = "90s"', "pending_seconds", 90),
        ("pending = 90", "pending_seconds", 90),
        ('pending = "1h 30min"', "pending_seconds", 5400),
        ('pending = "0.5h"', "pending_seconds", 1800),
        ("clear_factor = 3", "clear_factor", 3.0),
        ('clear_after = "2h"', "clear_seconds", 7200),
        ('cooldown = "2d"', "cooldown_seconds", 172_800),
        ("escalate_factor = 10", "escalate_factor", 10.0),
        ('escalate_factor = "never"', "escalate_factor", math.inf),
        ('repeat = "1w"', "repeat_seconds", 604_800),
        ('repeat = "never"', "repeat_seconds", None),
        ('severity = "critical"', "severity", Severity.CRITICAL),
        ('routes = ["slack", "email:*"]', "routes", ("slack", "email:*")),
        ('symbols = ["$wmt", "WMT", "BRK.*", "*"]', "symbols", ("WMT", "BRK.*", "*")),
        ('symbols = "WMT"', "symbols", ("WMT",)),
        ('lists = ["mine", "more"]', "symbols", ("WMT", "TGT", "COST")),
        ('sectors = "retail"\nsymbols = ["X"]', "symbols", ("X", "WMT", "COST")),
        ('topics = ["earnings", "Macro"]', "symbols", ("#Earnings", "#Macro")),
        ('topics = "*"\nmarket = true', "symbols", ("#*", "market")),
        ('exclude = "X*"\nexclude_lists = "mine"\nexclude_topics = "Macro"', "exclude", ("X*", "WMT", "TGT", "#Macro")),
        ('exclude_sectors = "retail"', "exclude", ("WMT", "COST")),
        ('inhibits = "*"\ninhibits_lists = "mine"', "inhibits", ("*", "WMT", "TGT")),
        ('inhibits_sectors = "retail"\ninhibits_topics = "Macro"', "inhibits", ("WMT", "COST", "#Macro")),
        ('quiet_hours = ["night"]', "quiet_hours", (QuietHours(time(22), time(7)),)),
    ],
)
def test_every_key_means_what_it_says(tmp_path: Path, said: str, field: str, value: object) -> None:
    (tmp_path / "more.txt").write_text("# more\n\ntgt # Target\n  COST  \r\n")
    groups = f'[lists]\nmine = ["WMT", "TGT"]\nmore = "more.txt"\n[sectors]\nretail = ["WMT", "COST"]\n{NIGHT}'
    rule = read_rule(tmp_path, f"{said}\n{groups}")
    assert getattr(rule, field) == value
    assert type(getattr(rule, field)) is type(value)


def test_every_field_of_a_rule_can_be_said() -> None:
    tested = test_every_key_means_what_it_says.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {field for _, field, _ in tested} == {each.name for each in fields(Rule) if each.init} - {"name"}
    assert {line.partition(" =")[0] for said, _, _ in tested for line in said.split("\n")} == set(RULE_KEYS) - {"name"}


def test_quiet_hours_and_the_market_mean_what_they_say(tmp_path: Path) -> None:
    hours = (
        'name = "q"\nstart = 18:30:00\nend = "24:00"\nzone = "Asia/Tokyo"\ndays = ["sun", "Monday"]\nunless = "never"'
    )
    market = 'false_alerts_per_year = "none"\ngroup_at = 3\nroute_cap_per_hour = 4'
    content = f"[[quiet_hours]]\n{hours}\n[market]\n{market}\n[defaults]\nquiet_hours = 'q'\n"
    rules = read(tmp_path, content)
    assert rules.rules[0].quiet_hours == (QuietHours(time(18, 30), time(0), "Asia/Tokyo", (0, 6), None),)
    assert (rules.market_false_alerts_per_year, rules.group_at, rules.route_cap_per_hour) == (None, 3, 4)
    assert all(f"{key} = " in content for key in (*QUIET_KEYS, *MARKET_KEYS))


def test_a_rule_that_says_what_it_watches_takes_nothing_of_that_from_the_defaults(tmp_path: Path) -> None:
    defaults = '[defaults]\nsymbols = "WMT"\nmarket = true\nexclude = "X"\nat_least = 10\n'
    assert read_rule(tmp_path, defaults).symbols == ("WMT", "market")
    own = read_rule(tmp_path, f'topics = "Macro"\nfalse_alerts_per_symbol_year = 1\n{defaults}')
    assert (own.symbols, own.exclude, own.at_least, own.false_alerts_per_symbol_year) == (("#Macro",), ("X",), None, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a = 1\n" + RULE, "rules.toml:1: `a` is unknown; it must be one of defaults, market, lists"),
        ("[rules]\n", "rules.toml:1: `rules` is unknown; did you mean `rule`?"),
        ('[rule]\nname = "r"\n', "rules.toml:1: `rule` is a table; it must be written [[rule]], with two brackets"),
        ("rule = []\n", "rules.toml:1: `rule` is an empty list; it must be written [[rule]]"),
        ("rule = [1]\n", "rules.toml:1: `rule` is 1; it must be a table"),
        ("[[rule]]\n", "rules.toml:1: `name` is missing"),
        ('[[rule]]\nname = "a b"\n', 'rules.toml:2: `name` is "a b"; it must be a name of letters, digits'),
        (f"{RULE}\n{RULE}", 'rules.toml:5: `name` is "r"; the rule on line 2 has it already'),
        (f"{RULE}pendng = 1\n", "rules.toml:3: `pendng` is unknown; did you mean `pending`?"),
        (f"{RULE}clear_seconds = 1\n", "rules.toml:3: `clear_seconds` is unknown; did you mean `clear_after`?"),
        (f"{RULE}zzz.b = 1\n", "rules.toml:3: `zzz` is unknown; it must be one of name, measure"),
        (f"{RULE}measure = 1\n", 'rules.toml:3: `measure` is 1; it must be "count", "share" or "volume"'),
        (
            f"{RULE}scales = [\n'1h',\n'2h']\n",
            'rules.toml:5: `scales` has "2h"; each must be "5m", "1h", "6h" or "24h"',
        ),
        (f"{RULE}scales = []\n", "rules.toml:3: `scales` is an empty list; it must be a list of lengths of window"),
        (f"{RULE}symbols = ['W MT']\n", 'rules.toml:3: `symbols` has "W MT"; each must be a ticker symbol'),
        (f"{RULE}symbols = 'a*b c'\n", 'rules.toml:3: `symbols` is "a*b c"; it must be a ticker symbol'),
        (f"{RULE}symbols = '[AB'\n", 'rules.toml:3: `symbols` is "[AB"; it must be a ticker symbol'),
        (f"{RULE}symbols = '#Macro'\n", 'rules.toml:3: `symbols` is "#Macro"; it must be a ticker symbol'),
        (f"{RULE}symbols = 'market'\n", "topics and market have keys of their own"),
        (f"{RULE}symbols = {{}}\n", "rules.toml:3: `symbols` is an empty table; it must be a list of ticker symbols"),
        (
            f"{RULE}topics = ['Earning']\n",
            'rules.toml:3: `topics` has "Earning"; each must be a topic; the nearest is "E',
        ),
        (
            f"{RULE}topics = 'qqqq'\n",
            f'rules.toml:3: `topics` is "qqqq"; it must be a topic, or "*" for every one: {TOPICS[0]}',
        ),
        (f"{RULE}market = 1\n", "rules.toml:3: `market` is 1; it must be true or false"),
        (f"{RULE}min_posts = 0\n", "rules.toml:3: `min_posts` is 0; it must be a whole number from 1 to 1,000,000"),
        (f"{RULE}min_posts = true\n", "rules.toml:3: `min_posts` is true; it must be a whole number"),
        (
            f"{RULE}min_posts = 0x{'f' * 5000}\n",
            "rules.toml:3: `min_posts` is a number of more than 30 digits; it must",
        ),
        (f"{RULE}at_least = 0x{'f' * 5000}\n", "rules.toml:3: `at_least` is a number of more than 30 digits; it must"),
        (f"{RULE}at_least = 0\n", "rules.toml:3: `at_least` is 0; it must be a finite number above 0"),
        (f"{RULE}at_least = nan\n", "rules.toml:3: `at_least` is nan; it must be a finite number above 0"),
        (f"{RULE}at_least = inf\n", "rules.toml:3: `at_least` is inf; it must be a finite number above 0"),
        (
            f"{RULE}measure = 'share'\nat_least = 60\n",
            "rules.toml:4: `at_least` is 60; it must be a share, above 0 and 1",
        ),
        (f"[defaults]\nat_least = 60\n{RULE}measure = 'share'\n", "rules.toml:2: `at_least` is 60; it must be a share"),
        (
            f"{RULE}false_alerts_per_symbol_year = 1\nat_least = 9\n",
            "rules.toml:4: `false_alerts_per_symbol_year` and `at_least` are both there; it must be one of them",
        ),
        (f"{RULE}false_alerts_per_symbol_year = 366\n", "it must be a number above 0, 365 at most"),
        (f"{RULE}pending = '2 fortnights'\n", 'rules.toml:3: `pending` is "2 fortnights"; it must be a length of time'),
        (f"{RULE}pending = -1\n", "rules.toml:3: `pending` is -1; it must be a length of time"),
        (f"{RULE}pending = '999d'\n", "a year at most"),
        (f"{RULE}repeat = '10s'\n", '300 seconds or more, or "never"'),
        (f"{RULE}clear_factor = 0.5\n", "rules.toml:3: `clear_factor` is 0.5; it must be a number, 1 or more"),
        (f"{RULE}severity = 'fatal'\n", '`severity` is "fatal"; it must be "info", "warning" or "critical"'),
        (f"{RULE}routes = []\n", "rules.toml:3: `routes` is an empty list; it must be a list of names of routes"),
        (
            f"{RULE}lists = ['mien']\n[lists]\nmine = ['WMT']\n",
            'rules.toml:3: `lists` has "mien"; did you mean "mine"?',
        ),
        (f"{RULE}exclude_sectors = 'x'\n", 'rules.toml:3: `exclude_sectors` has "x"; [sectors] has none of that name'),
        (f"{RULE}quiet_hours = ['nite']\n{NIGHT}", 'rules.toml:3: `quiet_hours` has "nite"; did you mean "night"?'),
        (f"lists = 1\n{RULE}", "rules.toml:1: `lists` is 1; it must be a table: [lists]"),
        ("[lists]\n'my list' = []\n", 'rules.toml:2: `lists` has "my list"; each must be a name of letters'),
        (
            "[lists]\na = [\n'WMT', # 'X',\n\n'W MT']\n",
            'rules.toml:5: `lists.a` has "W MT"; each must be a ticker symbol',
        ),
        (
            "[lists]\na = 'no.txt'\n",
            'rules.toml:2: `lists.a` is "no.txt"; it must be a list of ticker symbols, or the name',
        ),
        ("[lists]\na = 'no\\u0000'\n".replace("'", '"'), 'rules.toml:2: `lists.a` is "no"; it must be a list'),
        ("[lists]\na = 1\n", "rules.toml:2: `lists.a` is 1; it must be a list of ticker symbols"),
        ("[lists]\na = [1]\n", "rules.toml:2: `lists.a` has 1; each must be a ticker symbol"),
        ("[[quiet_hours]]\nname = 'n'\nend = '07:00'\n", "rules.toml:1: `start` is missing"),
        (f"{NIGHT}zone = 'Europe/Zuerich'\n", "it must be the name of a time zone; the nearest is Europe/Zurich"),
        (
            f"{NIGHT}zone = '../etc/passwd'\n",
            'rules.toml:5: `zone` is "../etc/passwd"; it must be the name of a time zone',
        ),
        (f"{NIGHT}days = ['mon', 'tomorrow']\n", 'rules.toml:5: `days` has "tomorrow"; each must be "mon", "tue"'),
        (f"{NIGHT}{NIGHT}", 'rules.toml:6: `name` is "night"; other quiet hours have it already'),
        (
            "[[quiet_hours]]\nname = 'n'\nstart = '25:00'\nend = '7'\n",
            'rules.toml:3: `start` is "25:00"; it must be a time',
        ),
        ("[market]\ngroup_at = 1\n", "rules.toml:2: `group_at` is 1; it must be a whole number from 2"),
        ("[market]\nfalse_alerts_per_year = 0\n", 'is 0; it must be a finite number above 0, or "none"'),
        ("market = 1\n", "rules.toml:1: `market` is 1; it must be a table"),
        ("[defaults]\nname = 'x'\n", "rules.toml:2: `name` is unknown"),
        (f"{RULE}symbols = []\n", "rules.toml:1: this rule can never match: nothing is chosen"),
        (f"{RULE}market = false\n", "rules.toml:1: this rule can never match: nothing is chosen"),
        (
            f"{RULE}symbols = ['WMT', 'W*']\nexclude = ['W*']\n",
            "rules.toml:1: this rule can never match: all of it is ex",
        ),
        (f"{RULE}topics = '*'\nexclude = '*'\n", "rules.toml:1: this rule can never match: all of it is excluded"),
        ("a = 1\nb = [\n", "rules.toml:2: this is no TOML: "),
        ("a = 1\n\nb = x # y\nc = 2\n", 'rules.toml:3: this is no TOML: invalid value, in "b = x # y"'),
        ("a = [\n1\n", "rules.toml:2: this is no TOML: "),
        (f"a = 1\nb = {'9' * 5000}\n", "rules.toml:2: this is no TOML: a number of thousands of digits"),
        ("a = " + "[" * 100_000, "rules.toml:1: this is no TOML: too many brackets within brackets"),
        ("a = 1\nb = 1\na = 2\n", "rules.toml:3: `a` is there twice; it was there on line 1"),
        (
            '[rule]\nname = "a"\n[rule]\n',
            "rules.toml:3: `rule` is there twice; it was there on line 1; several are written",
        ),
        (
            f"{RULE}min_posts = 1\nmin_posts = 2\n",
            "rules.toml:4: `rule.min_posts` is there twice; it was there on line 3",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_number_the_key_the_value_and_what_is_allowed(
    tmp_path: Path, content: str, said: str
) -> None:
    found = problems(tmp_path, content)
    assert said in found[0]
    assert not any("\n" in each for each in found)
    with pytest.raises(Misconfigured) as caught:
        read_rules(tmp_path / "rules.toml", SETTINGS)
    assert said in str(caught.value)


def test_all_mistakes_are_told_together_by_line_and_each_once(tmp_path: Path) -> None:
    content = """
[lists]
mine = ["W MT"]
[[rule]]
name = "a"
pending = "soon"
lists = ["mine", "mine", "others"]
[[rule]]
name = "a"
symbols = ["WMT"]
topics = ["Weather report"]
exclude = ["WMT"]
"""
    assert [each.split(":")[1] for each in problems(tmp_path, content)] == ["3", "6", "7", "9", "11"]


def test_of_many_mistakes_the_first_five_stand_in_the_one_line_of_the_worker(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(tmp_path, "".join(f"a{number} = 1\n" for number in range(7)))
    assert str(caught.value).count("is unknown") == 5
    assert str(caught.value).endswith("; and 2 more")


def test_what_is_wrong_in_a_file_of_symbols_is_told_by_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("WMT\n# the rest\nnot a symbol # here\nTGT\n")
    content = f"[lists]\nmine = 'mine.txt'\n{RULE}lists = 'mine'\n"
    assert [each.partition(" must")[0] for each in problems(tmp_path, content)] == ['mine.txt:3: "not a symbol"']


def test_a_rule_that_no_configured_route_takes_is_a_warning(tmp_path: Path) -> None:
    content = f"{RULE}\nroutes = ['slak', 'mail:*']\n"
    assert problems(tmp_path, content, ("slack", "email:a@example.com")) == [
        'rules.toml:4: warning: `routes` has "slak", "mail:*"; no configured route is such, so nobody is told: '
        'there are "email:a@example.com", "slack"'
    ]
    assert read(tmp_path, content).rules[0].routes == ("slak", "mail:*")
    assert problems(tmp_path, f"{RULE}routes = 'sl*'\n", ("slack",)) == []
    assert problems(tmp_path, content) == []


def test_quiet_hours_that_never_hold_a_rule_back_are_a_warning(tmp_path: Path) -> None:
    content = f"{NIGHT}[[rule]]\nname = 'r'\nseverity = 'critical'\nquiet_hours = 'night'\n"
    assert problems(tmp_path, content) == [
        'rules.toml:8: warning: `quiet_hours` has "night", which never hold this rule back: its severity is critical'
    ]
    assert problems(tmp_path, content.replace("end =", "unless = 'never'\nend =")) == []


@pytest.mark.parametrize("content", [b"\xff", b"# \xe4\n"])
def test_a_file_that_is_not_in_utf8_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rules.toml").write_bytes(content)
    with pytest.raises(Misconfigured, match="not in UTF-8"):
        read_rules(tmp_path / "rules.toml", SETTINGS)


def test_what_cannot_be_read_at_all_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        read_rules(tmp_path / "no.toml", SETTINGS)
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_rules(tmp_path, SETTINGS)
    (tmp_path / "long.toml").write_bytes(b"#" * 5_000_000)
    with pytest.raises(Misconfigured, match="more than 4,000,000 bytes"):
        read_rules(tmp_path / "long.toml", SETTINGS)


def test_a_hostile_value_is_shown_without_what_could_move_a_terminal(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, '"\\u001b[2J\\u202e" = "x"\n')
    assert "`[2J` is unknown" in said


VALUES = st.one_of(
    st.sampled_from(
        ["0", "-1", "inf", "nan", "true", "12:00:00", "1979-05-27", "[]", "{}", "[[1]]", "{a = 1}", "0xffffff"]
    ),
    st.sampled_from(
        ['"*"', '"WMT"', '["WMT", 1]', '"mine"', '["night"]', '"1h"', '"share"', '"never"', "'''\n[rule]\n'''"]
    ),
    st.text(max_size=8).map(
        lambda text: "'" + "".join(each for each in text if each.isprintable() and each != "'") + "'"
    ),
)
ALL_KEYS = sorted({*RULE_KEYS, *QUIET_KEYS, *MARKET_KEYS, "mine", "unknown"})
PAIRS = st.tuples(st.sampled_from(ALL_KEYS), VALUES).map(" = ".join)
HEADERS = st.sampled_from(
    ["[[rule]]", "[rule]", "[lists]", "[sectors]", "[[quiet_hours]]", "[market]", "[defaults]", "[[lists]]", "[rule.x]"]
)
FILES = st.lists(st.one_of(PAIRS, PAIRS, HEADERS, st.just("# name = 1")), max_size=12).map("\n".join)


@reuses_its_folder
@given(FILES | st.text(max_size=80) | st.text("[]{}=.,'\"#\n rulenam", max_size=80))
def test_no_text_breaks_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        rules = read_rules(path, SETTINGS)
    except Misconfigured as error:
        assert "\n" not in str(error)
    else:
        assert rules.rules


MISTAKES: list[tuple[str, str]] = [
    ('cooldown = "soon"', "cooldown"),
    ("cooldwn = 1", "cooldwn"),
    ("symbols = [\n\n'W MT']", "symbols"),
    ("'topics' = 7", "topics"),
    ("at_least = '''\nmany\n'''", "at_least"),
]
FILLERS = st.sampled_from(["", "# cooldown = 1", "min_posts = 6", "repeat = '''5m'''", 'scales = [ # "x"\n  "1h",\n]'])


@reuses_its_folder
@given(st.data())
def test_every_mistake_is_told_on_the_line_on_which_it_was_made(tmp_path: Path, data: Any) -> None:
    """Rules with any number of mistakes, each key once a rule, between comments and values over several lines."""
    text, expected = "", []
    for number in range(data.draw(st.integers(1, 4))):
        text += f"\n[[rule]]\nname = 'r{number}'\n"
        fillers = data.draw(st.lists(FILLERS, unique_by=lambda each: each or object(), max_size=4))
        mistakes = data.draw(st.lists(st.sampled_from(MISTAKES), unique=True, max_size=3))
        for said in data.draw(st.permutations([*fillers, *mistakes])):
            statement, key = said if isinstance(said, tuple) else (said, None)
            line = text.count("\n") + 1
            text += f"{statement}\n"
            if key:
                expected.append((line + 2 * (key == "symbols"), key))
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    (tmp_path / "rules.toml").write_bytes(text.replace("\n", newline).encode())
    found = check_rules(tmp_path / "rules.toml", SETTINGS).problems
    assert [(problem.line, problem.text.split("`")[1]) for problem in found] == expected
