"""`bearometer alerts list | show | ack | resolve | test` as a person runs them."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from bearometer.alert import Acknowledgement, Alert, AlertState, Measure, NotificationReason, Severity
from bearometer.commands.alerts import register
from bearometer.errors import Failed, Misconfigured
from bearometer.settings import PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect
from tests.conditions import WaitUntil
from tests.sample_alerts import START, make_alert, make_delivery, make_post, make_resolved


def run(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["alerts", *arguments])


@contextmanager
def opened(url: str) -> Iterator[AlertStore]:
    engine = connect(PostgresSettings(url=SecretStr(url)))
    yield AlertStore(engine)
    engine.dispose()


@pytest.fixture
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with one alert of two that is over and one that fires; the id of the latter."""
    monkeypatch.setenv("BEAROMETER_POSTGRES__URL", database_url)
    with opened(database_url) as store:
        firing = make_alert("FIRE", posts=(make_post("Fire Corp \x1b[2J recalls its stoves"),))
        commit(store, make_resolved(make_alert("DONE")), firing)
    return firing.id


def commit(store: AlertStore, *alerts: Alert) -> None:
    lease = store.acquire_lease()
    assert lease is not None
    lease.commit(datetime.now(UTC), alerts, [])
    lease.release()


def test_alerts_are_listed_and_can_be_narrowed_down(stored: str) -> None:
    everything = run("list").stdout
    assert "FIRE" in everything
    assert "DONE" in everything
    assert "1 in 10^15" in everything
    firing = run("list", "--state", "firing", "--since", "2026-03-01").stdout
    assert stored in firing
    assert "DONE" not in firing
    assert run("list", "--since", "2026-04-01").stdout == "no alerts\n"
    assert run("list", "--state", AlertState.PENDING).stdout == "no alerts\n"


def test_an_alert_is_shown_with_its_evidence_and_without_escape_sequences(stored: str) -> None:
    shown = run("show", stored).stdout
    assert shown.startswith("FIRE: 15 negative posts by 14 authors in 24 h, 0.1 expected")
    assert "Fire Corp [2J recalls its stoves" in shown
    assert "\x1b" not in shown
    assert run("show", "negative-spike:DONE").stdout.startswith("DONE: over after 2 days 5 h")


def test_an_unknown_or_ambiguous_id_is_one_line(stored: str) -> None:
    assert str(run("show", "nothing").exception) == (
        "no alert has an id that begins with 'nothing'; `bearometer alerts list` shows them"
    )
    ambiguous = run("show", "negative-spike").exception
    assert isinstance(ambiguous, Failed)
    assert "2 alerts have an id that begins with" in str(ambiguous)


def test_alerts_are_narrowed_down_by_symbol_rule_and_severity(stored: str, database_url: str) -> None:
    share = make_alert("SHRE", rule="worse", severity=Severity.CRITICAL)
    share = replace(share, peak=replace(share.peak, measure=Measure.SHARE, posts=40, per_year=0.01))
    taken = make_alert("TAKN", state=AlertState.ACKNOWLEDGED, acknowledged=Acknowledgement("ann \x1b", START, "mine"))
    with opened(database_url) as store:
        commit(store, share, taken)

    shown = run("list", "--severity", "critical").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["SYMBOL", "SHRE"]
    assert "15 of 40 negative" in shown[1]
    assert "about once in 100 years" in shown[1]
    assert "acknowledged by ann  warning" in run("list", "--symbol", "ta*").stdout
    assert [line.split()[0] for line in run("list", "--rule", "w*").stdout.splitlines()] == ["SYMBOL", "SHRE"]
    assert run("list", "--rule", "worse", "--symbol", "FIRE").stdout == "no alerts\n"
    listed = json.loads(run("list", "--symbol", "T*", "--json").stdout)
    assert [(each["symbol"], each["acknowledged"]["comment"], "evidence" in each) for each in listed] == [
        ("TAKN", "mine", False)
    ]
    assert run("list", "--symbol", "NONE", "--json").stdout == "[]\n"


def test_an_alert_is_shown_with_who_has_it_and_what_became_of_its_messages(stored: str, database_url: str) -> None:
    taken = make_alert(
        "TAKN", state=AlertState.ACKNOWLEDGED, acknowledged=Acknowledgement("ann", START, "calling them")
    )
    with opened(database_url) as store:
        lease = store.acquire_lease()
        assert lease is not None
        told = [make_delivery(taken, name) for name in ("slack", "email", "teams")]
        again = make_delivery(taken, "slack", NotificationReason.REPEATED)
        lease.commit(START, [taken], told, dropped=[again])
        lease.release()
        with store.claim_delivery(START, ["slack"]) as claimed:
            assert claimed is not None
            claimed.sent(START, "17.5")
        with store.claim_delivery(START, ["email"]) as claimed:
            assert claimed is not None
            claimed.failed("550 no such \x1b[2J box", None)
        store.request(taken.id, "resolve", "bob", "all clear")

    shown = run("show", "negative-spike:TAKN").stdout
    assert re.search(r"\nAcknowledged: +by ann, 2026-03-02 14:05 UTC: calling them\n", shown)
    assert "\nWaits for an alert worker: resolve, by bob at " in shown
    assert shown.partition("Messages:\n")[2].splitlines() == [
        "  slack  firing    sent 2026-03-02 14:05 UTC, receipt 17.5",
        "  email  firing    given up after 1 attempt: 550 no such [2J box",
        "  teams  firing    waits, next attempt 2026-03-02 14:05 UTC",
        f"  slack  repeated  dropped {datetime.now(UTC):%Y-%m-%d} "
        + shown.rpartition("dropped ")[2].split()[1]
        + " UTC: over the notifier's cap of messages an hour",
    ]
    fields = json.loads(run("show", "negative-spike:TAKN", "--json").stdout)
    assert [each["status"] for each in fields["messages"]] == ["sent", "failed", "waiting", "dropped"]
    assert [each["action"] for each in fields["asked_for"]] == ["resolve"]
    assert fields["evidence"]["top_posts"]
    assert "\nNobody was told.\n" in run("show", stored).stdout


