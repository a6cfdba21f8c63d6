"""`bearometer notify routes | test` as a person runs them."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bearometer.commands.notifiers import WHAT_TO_SET
from bearometer.commands.notify import register
from bearometer.errors import Failed, Misconfigured
from bearometer.settings import Settings
from tests.receivers import Answer
from tests.vendor_receivers import BOT_TOKEN, ROUTING_KEY, SECRET, PagerDutyReceiver, TelegramReceiver


def run(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["notify", *arguments])


@pytest.fixture
def console_and_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("BEAROMETER_ALERTS__CONSOLE", "true")
    monkeypatch.setenv("BEAROMETER_ALERTS__DIRECTORY", str(tmp_path / "messages"))
    return tmp_path / "messages"


EVERYTHING = {
    "ALERTS__CONSOLE": "true",
    "ALERTS__DIRECTORY": "messages",
    "SLACK__WEBHOOK_URL": "https://hooks.slack.example/services/SECRET",
    "EMAIL__HOST": "mail.example.com",
    "EMAIL__RECIPIENTS": '["risk@example.com"]',
    "PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
    "TEAMS__WEBHOOK_URL": "https://flows.example.com/SECRET",
    "DISCORD__WEBHOOK_URL": "https://discord.example/api/webhooks/1/SECRET",
    "TELEGRAM__BOT_TOKEN": BOT_TOKEN,
    "TELEGRAM__CHAT_ID": "-100123",
    "WEBHOOK__URL": "https://me.example.com/SECRET",
    "WEBHOOK__SECRET": SECRET,
    "APPRISE__URL": "json://localhost/SECRET",
}


NAMED = re.findall(r"[a-z]+\.[a-z_]+", WHAT_TO_SET)


def test_routes_lists_everybody_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EVERYTHING.items():
        monkeypatch.setenv(f"BEAROMETER_{name}", value)
    result = run("routes")
    assert result.exit_code == 0
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [
        "ROUTE",
        "console",
        "directory",
        "slack",
        "pagerduty",
        "teams",
        "discord",
        "telegram",
        "webhook",
        "apprise",
        "email:risk@example.com",
    ]
    assert ["telegram", "chat -100123, by a bot at api.telegram.org"] in lines
    assert ["slack", "a webhook at hooks.slack.example"] in lines
    assert "SECRET" not in result.stdout
    monkeypatch.setenv("BEAROMETER_SLACK__BOT_TOKEN", "xoxb-1-SECRET")
    monkeypatch.setenv("BEAROMETER_SLACK__CHANNEL", "C0RISK")
    assert "channel C0RISK, by a bot" in run("routes").stdout
    monkeypatch.setenv("BEAROMETER_EMAIL__DIGEST_MINUTES", "90")
    assert "mail.example.com:587, from bearometer@localhost, a digest every 90 min\n" in run("routes").stdout


def test_a_test_goes_to_everybody_or_to_one_route(console_and_folder: Path) -> None:
    everybody = run("test")
    assert everybody.exit_code == 0
    assert "This is a test, nothing has happened." in everybody.stdout
    assert "console: sent" in everybody.stdout
    assert "directory: sent" in everybody.stdout
    one = run("test", "dir*")
    assert one.stdout == "directory: sent\n"


def test_a_dry_run_shows_the_message_and_sends_nothing(console_and_folder: Path) -> None:
    result = run("test", "directory", "--dry-run")
    assert f"directory: would be sent to the folder {console_and_folder}" in result.stdout.replace("\n", " ")
    assert "This is a test, nothing has happened." in result.stdout
    assert not console_and_folder.exists()


def test_a_route_that_does_not_exist_is_named_with_those_that_do(console_and_folder: Path) -> None:
    error = run("test", "pager").exception
    assert isinstance(error, Failed)
    assert str(error) == "no route is named 'pager'; there are console, directory"


def test_a_notifier_that_fails_keeps_no_other_from_being_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with PagerDutyReceiver() as pagerduty, TelegramReceiver() as telegram:
        for name, value in {
            "PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY__URL": pagerduty.url,
            "TELEGRAM__BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM__CHAT_ID": telegram.chat,
            "TELEGRAM__URL": telegram.origin,
        }.items():
            monkeypatch.setenv(f"BEAROMETER_{name}", value)
        pagerduty.answers.append(Answer(400, f"unknown {ROUTING_KEY}"))
        result = run("test")
    assert "pagerduty: failed: PagerDuty answered 400 'unknown …'" in result.stdout
    assert "telegram: sent (101)" in result.stdout
    assert str(result.exception) == "1 of 2 notifiers failed: pagerduty"


@pytest.mark.parametrize("command", ["routes", "test"])
def test_without_any_notifier_it_says_what_to_set(command: str) -> None:
    error = run(command).exception
    assert isinstance(error, Misconfigured)
    assert str(error) == f"no notifier is configured: {WHAT_TO_SET}"


def test_what_to_set_names_a_setting_of_every_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EVERYTHING.items():
        monkeypatch.setenv(f"BEAROMETER_{name}", value)
    routes = {line.split()[0].partition(":")[0] for line in run("routes").stdout.splitlines()[1:]}
    named = {name.rpartition(".")[2] if name.startswith("alerts.") else name.partition(".")[0] for name in NAMED}
    assert routes == named
    for name in NAMED:
        group, _, setting = name.partition(".")
        assert setting in type(getattr(Settings(), group)).model_fields


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PAGERDUTY__ROUTING_KEY": "SECRET"}, "pagerduty.routing_key"),
        ({"TEAMS__WEBHOOK_URL": "http://flows.example.com/SECRET"}, "teams.webhook_url"),
        ({"DISCORD__WEBHOOK_URL": "SECRET"}, "discord.webhook_url"),
        ({"TELEGRAM__BOT_TOKEN": BOT_TOKEN}, "telegram.chat_id"),
        ({"WEBHOOK__URL": "https://me.example.com/SECRET"}, "webhook.secret"),
        ({"APPRISE__URL": "nope://SECRET"}, "apprise.url"),
    ],
)
def test_wrong_settings_are_named(variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"BEAROMETER_{name}", value)
    error = run("routes").exception
    assert isinstance(error, Misconfigured)
    assert named in str(error)
    assert "SECRET" not in str(error)


@pytest.mark.parametrize("command", ["routes", "test", "failed", "resend"])
def test_the_help_teaches_by_example(command: str) -> None:
    shown = run(command, "--help").stdout
    assert f"bearometer notify {command}" in shown


@pytest.mark.parametrize("arguments", [(), ("an-id", "--all")])
def test_resend_wants_either_ids_or_all(arguments: tuple[str, ...]) -> None:
    error = run("resend", *arguments).exception
    assert isinstance(error, Misconfigured)
    assert "say which messages" in str(error)
