"""Whether people are told when no posts come, against a real Postgres: across restarts, once, and not for replays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import typer
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from alerts.rules import SUPPLY, RuleSet, default_rules
from bearometer.alert import Alert, AlertState, Evidence, Measure
from bearometer.clock import ManualClock
from bearometer.commands.silences import register
from bearometer.source_progress import SourceProgress
from storage.alerts import AlertStore
from storage.sources import SourceStore
from tests.conditions import WaitUntil
from tests.integration.test_watch import CRASH, END, RULES, Watch, alerts_of, deliveries_of, history, save

HOUR = timedelta(hours=1)
NO_DATA = replace(SUPPLY[Measure.NO_DATA], pending_seconds=0)
SILENT = replace(default_rules(RULES), supply=(NO_DATA,))


def note(
    engine: Engine, clock: ManualClock, *, silent: timedelta, error: str | None = None, kind: str = "edgar"
) -> None:
    """What an ingest worker writes, as if it did so at the clock's time."""
    now = clock.now()
    SourceStore(engine).note(
        [SourceProgress("filings", kind, None, 1, 0, error, now - silent, None if error else now)],
    )
    with engine.begin() as connection:
        connection.execute(text("UPDATE sources SET updated_at = :now"), {"now": now})


def told(engine: Engine) -> list[str]:
    """To the first notifier."""
    return [f"{reason} {id_.split(':')[0]}" for id_, reason, notifier in deliveries_of(engine) if notifier == "console"]


def of_supply(engine: Engine) -> list[Alert]:
    return [alert for alert in alerts_of(engine) if not alert.peak.measure.is_of_posts]


@contextmanager
def looking(engine: Engine, clock: ManualClock, wait_until: WaitUntil, rules: RuleSet | None = None) -> Iterator[Watch]:
    """An evaluator that has looked at the sources at least once when the block ends."""
    with Watch(engine, clock=clock, rule_set=rules).running() as watch:
        wait_until(lambda: len(watch.reports) > 1)
        yield watch


def test_a_silent_source_is_told_once_across_restarts_and_so_is_its_end(engine: Engine, wait_until: WaitUntil) -> None:
    clock = ManualClock(CRASH)
    note(engine, clock, silent=25 * HOUR)
    note(engine, clock, silent=26 * HOUR, error="HTTP 503")
    for _ in range(3):
        with looking(engine, clock, wait_until, SILENT):
            clock.sleep(600)
    assert told(engine) == ["firing no-data"]
    [alert] = alerts_of(engine)
    assert alert.id == f"no-data:!filings:{CRASH.isoformat()}"
    assert (alert.state, alert.peak.start) == (AlertState.FIRING, CRASH - 25 * HOUR)
    assert alert.evidence == Evidence((), (), (), problem="HTTP 503")
    assert AlertStore(engine).as_of() is None
    note(engine, clock, silent=HOUR)
    for _ in range(2):
        with looking(engine, clock, wait_until, SILENT):
            clock.sleep(600)
    assert told(engine) == ["firing no-data", "resolved no-data"]
    assert alerts_of(engine)[0].state is AlertState.RESOLVED


def test_a_pause_ends_it_and_what_people_ask_for_is_done(engine: Engine, wait_until: WaitUntil) -> None:
    clock, store = ManualClock(CRASH), AlertStore(engine)
    note(engine, clock, silent=25 * HOUR)
    with looking(engine, clock, wait_until, SILENT):
        wait_until(lambda: told(engine) == ["firing no-data"])
        store.request(alerts_of(engine)[0].id, "acknowledge", "ann", "they know")
        wait_until(lambda: alerts_of(engine)[0].state is AlertState.ACKNOWLEDGED)
        SourceStore(engine).set_paused(["filings"], paused=True)
        clock.sleep(60)
        wait_until(lambda: alerts_of(engine)[0].state is AlertState.RESOLVED)
    assert told(engine) == ["firing no-data", "acknowledged no-data", "resolved no-data"]


