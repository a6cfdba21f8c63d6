"""`bearometer rules check | show | example` as a person runs them, and what docs/rules.md says of the file."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from alerts.rule_file import check_rules, read_rules
from alerts.rule_keys import FILE_KEYS, MARKET_KEYS, QUIET_KEYS, RULE_KEYS, SUPPLY_KEYS
from alerts.rules import default_rules
from bearometer.commands.rules import register
from bearometer.errors import Failed, Misconfigured
from bearometer.settings import AlertSettings

DOCS = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
SETTINGS = AlertSettings()
TABLES = re.findall(r"\| key \| default \| meaning \|\n\| --- \| --- \| --- \|\n((?:\|.*\n)+)", DOCS)
ROWS = [[re.findall(r"^\| `(\w+)` \| (.*?) \| ", row)[0] for row in table.splitlines()] for table in TABLES]
WHERE = {
    "rule": [*ROWS[0], *ROWS[1], *ROWS[2]],
    "quiet_hours": ROWS[3],
    "market": ROWS[4],
    "supply": ROWS[5],
}


def run(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["rules", *arguments])


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("rules.toml")


def test_without_a_file_the_default_rule_is_explained() -> None:
    said = run("check").stdout.splitlines()
    assert said[0] == "no rules file is set (alerts.rules): there is one rule, made of the settings"
    assert said[1].startswith("negative-spike: distinct negative mentions of every symbol in 5 min to 24 h; ")
    assert said[2].startswith("all together: at most 12 false alerts a year, shared by ")


def test_a_file_without_mistakes_is_told_in_words(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules.write_text('[[rule]]\nname = "mine"\nsymbols = "WMT"\nroutes = "slack"\n')
    monkeypatch.setenv("BEAROMETER_ALERTS__CONSOLE", "true")
    done = run("check", "rules.toml")
    assert done.exit_code == 0
    warning, rule, together, *supply = done.stdout.splitlines()
    assert warning.startswith('rules.toml:4: warning: `routes` has "slack"; no configured route is such')
    assert rule.startswith("mine: distinct negative mentions of WMT")
    assert together.startswith("all together: ")
    assert [line.partition(":")[0] for line in supply] == ["no-data", "failing", "lag"]


def test_mistakes_are_lines_and_exit_code_1(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules.write_text('[[rule]]\nname = "mine"\npendng = 1\nmin_posts = 0\n')
    monkeypatch.setenv("BEAROMETER_ALERTS__RULES", "rules.toml")
    done = run("check")
    assert done.stdout.splitlines() == [
        "rules.toml:3: `pendng` is unknown; did you mean `pending`?",
        "rules.toml:4: `min_posts` is 0; it must be a whole number from 1 to 1,000,000",
        "note: no route is configured here, so it was not looked at who is told",
    ]
    assert isinstance(done.exception, Failed)
    assert str(done.exception) == "rules.toml has 2 mistakes"


def test_a_file_that_is_not_there_is_a_wrong_setting() -> None:
    assert isinstance(run("check", "no.toml").exception, Misconfigured)


def test_the_rules_of_a_symbol_a_topic_and_the_market_are_shown(rules: Path) -> None:
    rules.write_text('[[rule]]\nname = "a"\nsymbols = "W*"\n[[rule]]\nname = "b"\ntopics = "Macro"\nmarket = true\n')
    assert run("show", "wmt", "--rules", "rules.toml").stdout.startswith("a: distinct negative mentions of WMT in ")
    assert run("show", "#macro", "--rules", "rules.toml").stdout.startswith(
        "b: distinct negative mentions of the topic "
    )
    assert run("show", "market", "--rules", "rules.toml").stdout.startswith(
        "b: distinct negative mentions of all posts "
    )
    assert run("show", "TGT", "--rules", "rules.toml").stdout == "no rule watches TGT\n"
    assert run("show", "TGT").stdout.startswith("negative-spike: ")


@pytest.mark.parametrize(("symbol", "said"), [("W MT", "a ticker symbol"), ("#Macros", 'the nearest is "Macro"')])
def test_what_is_no_symbol_is_one_line(symbol: str, said: str) -> None:
    error = run("show", symbol).exception
    assert isinstance(error, Misconfigured)
    assert said in str(error)


def test_the_example_is_valid_and_changes_nothing(rules: Path) -> None:
    rules.write_text(run("example").stdout)
    checked = check_rules(rules, SETTINGS)
    assert checked.problems == ()
    assert checked.rules == default_rules(SETTINGS)


def test_the_example_is_valid_without_its_comment_marks_too(rules: Path) -> None:
    rules.write_text(re.sub(r"^#(?=\S)", "", run("example").stdout, flags=re.MULTILINE))
    Path("watched.txt").write_text("WMT\n")
    checked = check_rules(rules, SETTINGS, ["slack", "email:risk@example.com"])
    assert checked.problems == ()
    assert checked.rules is not None
    names = [rule.name for rule in checked.rules.rules]
    assert names == ["negative-spike", "portfolio", "retail-mood", "attention", "market", "much-talk"]
    assert [rule.name for rule in checked.rules.supply] == ["no-data", "failing", "lag", "no-filings"]


@pytest.mark.parametrize(
    ("table", "keys"),
    [("rule", RULE_KEYS), ("quiet_hours", QUIET_KEYS), ("market", MARKET_KEYS), ("supply", SUPPLY_KEYS)],
)
def test_the_reference_lists_every_key_once(table: str, keys: dict[str, object]) -> None:
    assert sorted(name for name, _ in WHERE[table]) == sorted(keys)


def test_the_reference_has_a_section_for_every_table() -> None:
    headings = " ".join(re.findall(r"^## (.*)$", DOCS, re.MULTILINE))
    assert all(f"[{key}]" in headings for key in FILE_KEYS)


def test_the_defaults_in_the_reference_are_the_defaults(rules: Path) -> None:
    """Those of a rule and of the market, written into a file, change nothing."""
    said = {
        table: "".join(f"{name} = {default[1:-1]}\n" for name, default in rows if default.startswith("`"))
        for table, rows in WHERE.items()
    }
    rules.write_text(f"[market]\n{said['market']}[[rule]]\nname = 'negative-spike'\n{said['rule']}")
    assert read_rules(rules, SETTINGS) == default_rules(SETTINGS)
    times = "[[quiet_hours]]\nname = 'n'\nstart = '22:00'\nend = '07:00'\n"
    uses = "[defaults]\nquiet_hours = 'n'\n"
    rules.write_text(f"{times}{said['quiet_hours']}{uses}")
    written = read_rules(rules, SETTINGS)
    rules.write_text(f"{times}{uses}")
    assert written == read_rules(rules, SETTINGS)


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL))
def test_every_example_in_the_reference_is_valid(rules: Path, example: str) -> None:
    rules.write_text(example)
    Path("watched.txt").write_text("WMT\n")
    assert check_rules(rules, SETTINGS, ["slack", "email:a@example.com"]).problems == ()
