"""Slack by an incoming webhook: an alert is one message, which nothing changes later."""

from alerts.http import Poster, check_address, encode
from alerts.message import compose
from alerts.slack_blocks import render_slack
from bearometer.alert import Delivery
from bearometer.clock import Clock
from bearometer.settings import AlertSettings, SlackSettings

__all__ = ["SlackNotifier", "check"]


class SlackNotifier:
    """Posts alerts to one incoming webhook; at most one request per call of `send`."""

    name = "slack"

    def __init__(self, settings: SlackSettings, alerts: AlertSettings, clock: Clock) -> None:
        self._alerts = alerts
        self._poster = Poster("Slack", check(settings), settings.timeout_seconds, clock)

    def send(self, delivery: Delivery) -> str | None:
        """Post the message; returning means that Slack has answered `ok`. Raises as `Poster` says."""
        answer = self._poster.post(encode(render_slack(compose(delivery, self._alerts))))
        if answer.status != 200 or answer.body.strip() != b"ok":
            raise self._poster.refusal(answer)
        return None


def check(settings: SlackSettings) -> str:
    """The address of the webhook, if it is one: https, or http on loopback; Misconfigured otherwise."""
    return check_address(settings.webhook_url.get_secret_value() if settings.webhook_url else "", "slack.webhook_url")
