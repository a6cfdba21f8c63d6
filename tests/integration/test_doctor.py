"""`bearometer doctor` on real servers, and on what is not there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bearometer.commands.doctor import Finding, examine
from bearometer.embedded import Servers
from bearometer.settings import (
    AlertSettings,
    EmailSettings,
    PostgresSettings,
    Settings,
    SlackSettings,
)
from ingest.kafka import create_topics
from model.load import SHIPPED_WEIGHTS
from tests.receivers import SmtpReceiver

has_weights = pytest.mark.skipif(not (SHIPPED_WEIGHTS / "tokenizer.json").exists(), reason="no weights are shipped yet")
PASSWORD = "hunter2-that-nobody-may-see"


def diagnose(settings: Settings) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(settings)}


def run_doctor(environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bearometer", "doctor", *options]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def smtp() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as receiver:
        yield receiver


def test_servers_that_work_are_found_well(settings: Settings) -> None:
    found = diagnose(settings)
    for check in ("broker", "postgres", "redis", "notifiers"):
        assert found[check].ok, found[check]
    assert "will be made" in found["broker"].detail
    create_topics(settings.kafka)
    assert f"has {settings.kafka.partitions} partitions" in diagnose(settings)["broker"].detail
    assert "only stored" in found["notifiers"].detail


@has_weights
def test_the_shipped_model_scores_a_sentence(settings: Settings) -> None:
    found = diagnose(settings)["model"]
    assert found.ok
    assert found.detail.endswith(" scores")


def test_a_topic_with_other_partitions_is_named_with_the_setting(settings: Settings) -> None:
    create_topics(settings.kafka)
    other = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"partitions": 7})})
    found = diagnose(other)["broker"]
    assert not found.ok
    assert f"set it to {settings.kafka.partitions}" in found.detail


def test_an_empty_database_is_told_to_migrate(settings: Settings, empty_database_url: str) -> None:
    empty = settings.model_copy(update={"postgres": PostgresSettings(url=SecretStr(empty_database_url))})
    found = diagnose(empty)["postgres"]
    assert not found.ok
    assert "run `bearometer migrate`" in found.detail


def test_what_does_not_answer_is_said_in_one_line_each_without_passwords(tmp_path: Path) -> None:
    ended = run_doctor(
        {
            "BEAROMETER_KAFKA__SERVERS": "127.0.0.1:1",
            "BEAROMETER_KAFKA__CONNECT_TIMEOUT_SECONDS": "0.5",
            "BEAROMETER_POSTGRES__URL": f"postgresql://me:{PASSWORD}@127.0.0.1:1/db",
            "BEAROMETER_REDIS__URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
            "BEAROMETER_MODEL__PATH": str(tmp_path / "nowhere"),
            "BEAROMETER_SLACK__WEBHOOK_URL": f"ftp://hooks/{PASSWORD}",
            "BEAROMETER_EMAIL__HOST": "127.0.0.1",
            "BEAROMETER_EMAIL__PORT": "1",
            "BEAROMETER_EMAIL__USERNAME": "me",
            "BEAROMETER_EMAIL__PASSWORD": PASSWORD,
            "BEAROMETER_EMAIL__SECURITY": "none",
            "BEAROMETER_EMAIL__RECIPIENTS": '["risk@example.com"]',
        },
        "--json",
    )
    assert ended.returncode == 1
    assert PASSWORD not in ended.stdout + ended.stderr
    found = {finding["check"]: finding for finding in json.loads(ended.stdout)}
    assert list(found) == ["broker", "postgres", "redis", "model", "notifiers", "slack", "email"]
    assert not any(finding["ok"] or "\n" in finding["detail"] for finding in found.values()), found
    for check, setting in (("broker", "kafka.servers"), ("postgres", "postgres.url"), ("redis", "redis.url")):
        assert f"is `{setting}` right?" in found[check]["detail"]


def test_a_mail_server_is_logged_in_to_and_nothing_is_sent(settings: Settings, smtp: SmtpReceiver) -> None:
    mail = EmailSettings(host="127.0.0.1", port=smtp.port, security="none", recipients=("risk@example.com",))
    found = diagnose(settings.model_copy(update={"email": mail}))
    assert found["email"].ok, found["email"]
    assert found["notifiers"].detail == "email:risk@example.com"
    assert smtp.envelopes == []


def test_a_webhook_is_looked_at_and_nothing_is_sent(settings: Settings) -> None:
    webhook = SlackSettings(webhook_url=SecretStr("https://hooks.slack.invalid/services/T0/B0/x"))
    found = diagnose(settings.model_copy(update={"slack": webhook, "alerts": AlertSettings(console=True)}))
    assert found["slack"].ok, found["slack"]
    assert "slack" in found["notifiers"].detail


def test_the_command_ends_with_1_when_anything_is_wrong(servers: Servers, empty_database_url: str) -> None:
    ended = run_doctor({**servers.environment, "BEAROMETER_POSTGRES__URL": empty_database_url})
    assert ended.returncode == 1
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["broker", "postgres", "redis", "model", "notifiers"]
    assert lines[0].startswith("ok   broker ")
    assert lines[1].startswith("FAIL postgres ")


@has_weights
def test_the_command_ends_with_0_and_json_when_all_is_well(servers: Servers, database_url: str) -> None:
    ended = run_doctor({**servers.environment, "BEAROMETER_POSTGRES__URL": database_url}, "--json")
    assert ended.returncode == 0, ended
    assert all(finding["ok"] for finding in json.loads(ended.stdout))


def test_settings_that_cannot_be_read_end_with_2() -> None:
    ended = run_doctor({"BEAROMETER_KAFKA__PARTITIONS": "many"})
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: `kafka.partitions`")


def test_one_check_can_be_chosen_and_a_wrong_name_is_refused(servers: Servers) -> None:
    ended = run_doctor(servers.environment, "--check", "redis")
    assert ended.stdout.split()[:2] == ["ok", "redis"]
    assert ended.returncode == 0
    ended = run_doctor(servers.environment, "--check", "liver")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: there is no check `liver`; there are broker, postgres")
