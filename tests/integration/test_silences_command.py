"""`bearometer silences add | list | expire` as a person runs them."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import typer
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from bearometer.alert import Silence
from bearometer.commands.silences import MAX_LAG, register
from bearometer.errors import Failed, Misconfigured
from storage.alerts import AlertStore

HOUR = timedelta(hours=1)


def run(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["silences", *arguments])


@pytest.fixture
def store(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AlertStore:
    monkeypatch.setenv("BEAROMETER_POSTGRES__URL", database_url)
    return AlertStore(engine)


def test_a_silence_is_added_listed_and_ended(store: AlertStore) -> None:
    before = datetime.now(UTC)
    added = run("add", "$wmt", "--for", "2h", "--reason", "results \x1b[2J are out", "--who", "ann")
    assert added.exit_code == 0, added.exception
    [silence] = store.silences(None)
    assert re.fullmatch(r"[2-9a-z]{5}", silence.id)
    assert (silence.symbol, silence.rule, silence.author) == ("WMT", "*", "ann")
    assert silence.reason == "results [2J are out"
    assert before <= silence.starts_at <= datetime.now(UTC)
    assert silence.ends_at == silence.starts_at + 2 * HOUR
    assert added.stdout.splitlines() == [
        f"silence {silence.id}: nobody is told of WMT until {silence.ends_at:%Y-%m-%d %H:%M} UTC",
        f"to end it before: bearometer silences expire {silence.id}",
    ]

    header, line = run("list").stdout.splitlines()
    assert header.split() == ["ID", "SYMBOL", "RULE", "STATE", "FROM", "UNTIL", "BY", "REASON"]
    assert line.startswith(f"{silence.id}  WMT     *     in force  ")
    assert line.endswith("ann  results [2J are out")

    assert run("expire", silence.id.upper()).stdout == f"silence {silence.id} is over\n"
    assert run("list").stdout == "no silences\n"
    assert "over" in run("list", "--all").stdout
    [listed] = json.loads(run("list", "--all", "--json").stdout)
    assert (listed["id"], listed["reason"]) == (silence.id, "results [2J are out")
    again = run("expire", silence.id)
    assert isinstance(again.exception, Failed)
    assert str(again.exception).startswith(f"silence {silence.id} was over at ")
    assert str(run("expire", "zzzzz").exception) == (
        "no silence has the id 'zzzzz'; `bearometer silences list --all` shows them"
    )


def test_an_old_day_can_be_silenced_for_a_replay_and_a_day_to_come_beforehand(store: AlertStore) -> None:
    times = ("--from", "2015-10-14", "--until", "2015-10-15T02:00+02:00")
    added = run("add", "xl*", "--rule", "negative-*", *times, "--reason", "known", "--who", "ann")
    assert "nobody is told of XL*, rule negative-* until 2015-10-15 00:00 UTC" in added.stdout
    run("add", "Market", "--from", "2100-01-01", "--for", "1d", "--reason", "known", "--who", "ann")
    run("add", "#Earnings", "--for", "1h30m", "--reason", "known", "--who", "ann")

    kept = [(each.symbol, each.starts_at.year, each.ends_at - each.starts_at) for each in store.silences(None)]
    assert [kept[0], kept[2]] == [("XL*", 2015, timedelta(days=1)), ("market", 2100, timedelta(days=1))]
    assert kept[1][0] == "#Earnings"
    shown = run("list").stdout
    assert "to come" in shown
    assert "XL*" not in shown


@pytest.mark.parametrize(("lag", "begins_there"), [(HOUR / 60, True), (MAX_LAG * 2, False)])
def test_a_silence_holds_for_what_is_about_to_be_evaluated(
    lag: timedelta, begins_there: bool, store: AlertStore
) -> None:
    as_of = datetime.now(UTC) - lag
    reach(store, as_of)
    run("add", "WMT", "--until", "2100-01-01", "--reason", "known", "--who", "ann")

    [silence] = store.silences(None)
    assert (silence.starts_at == as_of) is begins_there
    assert silence.ends_at == datetime(2100, 1, 1, tzinfo=UTC)


OLD_DAY = datetime(2015, 10, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("replayed_until", "ends_at"),
    [
        (None, OLD_DAY),  # before the replay has begun
        (OLD_DAY - HOUR, OLD_DAY),
        (OLD_DAY + 10 * HOUR, OLD_DAY + 10 * HOUR),
    ],
)
def test_a_silence_of_an_old_day_ends_where_the_replay_is(
    replayed_until: datetime | None, ends_at: datetime, store: AlertStore
) -> None:
    store.add_silence(Silence("k7m2p", "WMT", "*", "ann", "known", OLD_DAY, OLD_DAY + 24 * HOUR))
    reach(store, replayed_until)
    assert run("expire", "k7m2p").stdout == "silence k7m2p is over\n"
    [silence] = store.silences(None)
    assert (silence.starts_at, silence.ends_at) == (OLD_DAY, ends_at)
    assert store.silences(replayed_until or OLD_DAY - HOUR) == []
    assert str(run("expire", "k7m2p").exception).startswith("silence k7m2p was over at 2015-10-14")


def test_a_silence_of_an_old_day_that_the_replay_has_passed_is_over(store: AlertStore) -> None:
    store.add_silence(Silence("k7m2p", "WMT", "*", "ann", "known", OLD_DAY, OLD_DAY + 24 * HOUR))
    reach(store, OLD_DAY + 24 * HOUR)
    assert str(run("expire", "k7m2p").exception) == "silence k7m2p was over at 2015-10-15 00:00 UTC"
    [silence] = store.silences(None)
    assert silence.ends_at == OLD_DAY + 24 * HOUR


def test_a_silence_in_force_keeps_quiet_what_a_long_backlog_brings_from_before_its_end(store: AlertStore) -> None:
    now = datetime.now(UTC)
    store.add_silence(Silence("k7m2p", "WMT", "*", "ann", "known", now - 24 * HOUR, now + 24 * HOUR))
    reach(store, now - 72 * HOUR)
    run("expire", "k7m2p")
    [silence] = store.silences(None)
    assert now <= silence.ends_at <= datetime.now(UTC)


def reach(store: AlertStore, as_of: datetime | None) -> None:
    """Have the evaluation come so far."""
    if as_of is not None:
        lease = store.acquire_lease()
        assert lease is not None
        lease.commit(as_of, [], [])
        lease.release()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say how long: --for 2h, or --until"),
        (("--for", "2h", "--until", "2100-01-01"), "one of the two"),
        (("--for", "long"), "--for is 'long'; it must be a length such as 30m"),
        (("--until", "2015-10-14"), "--until is 2015-10-14 00:00 UTC; it must be after"),
        (("--from", "soon", "--for", "2h"), "--from is 'soon'; it must be a time"),
        (("--for", "2h", "--rule", "\x1b"), "--rule is empty"),
        (("--for", "2h", "--who", " "), "nobody knows who you are"),
    ],
)
def test_what_makes_no_silence_is_one_line_that_says_what_would(
    arguments: tuple[str, ...], words: str, store: AlertStore
) -> None:
    result = run("add", "WMT", "--reason", "known", *arguments)
    assert isinstance(result.exception, Misconfigured)
    assert words in str(result.exception)
    assert store.silences(None) == []


def test_an_id_that_is_taken_is_not_taken_again(store: AlertStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    store.add_silence(Silence("22222", "A", "*", "ann", "known", now, now + HOUR))
    letters = iter("2222233333")
    monkeypatch.setattr("secrets.choice", lambda _: next(letters))
    run("add", "B", "--for", "2h", "--reason", "known", "--who", "ann")
    assert {each.id: each.symbol for each in store.silences(None)} == {"22222": "A", "33333": "B"}
