"""A program of your own: an alert as JSON, signed as https://www.standardwebhooks.com says. See docs/webhook.md."""

import hashlib
from datetime import datetime
from typing import Any

from alerts.http import Poster, check_address, encode
from alerts.message import Message, compose
from bearometer.alert import Alert, Delivery, Evidence, Spike
from bearometer.clock import Clock
from bearometer.errors import Misconfigured
from bearometer.settings import AlertSettings, WebhookSettings
from bearometer.signing import read_signing_key, sign
from bearometer.terminal import plain

__all__ = ["VERSION", "WebhookNotifier", "message_id", "render_webhook"]

VERSION = 1
"""Of the body's shape. New fields may come without a new version; none goes or changes its meaning."""

MAX_OTHERS = 50
MAX_NAME_CHARS = 100
MAX_ID_CHARS = 200
MAX_COMMENT_CHARS = 300


class WebhookNotifier:
    """Posts alerts to one address; at most one request per call of `send`."""

    name = "webhook"

    def __init__(self, settings: WebhookSettings, alerts: AlertSettings, clock: Clock) -> None:
        url = check_address(settings.url.get_secret_value() if settings.url else "", "webhook.url")
        if settings.secret is None:
            message = "`webhook.secret` is missing; it must be set, since `webhook.url` is, to sign what is sent"
            raise Misconfigured(message)
        self._keys = [read_signing_key(settings.secret.get_secret_value(), "webhook.secret")]
        if settings.previous_secret is not None:
            previous = settings.previous_secret.get_secret_value()
            self._keys.append(read_signing_key(previous, "webhook.previous_secret"))
        self._alerts = alerts
        self._clock = clock
        self._poster = Poster("the webhook", url, settings.timeout_seconds, clock)

    def send(self, delivery: Delivery) -> str | None:
        """Post the message; returning means that the other side has answered 2xx. Gives the message's id.

        The id is the same for every try, so that a receiver can drop a repeat; the timestamp, and with it the
        signature, is that of the try. Raises as `Poster` says.
        """
        body = encode(render_webhook(delivery, compose(delivery, self._alerts)))
        identity, seconds = message_id(delivery), int(self._clock.now().timestamp())
        headers = {
            "webhook-id": identity,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(sign(key, identity, seconds, body) for key in self._keys),
        }
        answer = self._poster.post(body, headers)
        if not 200 <= answer.status < 300:
            raise self._poster.refusal(answer)
        return identity


def message_id(delivery: Delivery) -> str:
    """The message's id: without a dot, which would blur what is signed."""
    return f"msg_{hashlib.sha256(delivery.id.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def render_webhook(delivery: Delivery, message: Message) -> dict[str, Any]:
    """The body as docs/webhook.md describes it. Texts are single lines without control characters, not escaped."""
    alert = delivery.alert
    return {
        "version": VERSION,
        "type": f"alert.{delivery.reason}",
        "timestamp": _time(alert.resolved_at or alert.peak.end),
        "data": {
            "headline": message.headline,
            "alert": _alert(alert),
            "link": message.link,
            "facts": [{"label": label, "value": value} for label, value in message.facts],
            "posts": [
                {
                    "text": quote.text,
                    "url": quote.url,
                    "author": plain(post.author or "", MAX_NAME_CHARS) or None,
                    "published_at": _time(post.published_at),
                    "negative": round(post.negative, 4),
                    "repeats": post.repeats,
                    "accounts": post.accounts,
                    "sources": post.places,
                    "since": _time(post.since),
                }
                for quote, post in zip(message.quotes, alert.evidence.top_posts if alert.evidence else (), strict=False)
            ],
            **_counts(alert.evidence),
            "others": [_alert(other) for other in delivery.others[:MAX_OTHERS]],
            "others_left_out": max(0, len(delivery.others) - MAX_OTHERS),
            "dropped": delivery.dropped,
        },
    }


def _counts(evidence: Evidence | None) -> dict[str, Any]:
    """How many posts tell how many stories, and what was left out; null where that is not known."""
    if evidence is None:
        return {"mentions": None, "stories": None, "spam": None}
    reasons = [{"code": plain(code, MAX_NAME_CHARS), "posts": posts} for code, posts in evidence.spam_reasons]
    return {
        "mentions": evidence.mentions,
        "stories": evidence.stories,
        "spam": {"posts": evidence.spam, "reasons": reasons},
    }


def _alert(alert: Alert) -> dict[str, Any]:
    taken_on = alert.acknowledged
    return {
        "id": plain(alert.id, MAX_ID_CHARS),
        "rule": plain(alert.rule, MAX_NAME_CHARS),
        "symbol": plain(alert.symbol, MAX_NAME_CHARS),
        "state": str(alert.state),
        "severity": str(alert.severity),
        "started_at": _time(alert.started_at),
        "fired_at": _time(alert.fired_at),
        "resolved_at": _time(alert.resolved_at),
        "acknowledged": taken_on
        and {
            "who": plain(taken_on.who, MAX_NAME_CHARS),
            "at": _time(taken_on.at),
            "comment": plain(taken_on.comment, MAX_COMMENT_CHARS),
        },
        "peak": _spike(alert.peak),
    }


def _spike(spike: Spike) -> dict[str, Any]:
    return {
        "measure": str(spike.measure),
        "start": _time(spike.start),
        "end": _time(spike.end),
        "negative": spike.negative,
        "posts": spike.posts,
        "authors": spike.authors,
        "expected": spike.expected,
        "p_value": spike.p_value,
        "per_year": spike.per_year,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
