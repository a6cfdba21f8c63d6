"""Slack: an alert as Block Kit, for the bot and the webhook, and the notifier of an incoming webhook.

Text from posts and symbols stands only in `plain_text` objects, where nothing is formatted or linked, and with
`&`, `<` and `>` escaped, so that `<!channel>` or `<@U123>` in a post is only text. The one thing from a post that
stands in `mrkdwn` is a re-encoded http or https address inside `<address|open the post>`; the alert's own page is
linked in the same way.
"""

import http.client
import ipaddress
import logging
import math
import ssl
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from alerts.message import Message, Quote, compose
from bearometer.alert import Delivery, NotificationReason
from bearometer.clock import Clock
from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import AlertSettings, SlackSettings
from bearometer.terminal import plain

__all__ = [
    "SlackNotifier",
    "check",
    "cut",
    "escape",
    "is_loopback",
    "length",
    "reason_of",
    "render_slack",
    "render_slack_reply",
    "retry_after",
]

# https://docs.slack.dev/reference/block-kit/blocks/
MAX_BLOCKS = 50
# https://docs.slack.dev/reference/block-kit/blocks/header-block/
MAX_HEADER_CHARS = 150
# https://docs.slack.dev/reference/block-kit/blocks/section-block/
MAX_SECTION_CHARS = 3000
MAX_FIELDS = 10
MAX_FIELD_CHARS = 2000
# https://docs.slack.dev/reference/block-kit/blocks/context-block/
MAX_CONTEXT_ELEMENTS = 10
# https://docs.slack.dev/reference/block-kit/composition-objects/text-object/
MAX_TEXT_CHARS = 3000
# https://docs.slack.dev/reference/methods/chat.postMessage/ recommends this for `text`.
MAX_FALLBACK_CHARS = 4000
# Not documented: github.com/slackapi/bolt-js/issues/2509 saw `msg_blocks_too_long` from about 13,200 on.
MAX_MESSAGE_CHARS = 11_000

MAX_OTHERS_CHARS, MAX_FACTS_CHARS = 2500, 5000
"""Room for the other alerts and for the facts of one message, so that its posts are shown too."""

# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/
MENDABLE = frozenset({403, 404, 410})
"""The webhook was revoked, its channel archived, or posting forbidden: a person can undo it while we try again."""

HEADERS = {
    NotificationReason.FIRING: ("🔻", ""),
    NotificationReason.ESCALATED: ("🚨", "much worse"),
    NotificationReason.REPEATED: ("🔁", "still going on"),
    NotificationReason.ACKNOWLEDGED: ("👀", "taken on"),
    NotificationReason.RESOLVED: ("✅", "over"),
}
"""A mark in the colour of what has happened, and what that is in words."""

Block = dict[str, Any]


class SlackNotifier:
    """Posts alerts to one incoming webhook; at most one request per call of `send`."""

    name = "slack"

    def __init__(self, settings: SlackSettings, alerts: AlertSettings, clock: Clock) -> None:
        url = check(settings)
        # slack_sdk writes the address of the webhook, which is a secret, into its log at level debug.
        silent = logging.getLogger("alerts.slack.sdk")
        silent.setLevel(logging.CRITICAL)
        self._alerts = alerts
        self._clock = clock
        self._client = WebhookClient(url, timeout=settings.timeout_seconds, logger=silent, retry_handlers=[])  # type: ignore[arg-type]

    def send(self, delivery: Delivery) -> None:
        """Post the message; returning means that Slack has answered `ok`.

        Raises Transient for 429 (with Slack's own wait), 5xx, timeouts, connection trouble and what a person can mend
        (MENDABLE), and Failed for any other answer; none of their texts holds the address.
        """
        body = render_slack(compose(delivery, self._alerts))
        try:
            answer = self._client.send_dict(body)
        except (OSError, http.client.HTTPException) as error:
            message = f"Slack cannot be reached: {reason_of(error)}"
            raise Unavailable(message) from None
        except (SlackClientError, UnicodeDecodeError, LookupError, ValueError) as error:
            message = f"Slack's answer cannot be read: {type(error).__name__}"
            raise Transient(message) from None
        self._judge(answer)

    def _judge(self, answer: WebhookResponse) -> None:
        status, said = answer.status_code, plain(answer.body, 100)
        if status == 200 and said == "ok":
            return
        if status == 200:  # something between us and Slack has answered, such as a proxy's login page
            message = f"the answer is not Slack's: 200 {said!r}"
            raise Transient(message)
        message = f"Slack answered {status} {said!r}"
        if status == 429 or status >= 500:
            raise Transient(message, retry_after(_answer_header(answer, "retry-after"), self._clock))
        if status in MENDABLE:
            raise Unavailable(message)
        raise Failed(message)


def check(settings: SlackSettings) -> str:
    """The address of the webhook, if it is one: https, or http on loopback; Misconfigured otherwise."""
    url = settings.webhook_url.get_secret_value().strip() if settings.webhook_url else ""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or any(not "!" <= character <= "~" for character in url):
        message = "`slack.webhook_url` is not a web address; it must be https://… as Slack shows it"
        raise Misconfigured(message)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        message = (
            f"`slack.webhook_url` begins with {plain(parts.scheme, 20)}://; it must be https:// (its address is hidden)"
        )
        raise Misconfigured(message)
    return url


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, told without asking DNS."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def render_slack(message: Message) -> dict[str, Any]:
    """The body of the message: JSON-ready, within Slack's limits, with a `text` for notifications."""
    blocks = [_header(message), {"type": "section", "text": _plain(message.headline, MAX_SECTION_CHARS)}]
    origin = [_plain(f"{label}: {value}", MAX_TEXT_CHARS) for label, value in _footer(message)]
    elements = [*_link(message.link, "acknowledge or silence"), *origin]
    footer = [_context(elements)] if elements else []
    left = MAX_MESSAGE_CHARS - sum(_weight(block) for block in [*blocks, *footer])
    optional: list[list[Block]] = [
        [_others(message)] if message.others else [],
        *([{"type": "section", "fields": fields}] for fields in _fields(message)),
        [_context([_plain(f"{message.chart_line}  negative posts over time", MAX_TEXT_CHARS)])]
        if message.chart_line
        else [],
        *(_quote(post) for post in message.quotes),
    ]
    for shown in optional:
        left -= sum(_weight(block) for block in shown)
        if left < 0 or len(blocks) + len(shown) + 1 > MAX_BLOCKS:
            break
        blocks += shown
    return _body(message, [*blocks, *footer])


