from pathlib import Path

import pytest
from pydantic import ValidationError

from bearometer.errors import Misconfigured
from bearometer.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for variable in [name for name in os.environ if name.startswith("BEAROMETER_")]:
        monkeypatch.delenv(variable)


def test_everything_has_a_default() -> None:
    assert load_settings().model_dump() == Settings().model_dump()


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bearometer.toml"
    file.write_text("[alerts]\ncooldown_seconds = 60\nmin_posts = 7\n")
    monkeypatch.setenv("BEAROMETER_ALERTS__COOLDOWN_SECONDS", "90")
    settings = load_settings(file)
    assert (settings.alerts.cooldown_seconds, settings.alerts.min_posts) == (90, 7)


def test_lists_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAROMETER_INGEST__FEEDS", '[{"url": "https://example.com/rss", "symbols": ["HBRM"]}]')
    assert load_settings().ingest.feeds[0].symbols == ("HBRM",)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[alerts]\ncooldown_seconds = -5", "`alerts.cooldown_seconds` is -5; .* greater than or equal to 0"),
        ("[alerts]\ncooldown = 5", "`alerts.cooldown` is no setting"),
        ("[alarms]\nx = 1", "`alarms` is no setting"),
        ("[kafka]\nsecurity_protocol = 'SASL_SSL'", "`kafka`; .*needs username and password"),
        ("not toml", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "bearometer.toml"
    file.write_text(content)
    with pytest.raises(Misconfigured, match=complaint):
        load_settings(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"nowhere\.toml does not exist"):
        load_settings(tmp_path / "nowhere.toml")


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAROMETER_ALERT__MIN_POSTS", "3")
    with pytest.raises(Misconfigured, match="BEAROMETER_ALERT__MIN_POSTS names no setting"):
        load_settings()


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAROMETER_POSTGRES__URL", "postgresql://me:hunter2@db/x")
    monkeypatch.setenv("BEAROMETER_EMAIL__PASSWORD", "hunter2")
    monkeypatch.setenv("BEAROMETER_SLACK__WEBHOOK_URL", "https://hooks.example.com/hunter2")
    assert "hunter2" not in repr(load_settings())
    monkeypatch.setenv("BEAROMETER_EMAIL__PORT", "0")
    with pytest.raises(Misconfigured) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("name", ["pagerduty.routing_key", "telegram.bot_token", "webhook.secret", "apprise.url"])
def test_a_secret_of_the_wrong_type_is_named_and_not_printed(name: str, tmp_path: Path) -> None:
    group, _, setting = name.partition(".")
    (tmp_path / "settings.toml").write_text(f"[{group}]\n{setting} = 424242\n")
    with pytest.raises(Misconfigured, match=name.replace(".", r"\.")) as raised:
        load_settings(tmp_path / "settings.toml")
    assert "424242" not in str(raised.value)


@pytest.mark.parametrize("line", ['apprise = "slack://hunter2"', '[telegram]\nchat_id = "12:hunter2"'])
def test_a_secret_in_the_wrong_place_is_not_printed(line: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(line)
    with pytest.raises(Misconfigured, match=r"apprise|telegram\.chat_id") as raised:
        load_settings(tmp_path / "settings.toml")
    assert "hunter2" not in str(raised.value)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().alerts.min_posts = 1  # type: ignore[misc]
