"""How people are told: a group of settings for each channel."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from bearometer.settings_group import Group

__all__ = [
    "AppriseSettings",
    "DiscordSettings",
    "EmailSettings",
    "PagerDutySettings",
    "SlackSettings",
    "TeamsSettings",
    "TelegramSettings",
    "WebhookSettings",
]


class SlackSettings(Group):
    """Slack, by a bot's token or by an incoming webhook; neither, no messages."""

    webhook_url: SecretStr | None = None
    bot_token: SecretStr | None = None
    channel: str | None = Field(None, description="where the bot posts, best by its ID")
    chart: bool = Field(True, description="the bot shows an alert's chart in its thread; needs the scope `files:write`")
    api_url: str = Field("https://slack.com/api/", description="another Web API, such as a gateway's")
    timeout_seconds: float = Field(10.0, gt=0)


class EmailSettings(Group):
    """A mail server; no host, no mail."""

    host: str | None = None
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="`none` only on loopback")
    ca_file: Path | None = Field(None, description="certificate authority, PEM, when not a public one")
    username: str | None = None
    password: SecretStr | None = None
    sender: str = "bearometer@localhost"
    recipients: tuple[str, ...] = ()
    digest_minutes: float = Field(
        0.0, ge=0, le=10_080, description="messages that are not urgent wait so long for others and are one mail; 0: no"
    )
    timeout_seconds: float = Field(20.0, gt=0)


class PagerDutySettings(Group):
    """A service of PagerDuty; no routing key, no events."""

    routing_key: SecretStr | None = Field(None, description="integration key of the service's Events API v2")
    url: str = Field(
        "https://events.pagerduty.com/v2/enqueue", description="in the EU: https://events.eu.pagerduty.com/v2/enqueue"
    )
    timeout_seconds: float = Field(10.0, gt=0)


class TeamsSettings(Group):
    """A webhook of Microsoft Teams' Workflows; no webhook, no messages."""

    webhook_url: SecretStr | None = Field(
        None, description="address that Workflows shows for `Send webhook alerts to a channel`"
    )
    timeout_seconds: float = Field(10.0, gt=0)


class DiscordSettings(Group):
    """A webhook of a Discord channel; no webhook, no messages."""

    webhook_url: SecretStr | None = None
    timeout_seconds: float = Field(10.0, gt=0)


class TelegramSettings(Group):
    """A bot of Telegram and the chat that it writes to; no token, no messages."""

    bot_token: SecretStr | None = Field(None, description="what @BotFather gave")
    chat_id: str | None = Field(
        None,
        pattern=r"^(-?\d{1,20}|@[A-Za-z0-9_]{4,64})$",
        description="number of the chat, or @name of a public channel",
    )
    url: str = Field("https://api.telegram.org", description="another one for a Bot API server of your own")
    timeout_seconds: float = Field(10.0, gt=0)


class WebhookSettings(Group):
    """A program of your own that gets signed JSON; no address, no messages. See docs/webhook.md."""

    url: SecretStr | None = None
    secret: SecretStr | None = Field(None, description="what signs: `whsec_` and 24 bytes or more in base64")
    previous_secret: SecretStr | None = Field(None, description="signs as well, while the receiver changes over")
    timeout_seconds: float = Field(10.0, gt=0)


class AppriseSettings(Group):
    """A service that apprise knows; no address, no messages. Needs `pip install 'bearometer[apprise]'`."""

    url: SecretStr | None = Field(None, description="one address as on appriseit.com, best with one target")
    timeout_seconds: float = Field(30.0, gt=0)
