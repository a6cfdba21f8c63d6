"""Discord: an alert as a message with an embed, sent to a channel's webhook, its chart in the same request.

Posts are escaped, so that Markdown, links and names in them are only text; and nobody may be mentioned at all.
"""

import logging
import re
from typing import Any

from alerts.chart import render_chart
from alerts.fitting import fit, fit_lines
from alerts.http import Answer, Poster, check_address, encode
from alerts.message import Message, Quote, compose
from alerts.multipart import multipart
from alerts.slack_blocks import HEADERS, length
from bearometer.alert import Delivery
from bearometer.clock import Clock
from bearometer.settings import AlertSettings, DiscordSettings

__all__ = ["DiscordNotifier", "escape", "render_discord"]

# https://discord.com/developers/docs/resources/webhook#execute-webhook
MAX_CONTENT_CHARS = 2000
# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
MAX_DESCRIPTION_CHARS = 4096
MAX_FIELDS = 25
MAX_FIELD_NAME_CHARS = 256
MAX_FIELD_VALUE_CHARS = 1024
MAX_EMBED_CHARS = 6000
# https://discord.com/developers/docs/resources/message#attachment-object
MAX_ALT_CHARS = 1024

PICTURE = "chart.png"
PICTURE_REFUSED = frozenset({400, 413})
"""The message may be refused for its picture: then it is sent without."""
SHORT_VALUE_CHARS = 40
"""Fields up to this stand side by side."""
RED, GREEN = 0xC0392B, 0x2E7D32

# https://support.discord.com/hc/articles/210298617-Markdown-Text-101: a backslash makes any of these an ordinary one.
_MARKUP = re.compile(r"([\\*_~`|>#+\-\[\]()<:@/]|(?<=\d)\.)")


log = logging.getLogger(__name__)


class DiscordNotifier:
    """Posts alerts to one webhook; one request per call of `send`, and a second one where a picture is refused."""

    name = "discord"

    def __init__(self, settings: DiscordSettings, alerts: AlertSettings, clock: Clock) -> None:
        secret = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
        url = check_address(secret, "discord.webhook_url")
        self._alerts = alerts
        # Without `wait` Discord answers before it has stored the message, and says nothing when that fails.
        waiting = f"{url}{'&' if '?' in url else '?'}wait=true"
        self._poster = Poster("Discord", waiting, settings.timeout_seconds, clock)

    def send(self, delivery: Delivery) -> str | None:
        """Post the message; returning means that Discord has stored it. Gives its id. Raises as `Poster` says."""
        message = compose(delivery, self._alerts)
        chart = _draw(message)
        answer = self._post(message, chart)
        if chart is not None and answer.status in PICTURE_REFUSED:
            answer = self._post(message, None)
        fields = answer.fields()
        if answer.status == 204:
            return None
        if answer.status != 200 or "id" not in fields:
            said = fields.get("message")
            raise self._poster.refusal(answer, said if isinstance(said, str) else None)
        return str(fields["id"])[:100]

    def _post(self, message: Message, chart: bytes | None) -> Answer:
        body = encode(render_discord(message, picture=chart is not None))
        if chart is None:
            return self._poster.post(body)
        form, content_type = multipart({"payload_json": body.decode()}, {"files[0]": (PICTURE, chart, "image/png")})
        return self._poster.post(form, {"Content-Type": content_type})


def _draw(message: Message) -> bytes | None:
    """The chart; None without one, and when it cannot be drawn, which must not cost the alert."""
    try:
        return render_chart(message.symbol, message.chart, message.highlight)
    except Exception:
        log.exception("a chart cannot be drawn: Discord gets the alert without it")
        return None


def render_discord(message: Message, *, picture: bool = False) -> dict[str, Any]:
    """The body for the webhook: JSON-ready, within Discord's limits, and without a right to mention anybody.

    With a `picture` the chart comes with it as the file 0, `PICTURE`; without, it is a line of block characters.
    """
    left = MAX_EMBED_CHARS
    fields: list[dict[str, Any]] = []
    for field in _fields(message)[:MAX_FIELDS]:
        left -= length(field["name"]) + length(field["value"])
        if left < 0:
            break
        fields.append(field)
    chart = f"`{message.chart_line}` over time" if message.chart_line and not picture else ""
    parts, left = [], min(left, MAX_DESCRIPTION_CHARS)
    for shown in [chart, *map(_quote, message.quotes)]:
        left -= length(shown) + 2
        if left < 0:
            break
        parts.append(shown)
    embed: dict[str, Any] = {"color": GREEN if message.resolved else RED, "fields": fields}
    if description := "\n\n".join(part for part in parts if part):
        embed["description"] = description
    marker, _ = HEADERS[message.reason]
    body = {
        "content": f"{marker} {fit(message.headline, MAX_CONTENT_CHARS - 3, escape)}",
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    }
    if picture:
        # https://discord.com/developers/docs/reference#uploading-files
        embed["image"] = {"url": f"attachment://{PICTURE}"}
        alt = fit(message.chart_alt, MAX_ALT_CHARS)
        body["attachments"] = [{"id": 0, "filename": PICTURE, "description": alt}]
    return body


def _fields(message: Message) -> list[dict[str, Any]]:
    also = [("Also", fit_lines(message.others, MAX_FIELD_VALUE_CHARS, escape))] if message.others else []
    facts = [(fit(label, MAX_FIELD_NAME_CHARS, escape), _value(value, message.link)) for label, value in message.facts]
    return [
        {"name": name, "value": value, "inline": len(value) <= SHORT_VALUE_CHARS} for name, value in [*also, *facts]
    ]


def escape(text: str) -> str:
    """Make text dead for Discord: every sign of its Markdown, of links, names, emoji and times behind a backslash."""
    return _MARKUP.sub(r"\\\1", text)


def _quote(post: Quote) -> str:
    below = escape(" · ".join(part for part in (post.byline, post.strongest) if part))
    link = f" · {_link('open the post', post.url)}" if post.url else ""
    return f"> {escape(post.text)}\n{below}{link}"


def _value(value: str, link: str | None) -> str:
    shown = _link("open its page", link) if link is not None and value == link else ""
    return shown if 0 < length(shown) <= MAX_FIELD_VALUE_CHARS else fit(value or "-", MAX_FIELD_VALUE_CHARS, escape)


def _link(text: str, address: str) -> str:
    # A bracket would end the link; web_link has taken the rest that could.
    return f"[{text}](<{address.replace('(', '%28').replace(')', '%29')}>)"