@pytest.mark.parametrize("command", ["ack", "resolve"])
def test_a_persons_word_is_kept_where_no_worker_runs(command: str, stored: str, database_url: str) -> None:
    result = run(command, stored, "--who", "ann", "--comment", "calling \x1b[2J them", "--wait", "0")

    assert result.exit_code == 0, result.exception
    assert result.stdout.splitlines() == [
        f"{stored}: ann's word is kept; no alert worker has applied it within 0 s",
        "is one running (`bearometer alerts`)? The next one to run applies it",
    ]
    with opened(database_url) as store:
        [asked] = store.waiting_actions()
    assert (asked.alert_id, asked.who, asked.comment) == (stored, "ann", "calling [2J them")
    assert asked.action == ("acknowledge" if command == "ack" else "resolve")


@pytest.mark.parametrize("winner", ["ann", "bob"])
def test_a_persons_word_is_applied_by_the_evaluator_while_the_command_waits(
    winner: str, stored: str, database_url: str, wait_until: WaitUntil
) -> None:
    with opened(database_url) as store, ThreadPoolExecutor(1) as pool:
        lease = store.acquire_lease()
        assert lease is not None
        running = pool.submit(run, "ack", "negative-spike:FIRE", "--who", "ann", "--wait", "60")
        [asked] = wait_until(lease.waiting_actions, seconds=60, what="the word is there")
        [alert] = store.alerts(beginning=stored)
        taken = replace(alert, state=AlertState.ACKNOWLEDGED, acknowledged=Acknowledgement(winner, START))
        lease.commit(START, [taken], [], applied=[asked.number])
        faster = "" if winner == "ann" else ", who was faster"
        assert running.result().stdout == f"{stored} is acknowledged by {winner}{faster}\n"

        running = pool.submit(run, "resolve", stored, "--who", "ann", "--wait", "60")
        [asked] = wait_until(lease.waiting_actions, seconds=60, what="the word is there")
        ended = replace(taken, state=AlertState.RESOLVED, resolved_at=START + timedelta(hours=1))
        lease.commit(START, [ended], [], applied=[asked.number])
        assert running.result().stdout == f"{stored} is over since 2026-03-02 15:05 UTC\n"
        lease.release()


@pytest.mark.parametrize("command", ["ack", "resolve"])
def test_a_word_on_what_is_over_or_unknown_is_one_line(command: str, stored: str) -> None:
    over = run(command, "negative-spike:DONE", "--who", "ann")
    assert isinstance(over.exception, Failed)
    assert str(over.exception).startswith(
        "negative-spike:DONE:2026-03-02T14:05:00+00:00 was over at 2026-03-04 19:05 UTC"
    )
    unknown = run(command, "nothing", "--who", "ann")
    assert isinstance(unknown.exception, Failed)
    assert "no alert has an id that begins with 'nothing'" in str(unknown.exception)


def test_a_test_message_goes_through_every_notifier(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEAROMETER_ALERTS__CONSOLE", "true")
    monkeypatch.setenv("BEAROMETER_ALERTS__DIRECTORY", str(tmp_path))
    result = run("test")
    assert result.exit_code == 0
    assert "This is a test, nothing has happened." in result.stdout
    assert "console: sent" in result.stdout
    assert "directory: sent" in result.stdout
    assert len(list(tmp_path.iterdir())) == 5


def test_a_notifier_that_fails_is_named_and_keeps_no_other_from_being_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEAROMETER_ALERTS__DIRECTORY", str(tmp_path / "file"))
    monkeypatch.setenv("BEAROMETER_ALERTS__CONSOLE", "true")
    result = run("test")
    assert "console: sent" in result.stdout
    assert "directory: failed: the folder" in result.stdout
    assert str(result.exception) == "1 of 2 notifiers failed: directory"


def test_without_any_notifier_a_test_says_what_to_set() -> None:
    result = run("test")
    assert isinstance(result.exception, Misconfigured)
    assert "no notifier is configured: set slack.bot_token or slack.webhook_url, email.host" in str(result.exception)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"BEAROMETER_EMAIL__HOST": "mail.example.com"}, "email.recipients"),
        ({"BEAROMETER_SLACK__WEBHOOK_URL": "http://hooks.example.com/SECRET"}, "slack.webhook_url"),
        (
            {"BEAROMETER_EMAIL__HOST": "m", "BEAROMETER_EMAIL__RECIPIENTS": '["a@example.com", "a@example.com"]'},
            "more than once",
        ),
    ],
)
def test_wrong_settings_are_named(variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    error = run("test").exception
    assert isinstance(error, Misconfigured)
    assert named in str(error)
    assert "SECRET" not in str(error)
