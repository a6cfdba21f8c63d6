"""What can be said of docker-compose.yml and the Dockerfiles without Docker."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.route import build_notifiers
from bearometer.commands.notifiers import WHAT_TO_SET
from bearometer.settings import load_settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = ("migrate", "ingest", "stream", "alerts", "doctor")
ONE_SHOT = ("migrate", "doctor")
DOCKERFILES = ("Dockerfile", "Dockerfile.gpu")
NEEDED = re.compile(r"\$\{([A-Z_]+):\?[^}]+}")
EXAMPLE = {
    "DATABASE_PASSWORD": "a1",
    "REDIS_PASSWORD": "b2",
    "FEEDS": '[{"url": "https://example.com/markets.rss"}]',
    "BEAROMETER_INGEST__AUTHOR_KEY": "0123456789abcdef",
    "BEAROMETER_INGEST__MASK_CONTACTS": "true",
    "BEAROMETER_SPAM__PHRASES": '["our trading room"]',
    "BEAROMETER_STREAM__LANGUAGES": '["en"]',
    "BEAROMETER_ALERTS__LINK_BASE": "https://desk.example.com",
    "BEAROMETER_SLACK__BOT_TOKEN": "xoxb-1",
    "BEAROMETER_SLACK__CHANNEL": "C0123456789",
    "BEAROMETER_SLACK__WEBHOOK_URL": "https://hooks.slack.invalid/x",
    "BEAROMETER_EMAIL__HOST": "mail.example.com",
    "BEAROMETER_EMAIL__PORT": "587",
    "BEAROMETER_EMAIL__SECURITY": "starttls",
    "BEAROMETER_EMAIL__USERNAME": "me",
    "BEAROMETER_EMAIL__PASSWORD": "c3",
    "BEAROMETER_EMAIL__SENDER": "bearometer@example.com",
    "BEAROMETER_EMAIL__RECIPIENTS": '["risk@example.com"]',
    "BEAROMETER_EMAIL__DIGEST_MINUTES": "60",
    "BEAROMETER_PAGERDUTY__ROUTING_KEY": "0123456789abcdef0123456789abcdef",
    "BEAROMETER_PAGERDUTY__URL": "https://events.eu.pagerduty.com/v2/enqueue",
    "BEAROMETER_TEAMS__WEBHOOK_URL": "https://flows.example.com/x",
    "BEAROMETER_DISCORD__WEBHOOK_URL": "https://discord.example.com/api/webhooks/1/x",
    "BEAROMETER_TELEGRAM__BOT_TOKEN": "12345678:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "BEAROMETER_TELEGRAM__CHAT_ID": "-1001234567890",
    "BEAROMETER_WEBHOOK__URL": "https://me.example.com/x",
    "BEAROMETER_WEBHOOK__SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
    "BEAROMETER_WEBHOOK__PREVIOUS_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
    "BEAROMETER_APPRISE__URL": "discord://1/x",
}


def environment(service: str) -> dict[str, str]:
    """As compose would make it from EXAMPLE."""
    return {
        name: EXAMPLE[name] if value is None else NEEDED.sub(lambda found: EXAMPLE[found[1]], value)
        for name, value in SERVICES[service]["environment"].items()
    }


def test_the_servers_and_the_workers_are_there() -> None:
    assert set(SERVICES) == {"kafka", "postgres", "redis", *WORKERS}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_a_health_check_or_runs_once(service: str) -> None:
    if service in ONE_SHOT:
        assert SERVICES[service]["restart"] != "unless-stopped"
    else:
        assert SERVICES[service]["healthcheck"]["test"]
        assert SERVICES[service]["restart"] == "unless-stopped"
        assert SERVICES[service]["mem_limit"]


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_and_no_port_is_published(service: str) -> None:
    name, _, tag = SERVICES[service]["image"].partition(":")
    assert name
    assert tag not in {"", "latest"}
    assert "ports" not in SERVICES[service]
    assert "privileged" not in SERVICES[service]


def test_no_password_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if value is not None and ("PASSWORD" in name or name.endswith("URL")):
                assert NEEDED.search(value), name
    assert not re.search(r"\$\{[A-Z_]*PASSWORD(:?-|})", text)
    assert {"POSTGRES_PASSWORD", "DATABASE_PASSWORD", "REDIS_PASSWORD", "FEEDS"} == set(NEEDED.findall(text))


def test_the_example_names_every_variable_that_has_to_be_set() -> None:
    example = (ROOT / ".env.example").read_text()
    for name in NEEDED.findall((ROOT / "docker-compose.yml").read_text()):
        assert re.search(rf"^{name}=", example, re.MULTILINE), name
    assert not re.search(r"^[A-Z_]*PASSWORD=.+", example, re.MULTILINE)


def test_the_example_and_the_alerts_service_name_what_makes_a_notifier() -> None:
    example = (ROOT / ".env.example").read_text()
    for group, setting in re.findall(r"([a-z]+)\.([a-z_]+)", WHAT_TO_SET):
        if group != "alerts":
            name = f"BEAROMETER_{group.upper()}__{setting.upper()}"
            assert re.search(rf"^# {name}=", example, re.MULTILINE), name
            assert name in SERVICES["alerts"]["environment"]
    shown = set(re.findall(r"^# (BEAROMETER_\w+)=", example, re.MULTILINE))
    assert shown <= {name for service in ("ingest", "stream", "alerts") for name in SERVICES[service]["environment"]}


def test_with_everything_set_everybody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("alerts").items():
        monkeypatch.setenv(name, value)
    kinds = [notifier.name.partition(":")[0] for notifier in build_notifiers(load_settings())]
    assert kinds == ["slack", "pagerduty", "teams", "discord", "telegram", "webhook", "apprise", "email"]


@pytest.mark.parametrize("service", WORKERS)
def test_the_settings_of_a_worker_can_be_read(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.kafka.servers == "kafka:9092"
    assert settings.kafka.idempotence
    assert settings.postgres.url.get_secret_value().endswith(":a1@postgres:5432/bearometer")
    assert settings.redis.url.get_secret_value() == "redis://:b2@redis:6379/0"
    # The stream must know whose posts are no spam.
    assert (len(settings.ingest.feeds) == 1) is (service in {"ingest", "stream"})


@pytest.mark.parametrize("service", WORKERS)
def test_a_worker_can_do_little_to_its_machine(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]


def test_the_servers_have_no_way_out() -> None:
    assert COMPOSE["networks"]["servers"]["internal"] is True
    for service in ("kafka", "postgres", "redis", "stream", "migrate"):
        assert SERVICES[service]["networks"] == ["servers"]


@pytest.mark.parametrize("file", DOCKERFILES)
def test_an_image_has_every_package_and_runs_as_an_ordinary_user(file: str) -> None:
    text = (ROOT / file).read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    ignored = (ROOT / ".dockerignore").read_text().split()
    for package in packages:
        assert f"COPY {package} {package}\n" in text
        assert f"!{package}" in ignored
    last_stage = text[text.rindex("\nFROM ") :]
    assert "\nUSER 10001:10001\n" in last_stage
    assert text.count("-c constraints.txt") == 2
    stages = {"python"} if " AS python" in text else set()
    for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert image in stages or re.search(r":[\w.-]*\d", image), image


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    variables = tmp_path / "variables"
    example = (ROOT / ".env.example").read_text()
    variables.write_text(re.sub(r"^([A-Z_]+PASSWORD)=$", r"\1=a1", example, flags=re.MULTILINE))
    command = ["docker-compose", "--env-file", str(variables), "config", "--quiet"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
