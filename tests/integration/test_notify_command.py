"""`bearometer notify failed | resend` as a person runs them, on a real Postgres."""

from datetime import UTC, datetime

import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from bearometer.commands.notify import register
from bearometer.errors import Failed
from bearometer.settings import PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect
from tests.sample_alerts import START, make_alert, make_delivery


def run(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["notify", *arguments])


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AlertStore:
    """A store in which two messages were given up and one was sent."""
    monkeypatch.setenv("BEAROMETER_POSTGRES__URL", database_url)
    store = AlertStore(connect(PostgresSettings(url=SecretStr(database_url))))
    lease = store.acquire_lease()
    assert lease is not None
    alerts = [make_alert("ABCD"), make_alert("EFGH")]
    queued = [make_delivery(alert, name) for alert in alerts for name in ("teams", "slack")][:3]
    lease.commit(START, alerts, queued)
    lease.release()
    for error in ("Teams answered 413 '\x1b[2Jtoo large'", None, "Teams answered 400 'no'"):
        with store.claim_delivery(datetime.now(UTC), {"teams"} if error else {"slack"}) as claimed:
            assert claimed is not None
            if error:
                claimed.failed(error, None)
            else:
                claimed.sent(datetime.now(UTC))
    return store


def test_what_was_given_up_is_listed_with_its_error(store: AlertStore) -> None:
    shown = run("failed").stdout
    assert "Teams answered 413 '[2Jtoo large'" in shown
    assert "negative-spike:ABCD:2026-03-02T14:05:00+00:00:firing:teams" in shown
    assert "slack" not in shown
    assert len(run("failed", "--limit", "1").stdout.splitlines()) == 2


def test_one_of_them_is_sent_again_and_then_no_longer_listed(store: AlertStore) -> None:
    result = run("resend", "negative-spike:ABCD")
    assert result.stdout == "1 message is sent again\n"
    assert store.waiting_by_notifier() == {"teams": 1}
    assert "ABCD" not in run("failed").stdout
    with store.claim_delivery(datetime.now(UTC), {"teams"}) as claimed:
        assert claimed is not None
        assert claimed.delivery.attempts == 0


def test_all_of_them_are_sent_again(store: AlertStore) -> None:
    dry = run("resend", "--all", "--dry-run").stdout
    assert dry.count("would be sent to teams again") == 2
    assert store.waiting_deliveries() == 0
    assert run("resend", "--all").stdout == "2 messages are sent again\n"
    assert store.waiting_by_notifier() == {"teams": 2}
    assert run("failed").stdout == "no messages were given up\n"


@pytest.mark.parametrize(
    ("beginning", "problem"), [("x", "no message that was given up has"), ("neg", "2 messages have")]
)
def test_an_unknown_or_ambiguous_id_is_one_line(store: AlertStore, beginning: str, problem: str) -> None:
    error = run("resend", beginning).exception
    assert isinstance(error, Failed)
    assert str(error).startswith(f"{problem} an id that begins with '{beginning}'")
    assert store.waiting_deliveries() == 0
