"""`bearometer alerts list | show | test` as a person runs them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from bearometer.alert import AlertState
from bearometer.commands.alerts import register
from bearometer.errors import Failed, Misconfigured
from bearometer.settings import PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect
from tests.sample_alerts import make_alert, make_post, make_resolved


def run(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["alerts", *arguments])


@pytest.fixture
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with one alert of two that is over and one that fires; the id of the latter."""
    monkeypatch.setenv("BEAROMETER_POSTGRES__URL", database_url)
    engine = connect(PostgresSettings(url=SecretStr(database_url)))
    lease = AlertStore(engine).acquire_lease()
    assert lease is not None
    firing = make_alert("FIRE", posts=(make_post("Fire Corp \x1b[2J recalls its stoves"),))
    lease.commit(datetime.now(UTC), [make_resolved(make_alert("DONE")), firing], [])
    lease.release()
    engine.dispose()
    return firing.id


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
    assert "no notifier is configured: set slack.webhook_url" in str(result.exception)


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