def test_a_spike_is_held_back_while_the_monitor_is_blind_and_told_after(engine: Engine, wait_until: WaitUntil) -> None:
    posts, during = history(), CRASH + HOUR
    blind = replace(NO_DATA, inhibits=("*",))
    rules = replace(default_rules(RULES), supply=(blind,))
    clock = ManualClock(during)
    note(engine, clock, silent=25 * HOUR)
    save(engine, [s for s in posts if s.post.published_at <= during], during)
    for _ in range(2):
        with looking(engine, clock, wait_until, rules) as watch:
            wait_until(lambda watch=watch: watch.has_reached(during))  # type: ignore[misc]
    assert told(engine) == ["firing no-data"]
    assert {alert.symbol: alert.state for alert in alerts_of(engine)} == dict.fromkeys(
        ("!filings", "ACME"), AlertState.FIRING
    )
    clock.sleep(HOUR.total_seconds())
    note(engine, clock, silent=timedelta(0))
    save(engine, [s for s in posts if s.post.published_at > during], during + HOUR)
    with looking(engine, clock, wait_until, rules) as watch:
        wait_until(lambda: watch.has_reached(during + HOUR))
    assert told(engine)[:3] == ["firing no-data", "resolved no-data", "firing negative-spike"]


def test_an_evaluation_that_falls_behind_is_told_and_so_is_that_it_caught_up(
    engine: Engine, wait_until: WaitUntil
) -> None:
    clock = ManualClock(CRASH)
    save(engine, [], CRASH)
    with looking(engine, clock, wait_until) as watch:
        for minutes in range(0, 30, 2):
            note(engine, clock, silent=timedelta(minutes=minutes))
            polls = len(watch.reports)
            wait_until(lambda polls=polls: len(watch.reports) > polls + 1)  # type: ignore[misc]
            clock.sleep(120)
        assert told(engine) == ["firing lag"]
        for _ in range(5):
            save(engine, [], clock.now())
            polls = len(watch.reports)
            wait_until(lambda polls=polls: len(watch.reports) > polls + 1)  # type: ignore[misc]
            clock.sleep(120)
    assert told(engine) == ["firing lag", "resolved lag"]
    [alert] = of_supply(engine)
    assert timedelta(minutes=20) <= (alert.fired_at or CRASH) - CRASH <= timedelta(minutes=24)
    assert alert.evidence is not None
    assert alert.evidence.problem == "ingest goes on: the stream is behind or stands still"


def test_a_replay_says_nothing_of_the_supply(engine: Engine, wait_until: WaitUntil) -> None:
    # Of old posts, by a clock that is years ahead, without any source, and from a file among the sources.
    clock = ManualClock(END + timedelta(days=4_000))
    save(engine, history(), END)
    with looking(engine, clock, wait_until) as watch:
        wait_until(lambda: watch.has_reached(END))
        note(engine, clock, silent=timedelta(days=4_000), kind="file")
        SourceStore(engine).set_paused(["not-run-yet"], paused=False)
        for _ in range(3):
            polls = len(watch.reports)
            wait_until(lambda polls=polls: len(watch.reports) > polls + 1)  # type: ignore[misc]
            clock.sleep(1200)
    assert of_supply(engine) == []
    assert {each.partition(" ")[2] for each in told(engine)} == {"negative-spike"}


def test_a_source_can_be_silenced_from_the_command_line(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, wait_until: WaitUntil
) -> None:
    monkeypatch.setenv("BEAROMETER_POSTGRES__URL", database_url)
    app = typer.Typer()
    register(app)
    clock = ManualClock(datetime.now(UTC) + timedelta(minutes=1))
    assert CliRunner().invoke(app, ["silences", "add", "!filings", "--for", "2h", "--reason", "r"]).exit_code == 0
    note(engine, clock, silent=25 * HOUR)
    with looking(engine, clock, wait_until, SILENT):
        clock.sleep(60)
    assert (told(engine), [alert.told_at for alert in alerts_of(engine)]) == ([], [None])
    clock.sleep(3 * 3600)
    with looking(engine, clock, wait_until, SILENT):
        pass
    assert told(engine) == ["firing no-data"]
