"""PagerDuty: an alert is an incident, by the Events API v2, opened, acknowledged and resolved under one key."""

import hashlib
import re
from typing import Any

from alerts.fitting import fit, fit_fact, fit_lines, inert
from alerts.http import Poster, check_address, encode
from alerts.message import Message, compose
from bearometer.alert import Alert, Delivery, NotificationReason, Severity
from bearometer.clock import Clock
from bearometer.errors import Misconfigured
from bearometer.settings import AlertSettings, PagerDutySettings

__all__ = ["PagerDutyNotifier", "dedup_key", "render_pagerduty"]

# https://developer.pagerduty.com/docs/send-alert-event
MAX_SUMMARY_CHARS = 1024
MAX_DEDUP_KEY_CHARS = 255
# https://developer.pagerduty.com/docs/events-api-v2-overview#size-limits: 512 KB for all of it, so no text is near it.
MAX_DETAIL_CHARS = 1000
MAX_OTHERS_CHARS = 5000
MAX_LINKS = 11

_SEVERITIES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}
_ACTIONS = {NotificationReason.ACKNOWLEDGED: "acknowledge", NotificationReason.RESOLVED: "resolve"}


class PagerDutyNotifier:
    """Sends events to one service of PagerDuty; at most one request per call of `send`."""

    name = "pagerduty"

    def __init__(self, settings: PagerDutySettings, alerts: AlertSettings, clock: Clock) -> None:
        key = settings.routing_key.get_secret_value().strip() if settings.routing_key else ""
        if not re.fullmatch(r"[A-Za-z0-9]{32}", key):
            message = "`pagerduty.routing_key` is not an integration key; it must be 32 letters and digits"
            raise Misconfigured(message)
        self._key = key
        self._alerts = alerts
        url = check_address(settings.url, "pagerduty.url")
        self._poster = Poster("PagerDuty", url, settings.timeout_seconds, clock, [key])

    def send(self, delivery: Delivery) -> str | None:
        """Send the event; returning means that PagerDuty has accepted it. Gives the key of the incident.

        The key follows from the alert: sent twice, it is one incident. Raises as `Poster` says.
        """
        event = render_pagerduty(delivery, compose(delivery, self._alerts))
        answer = self._poster.post(encode({"routing_key": self._key, **event}))
        fields = answer.fields()
        if answer.status != 202 or fields.get("status") != "success":
            raise self._poster.refusal(answer)
        return str(event["dedup_key"])


def dedup_key(alert: Alert) -> str:
    """The same for every event about this alert, and for no other alert."""
    return f"bearometer-{hashlib.sha256(alert.id.encode('utf-8', 'surrogatepass')).hexdigest()}"


def render_pagerduty(delivery: Delivery, message: Message) -> dict[str, Any]:
    """The event without its routing key: JSON-ready, within PagerDuty's limits.

    PagerDuty shows texts as they are, but passes them on to chats where a name would call people.
    """
    action = _ACTIONS.get(delivery.reason, "trigger")
    event: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(delivery.alert)}
    if action != "trigger":
        return event  # PagerDuty reads nothing else of these
    details = {
        label: fit_fact(label, value, MAX_DETAIL_CHARS) for label, value in message.facts if value != message.link
    }
    if message.others:
        details["Also"] = fit_lines(message.others, MAX_OTHERS_CHARS, inert)
    for number, post in enumerate(message.quotes, start=1):
        strongest = f" · {post.strongest}" if post.strongest else ""
        details[f"Post {number}"] = _text(f"{post.text} ({post.byline}{strongest})")
    links = [{"href": message.link, "text": "Acknowledge or silence"}] if message.link else []
    links += [{"href": post.url, "text": f"Post {n}"} for n, post in enumerate(message.quotes, start=1) if post.url]
    return event | {
        "payload": {
            "summary": fit(message.headline, MAX_SUMMARY_CHARS, inert),
            "source": inert(message.symbol),
            "severity": _SEVERITIES[delivery.alert.severity],
            "timestamp": delivery.alert.started_at.isoformat(),
            "component": inert(message.symbol),
            "group": "bearometer",
            "class": str(delivery.alert.peak.measure),
            "custom_details": details,
        },
        "links": links[:MAX_LINKS],
        "client": "Bearometer",
    }


def _text(text: str) -> str:
    return fit(text, MAX_DETAIL_CHARS, inert)
