from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts.route import build_notifiers
from bearometer.errors import Misconfigured
from bearometer.settings import AlertSettings, EmailSettings, Settings, SlackSettings

SLACK = SlackSettings(webhook_url=SecretStr("https://hooks.example.com/services/x"))
EMAIL = EmailSettings(host="mail.example.com", recipients=("risk@example.com", "ir@example.com"))


def names(settings: Settings) -> list[str]:
    return [notifier.name for notifier in build_notifiers(settings)]


def test_without_settings_nobody_is_told() -> None:
    assert names(Settings()) == []


def test_everybody_who_is_configured_is_told_each_by_a_notifier_of_their_own(tmp_path: Path) -> None:
    settings = Settings(slack=SLACK, email=EMAIL, alerts=AlertSettings(console=True, directory=tmp_path))
    assert names(settings) == ["console", "directory", "slack", "email:risk@example.com", "email:ir@example.com"]


def test_without_notify_only_console_and_directory_get_messages(tmp_path: Path) -> None:
    alerts = AlertSettings(notify=False, console=True, directory=tmp_path)
    assert names(Settings(slack=SLACK, email=EMAIL, alerts=alerts)) == ["console", "directory"]


@pytest.mark.parametrize("recipients", [(), ("risk@example.com", "risk@example.com")])
def test_a_mail_server_without_recipients_or_with_one_twice_is_refused(recipients: tuple[str, ...]) -> None:
    email = EmailSettings(host="mail.example.com", recipients=recipients)
    with pytest.raises(Misconfigured, match=r"email\.recipients"):
        build_notifiers(Settings(email=email))
