from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts.route import build_notifiers
from alerts.slack import SlackNotifier
from alerts.slack_bot import SlackBotNotifier
from bearometer.errors import Misconfigured
from bearometer.settings import (
    AlertSettings,
    AppriseSettings,
    DiscordSettings,
    EmailSettings,
    PagerDutySettings,
    Settings,
    SlackSettings,
    TeamsSettings,
    TelegramSettings,
    WebhookSettings,
)
from tests.vendor_receivers import BOT_TOKEN, ROUTING_KEY, SECRET

SLACK = SlackSettings(webhook_url=SecretStr("https://hooks.example.com/services/x"))
EMAIL = EmailSettings(host="mail.example.com", recipients=("risk@example.com", "ir@example.com"))


EVERYTHING = Settings(
    slack=SLACK,
    email=EMAIL,
    pagerduty=PagerDutySettings(routing_key=SecretStr(ROUTING_KEY)),
    teams=TeamsSettings(webhook_url=SecretStr("https://flows.example.com/x")),
    discord=DiscordSettings(webhook_url=SecretStr("https://discord.example/api/webhooks/1/x")),
    telegram=TelegramSettings(bot_token=SecretStr(BOT_TOKEN), chat_id="1"),
    webhook=WebhookSettings(url=SecretStr("https://me.example.com/x"), secret=SecretStr(SECRET)),
    apprise=AppriseSettings(url=SecretStr("json://localhost/x")),
)


def names(settings: Settings) -> list[str]:
    return [notifier.name for notifier in build_notifiers(settings)]


def test_without_settings_nobody_is_told() -> None:
    assert names(Settings()) == []


def test_everybody_who_is_configured_is_told_each_by_a_notifier_of_their_own(tmp_path: Path) -> None:
    settings = Settings(slack=SLACK, email=EMAIL, alerts=AlertSettings(console=True, directory=tmp_path))
    assert names(settings) == ["console", "directory", "slack", "email:risk@example.com", "email:ir@example.com"]


def test_every_service_is_known_by_its_name() -> None:
    chats = ["slack", "pagerduty", "teams", "discord", "telegram", "webhook", "apprise"]
    assert names(EVERYTHING) == [*chats, "email:risk@example.com", "email:ir@example.com"]


def test_with_a_token_of_a_bot_slack_is_told_by_the_bot() -> None:
    (by_webhook,) = build_notifiers(Settings(slack=SLACK))
    bot = SlackSettings(webhook_url=SLACK.webhook_url, bot_token=SecretStr("xoxb-1-x"), channel="C0RISK")
    (by_bot,) = build_notifiers(Settings(slack=bot))
    assert isinstance(by_webhook, SlackNotifier)
    assert isinstance(by_bot, SlackBotNotifier)
    assert by_webhook.name == by_bot.name == "slack"


def test_without_notify_only_console_and_directory_get_messages(tmp_path: Path) -> None:
    alerts = AlertSettings(notify=False, console=True, directory=tmp_path)
    assert names(EVERYTHING.model_copy(update={"alerts": alerts})) == ["console", "directory"]


@pytest.mark.parametrize("recipients", [(), ("risk@example.com", "risk@example.com")])
def test_a_mail_server_without_recipients_or_with_one_twice_is_refused(recipients: tuple[str, ...]) -> None:
    email = EmailSettings(host="mail.example.com", recipients=recipients)
    with pytest.raises(Misconfigured, match=r"email\.recipients"):
        build_notifiers(Settings(email=email))
