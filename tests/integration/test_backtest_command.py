"""`bearometer backtest`, as a person runs it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bearometer.commands.backtest import register
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import Scored, Unscored
from bearometer.post import MARKET, topic_key
from storage.history import find_post, read_history
from storage.posts import PostStore
from tests.command_line import Run, command_on
from tests.stored_samples import BAD, CALM, scored

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CRASH = START + 10 * DAY + 14 * HOUR
PERIOD = ("--from", "2024-03-05", "--to", "2024-03-20")


@pytest.fixture
def run(database_url: str) -> Run:
    return command_on(database_url, register, "backtest")


def said(id_: str, at: datetime, symbol: str = "ACME", *, bad: bool = False, text: str = "ACME as usual") -> Scored:
    return scored(
        id_,
        symbols=(symbol,),
        sentiment=BAD if bad else CALM,
        published_at=at,
        author=id_,
        fingerprint=id_,
        text=text,
    )


@pytest.fixture
def history(engine: Engine) -> None:
    calm = [said(f"c{n}", START + n * 7 * HOUR, "ACME" if n % 2 else "ELSE") for n in range(60)]
    bad = [said(f"b{n}", CRASH + n * timedelta(minutes=3), bad=True, text=f"ACME fell {n} %") for n in range(12)]
    hostile = said("h", CRASH + HOUR, bad=True, text="ACME \x1b[31m</script> \u202efell")
    worst = replace(
        hostile, mentions=(replace(hostile.mentions[0], sentiment=replace(BAD, negative=0.9, neutral=0.0)),)
    )
    PostStore(engine).save([*calm, *bad, worst], [])


@pytest.mark.usefixtures("history")
def test_it_says_when_the_rules_would_have_fired_and_on_what(run: Run, tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("symbol,date\nACME,2024-03-11\nACME,2024-03-15\n", "utf-8")
    plot = tmp_path / "budget.png"
    result = run(*PERIOD, "--events", events, "--plot", plot)
    alert = next(line for line in result.output.splitlines() if line.startswith("2024-03-11 14:"))
    assert "negative-spike  ACME  " in alert
    assert "ACME fell" in result.output
    assert "rules: 1 alert, " in result.output
    assert "a symbol-year (0.1 of them); precision 100%, 1 of 2 events found" in result.output
    assert "\x1b" not in result.output
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("history")
def test_two_rules_files_are_set_side_by_side(run: Run, tmp_path: Path) -> None:
    many, few = tmp_path / "many.toml", tmp_path / "few.toml"
    many.write_text('[[rule]]\nname = "eager"\nmin_posts = 3\n', "utf-8")
    few.write_text('[[rule]]\nname = "patient"\nmin_posts = 50\n', "utf-8")
    output = run(*PERIOD, "--rules", many, "--compare", few).output
    assert "[rules, only] 2024-03-11" in output
    assert "compared: 0 alerts" in output
    assert [line.split()[0] for line in output.splitlines()[-3:]] == ["budget", "rules", "compared"]


@pytest.mark.usefixtures("history")
def test_what_no_rule_watches_counts_for_nothing_and_the_market_counts_apart(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    PostStore(engine).save([said(f"o{n}", START + 10 * DAY + n * HOUR, f"S{n}") for n in range(30)], [])
    rules, events = tmp_path / "rules.toml", tmp_path / "events.csv"
    rules.write_text(
        '[[rule]]\nname = "few"\nsymbols = ["ACME"]\n[[rule]]\nname = "all"\nmarket = true\n'
        "[market]\nfalse_alerts_per_year = 'none'\n",
        "utf-8",
    )
    events.write_text("symbol,date\nACME,2024-03-11\nS1,2024-03-11\nACME,2024-03-20\n", "utf-8")
    lines = run(*PERIOD, "--rules", rules, "--events", events).output.splitlines()
    outcome = "1 alert, 24.4 a symbol-year (0.0 of them); precision 100%, 1 of 1 events found"
    assert f"rules: {outcome}; 1 more on topics or the market" in lines
    assert f"  few: {outcome}" in lines
    assert "  all: 0 alerts; 1 more on topics or the market" in lines


@pytest.mark.usefixtures("history")
def test_what_cannot_be_run_is_said_in_a_line(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not before --to"):
        run("--from", "2024-03-05", "--to", "2024-03-05")
    with pytest.raises(Failed, match="no post is stored"):
        run("--from", "2020-03-05", "--to", "2020-03-06")
    with pytest.raises(Misconfigured, match="cannot be written"):
        run(*PERIOD, "--plot", tmp_path / "none" / "x.png")


@pytest.mark.usefixtures("history")
def test_history_comes_in_the_order_in_which_it_became_known(engine: Engine) -> None:
    late = said("late", START + DAY)
    PostStore(engine).save([replace(late, post=replace(late.post, ingested_at=START + 30 * DAY))], [])
    known = list(read_history(engine, START, START + 40 * DAY, whole_posts=False))
    assert len(known) == 74
    assert [each.mention.post_id for each in known if not each.mention.on_time] == ["test:late"]
    assert [each.known_at for each in known] == sorted(each.known_at for each in known)
    assert known[-1].mention.post_id == "test:late"
    assert sum(each.mention.negative for each in known) == 13
    whole = list(read_history(engine, START, START + 40 * DAY, whole_posts=True))
    assert {each.mention.symbol for each in whole} == {"ACME", "ELSE", MARKET, topic_key("sales")}
    assert len(whole) == 3 * 74


@pytest.mark.usefixtures("history")
def test_the_post_that_speaks_worst_is_found(engine: Engine) -> None:
    post = find_post(engine, "ACME", CRASH, CRASH + 2 * HOUR)
    assert post is not None
    assert post.id == "test:h"
    assert find_post(engine, "NONE", CRASH, CRASH + 2 * HOUR) is None


def test_the_history_is_of_stories_without_spam_and_without_what_was_not_scored(engine: Engine) -> None:
    spam = replace(said("spam", CRASH, bad=True), spam=("promotion: a list",))
    worst = replace(spam, mentions=(replace(spam.mentions[0], sentiment=replace(BAD, negative=0.9, neutral=0.0)),))
    foreign = said("foreign", CRASH).post
    PostStore(engine).save(
        [
            worst,
            Unscored(foreign, "language: pt"),
            replace(said("new", CRASH + HOUR, bad=True), story="s"),
            said("old", CRASH + 2 * HOUR, bad=True),
        ],
        [],
    )
    for whole_posts in (False, True):
        known = list(read_history(engine, START, START + 40 * DAY, whole_posts=whole_posts))
        assert {(each.mention.post_id, each.mention.story) for each in known} == {
            ("test:new", "s"),
            ("test:old", "old"),
        }
        assert len(known) == (6 if whole_posts else 2)
    post = find_post(engine, "ACME", START, START + 40 * DAY)
    assert post is not None
    assert post.id == "test:new"