def render_slack_reply(message: Message) -> dict[str, Any]:
    """The body of an answer in the thread of the alert's message, which has the details: what has happened."""
    return _body(message, [_header(message), {"type": "section", "text": _plain(message.headline, MAX_SECTION_CHARS)}])


def _body(message: Message, blocks: list[Block]) -> dict[str, Any]:
    return {
        "text": cut(escape(message.headline), MAX_FALLBACK_CHARS),
        "mrkdwn": False,
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _header(message: Message) -> Block:
    mark, words = HEADERS[message.reason]
    title = f"{mark} {message.symbol}: {words}" if words else f"{mark} {message.symbol}"
    return {"type": "header", "text": _plain(title, MAX_HEADER_CHARS)}


def _others(message: Message) -> Block:
    """The other alerts, one a line; those that do not fit are counted."""
    shown, left = [], MAX_OTHERS_CHARS
    for line in message.others:
        left -= length(escape(line)) + 1
        if left < 0:
            break
        shown.append(line)
    unsaid = len(message.others) - len(shown)
    shown += [f"and {unsaid:,} more"] if unsaid else []
    return {"type": "section", "text": _plain("\n".join(shown), MAX_SECTION_CHARS)}


_FOOTER_LABELS = ("Rule", "Model", "Alert")


def _fields(message: Message) -> list[list[Block]]:
    """The facts as fields, in sections of as many as Slack takes in one; what exceeds the room for them is left out."""
    facts = [fact for fact in message.facts if fact[0] not in _FOOTER_LABELS and fact[1] != message.link]
    fields, left = [], MAX_FACTS_CHARS
    for label, value in facts:
        field = _plain(f"{label}\n{value}", MAX_FIELD_CHARS)
        left -= _weight({"text": field})
        if left < 0:
            break
        fields.append(field)
    return [fields[start : start + MAX_FIELDS] for start in range(0, len(fields), MAX_FIELDS)]


def _footer(message: Message) -> list[tuple[str, str]]:
    return [fact for fact in message.facts if fact[0] in _FOOTER_LABELS][:MAX_CONTEXT_ELEMENTS]


def _quote(post: Quote) -> list[Block]:
    elements: list[Block] = [_plain(post.byline, MAX_TEXT_CHARS)]
    if post.strongest:
        elements.append(_plain(post.strongest, MAX_TEXT_CHARS))
    elements += _link(post.url, "open the post")
    return [
        {"type": "divider"},
        {"type": "section", "text": _plain(post.text, MAX_SECTION_CHARS)},
        _context(elements),
    ]


def _link(address: str | None, words: str) -> list[Block]:
    """One element, or none; the address as `alerts.message.web_link` gives it."""
    link = f"<{address.replace('&', '&amp;').replace('@', '%40')}|{words}>" if address else ""
    return [{"type": "mrkdwn", "text": link, "verbatim": True}] if 0 < length(link) <= MAX_TEXT_CHARS else []


def _context(elements: list[Block]) -> Block:
    return {"type": "context", "elements": elements[:MAX_CONTEXT_ELEMENTS]}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut(escape(text), limit), "emoji": False}


def escape(text: str) -> str:
    """Make text dead for Slack: the three control characters as entities, and no `@here`, `#channel` or link.

    https://docs.slack.dev/messaging/formatting-message-text/ asks for the entities. The invisible joiner after
    `@`, `#` and before `://` is for clients and notifications that link names and addresses all the same.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "@\u2060").replace("#", "#\u2060").replace("://", "\u2060://")


def length(text: str) -> int:
    """Length in UTF-16 units, the strictest reading of Slack's "characters"."""
    return len(text) + sum(character > "\uffff" for character in text)


def cut(escaped: str, limit: int) -> str:
    """The longest start of escaped text that fits the limit, with an ellipsis, never ending within an entity."""
    if length(escaped) <= limit:
        return escaped
    kept, used = len(escaped), 1
    for position, character in enumerate(escaped):
        used += 2 if character > "\uffff" else 1
        if used > limit:
            kept = position
            break
    start = escaped[:kept]
    # Every "&" begins an entity here, and the longest one has five characters.
    entity = start.rfind("&", max(0, kept - 4))
    if entity != -1 and ";" not in start[entity:]:
        start = start[:entity]
    return start + "…"


def _weight(block: Block) -> int:
    texts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    return 40 + sum(20 + length(text["text"]) for text in texts if text)


def _answer_header(answer: WebhookResponse, name: str) -> str | None:
    return next((value for key, value in answer.headers.items() if key.lower() == name), None)


def retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds or a date, as RFC 9110 10.2.3 allows; None when missing or unreadable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def reason_of(error: Exception) -> str:
    """What went wrong on the way, from kinds of error whose texts cannot hold the address."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason or type(cause).__name__}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__
