"""`bearometer stories`, as a person runs it."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from bearometer.cli import build_cli
from bearometer.errors import Failed, Misconfigured, Unavailable
from bearometer.mention import Scored, Unscored
from storage.posts import PostStore
from tests.stored_samples import CALM, GOOD, NOON, scored

LOST, WON, PUSHED = "1a2b3c4d5e6f7081", "00112233445566aa", "ffeeddccbbaa9988"
DAY = ("--from", "2024-03-31", "--to", "2024-04-01")


@dataclass(frozen=True)
class Output:
    stdout: str
    stderr: str


Run = Callable[..., Output]


@pytest.fixture
def run(database_url: str) -> Run:
    def run(*arguments: str) -> Output:
        environment = {"BEAROMETER_POSTGRES__URL": database_url}
        result = CliRunner(env=environment).invoke(build_cli(), ["stories", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return Output(result.stdout, result.stderr)

    return run


@pytest.fixture
def told(engine: Engine) -> None:
    """Two stories and one of spam, within an hour; the day before, an older text and a post that was not scored."""
    lost = "ACME lost\u202e a customer\x1b[31m"
    posts: list[Scored | Unscored] = [
        replace(scored("1", text=lost, fingerprint="f1", author="ann"), story=LOST),
        replace(scored("2", text=lost, fingerprint="f1", author="bob", published_at=_at(10)), story=LOST),
        replace(scored("3", text="=ACME loses customers", fingerprint="f2", author=None), story=LOST),
        replace(
            scored("4", text="ACME wins", symbols=("ACME", "ZETA"), sentiment=GOOD, published_at=_at(30)), story=WON
        ),
        replace(
            scored("5", text="join us", published_at=_at(5), author="\x1beve"),
            story=LOST,
            spam=('promotion: "join us"', "rate: about 80 posts in an hour by one author"),
        ),
        replace(scored("6", text="buy", published_at=_at(6), author="eve"), story=PUSHED, spam=("promotion: buy",)),
        scored("old", text="ACME calm", sentiment=CALM, fingerprint="0" * 24, published_at=_at(-1440)),
        Unscored(replace(scored("7").post, published_at=_at(-1430), language="sv"), "language: sv", "77"),
    ]
    PostStore(engine).save(posts, [])


def _at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.mark.usefixtures("told")
def test_stories_come_with_their_reach_and_the_first_posts_text(run: Run) -> None:
    shown = run("acme", *DAY).stdout.splitlines()

    assert shown[0] == (
        "4 posts tell 2 stories of ACME from 2024-03-31 00:00 UTC to 2024-04-01 00:00 UTC;"
        " 2 more are spam, `--spam` shows them"
    )
    assert shown[2].split() == ["2024-03-31", "12:00", "UTC", "3", "3", "1", "3", "-0.60", LOST]
    assert shown[3] == "  ACME lost a customer[31m"
    assert shown[4].split() == ["2024-03-31", "12:30", "UTC", "1", "1", "1", "0", "+0.75", WON]
    assert run(*DAY).stdout.splitlines()[5] == "  [ACME, ZETA] ACME wins"
    assert "1 post tells 1 story of ZETA" in run("$zeta", *DAY).stdout


@pytest.mark.usefixtures("told")
def test_they_are_sorted_and_cut_as_asked(run: Run) -> None:
    def order(*arguments: str) -> list[str]:
        return [json.loads(line)["story"] for line in run(*DAY, "--json", *arguments).stdout.splitlines()]

    assert order() == order("--sort", "reach") == order("--sort", "negative") == [LOST, WON]
    assert order("--sort", "first") == [WON, LOST]
    assert order("--limit", "1") == [LOST]
    assert order("--limit", "0") == [LOST, WON]
    assert run(*DAY, "--limit", "1").stderr == "1 of 2 stories; all of them: --limit 0\n"
    assert run(*DAY).stderr == ""


@pytest.mark.usefixtures("told")
def test_the_last_hours_end_with_the_newest_post(run: Run) -> None:
    assert "4 posts tell 2 stories from 2024-03-30 12:30 UTC to 2024-03-31 12:30 UTC" in run().stdout
    assert "1 post tells 1 story from 2024-03-31 12:20 UTC" in run("--last", "10m").stdout
    assert "3 posts tell 1 story from" in run("--last", "30m", "--to", "2024-03-31T12:30").stdout
    # What was stored before stories were told apart is one for each text; what was not scored is in none.
    assert f"{'0' * 24}\n" in run("--last", "2d").stdout
    assert "3 stories" in run("--last", "2d").stdout


@pytest.mark.usefixtures("told")
def test_csv_is_made_for_spreadsheets(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--show", LOST, "--csv").stdout, newline="")))

    assert [row["id"] for row in rows] == ["test:1", "test:3", "test:5", "test:2"]
    assert rows[1]["text"] == "'=ACME loses customers"
    assert json.loads(rows[2]["spam"])[0] == 'promotion: "join us"'
    assert rows[0]["published_at"] == "2024-03-31T12:00:00+00:00"


@pytest.mark.usefixtures("told")
def test_a_story_shows_its_posts_in_order_and_a_text_once(run: Run) -> None:
    shown = run("--show", LOST).stdout.splitlines()

    assert shown[0] == f"4 posts tell the story {LOST}"
    assert [line.split()[-1] for line in shown if line[:1].isdigit()][1:] == ["test:1", "test:3", "test:5", "test:2"]
    assert shown[-1] == "  [ACME] = 1"
    assert '  spam: promotion: "join us"' in shown
    assert "\x1b" not in "".join(shown)
    assert run("--show", "0" * 24).stdout.startswith("1 post tells")
    assert "unscored: language: sv" in run("--show", "77").stdout
    assert run("--show", LOST, "--from", "2024-03-31T12:10").stdout.startswith("1 post tells")
    with pytest.raises(Failed, match="no post tells a story 'abc'; `bearometer stories` shows"):
        run("--show", "abc")


@pytest.mark.usefixtures("told")
def test_spam_is_shown_by_reason_with_examples(run: Run) -> None:
    shown = run("--spam", *DAY).stdout.splitlines()

    assert shown[0] == "2 posts are spam from 2024-03-31 00:00 UTC to 2024-04-01 00:00 UTC"
    assert [line.split() for line in shown[1:4]] == [
        ["REASON", "POSTS", "ACCOUNTS"],
        ["promotion", "2", "2"],
        ["rate", "1", "1"],
    ]
    assert [line.split()[-1] for line in shown[6:] if line[:1].isdigit()] == ["test:6", "test:5"]
    assert "\x1b" not in "".join(shown)
    [newest, _] = [json.loads(line) for line in run("--spam", *DAY, "--json").stdout.splitlines()]
    assert (newest["id"], newest["spam"]) == ("test:6", ["promotion: buy"])
    assert run("--spam", *DAY, "--limit", "1").stderr == "1 of 2 posts; all of them: --limit 0\n"
    assert run("ZETA", "--spam", *DAY).stdout == ("no spam of ZETA from 2024-03-31 00:00 UTC to 2024-04-01 00:00 UTC\n")


def test_a_rare_reason_for_spam_has_its_example(run: Run, engine: Engine) -> None:
    often = [replace(scored(f"o{n}", published_at=_at(n)), spam=("rate: x",)) for n in range(5)]
    PostStore(engine).save([*often, replace(scored("rare", published_at=_at(-60)), spam=("gibberish: x",))], [])

    shown = run("--spam", *DAY, "--limit", "2", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in shown] == ["test:o4", "test:rare"]


def test_nothing_is_said_in_one_line(run: Run, engine: Engine) -> None:
    assert run(*DAY).stdout == "no stories from 2024-03-31 00:00 UTC to 2024-04-01 00:00 UTC\n"
    assert run("--json", "--last", "1h").stdout == ""
    PostStore(engine).save([replace(scored("1"), spam=("rate: x",))], [])
    assert run(*DAY).stdout.endswith("UTC; 1 post is spam, `--spam` shows them\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--show", "xyz"], "--show is 'xyz'; it must be a story"),
        (["WMT", "--show", "12"], "leave SYMBOL and --spam out"),
        (["--spam", "--show", "12"], "leave SYMBOL and --spam out"),
        (["--json", "--csv"], "one of the two"),
        (["--last", "1h", "--from", "2024-03-31"], "one of the two"),
        (["--last", "soon"], "--last is 'soon'"),
        (["--from", "2024-03-31", "--to", "2024-03-30"], "--from is 2024-03-31T00:00, which is not before --to"),
        (["--to", "0001-01-01"], "there is no time"),
        (["x" * 16], "SYMBOL is 'x+'; it must be a ticker symbol"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(run: Run, arguments: list[str], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        run(*arguments)


def test_a_database_away_is_told_in_one_line() -> None:
    away = {"BEAROMETER_POSTGRES__URL": "postgresql://a:hush@127.0.0.1:1/x"}
    with pytest.raises(Unavailable) as caught:
        CliRunner(env=away).invoke(build_cli(), ["stories"], catch_exceptions=False)
    assert "hush" not in str(caught.value)
