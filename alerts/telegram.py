"""Telegram: an alert as HTML, sent by a bot to one chat; what comes later about the same alert answers it there.

Its chart is a second message, since a photo's caption may not be as long as an alert, and an extra: whatever goes wrong
with it, the alert counts as told, for it would be told twice otherwise.
"""

import logging
import re
from html import escape as escape_html
from typing import Any

from alerts.chart import render_chart
from alerts.fitting import COPIED, fit, fit_lines, inert
from alerts.http import MENDABLE, Answer, Poster, check_address, encode
from alerts.message import Message, Quote, compose
from alerts.multipart import multipart
from alerts.pause import EXTRA_SECONDS, Pause
from alerts.slack_blocks import HEADERS, length
from bearometer.alert import Delivery, NotificationReason
from bearometer.clock import Clock
from bearometer.errors import BearometerError, Misconfigured, Transient
from bearometer.settings import AlertSettings, TelegramSettings
from bearometer.terminal import plain

__all__ = ["TelegramNotifier", "escape", "render_telegram"]

# https://core.telegram.org/bots/api#sendmessage: after entities are parsed; here with all markup, which is more.
MAX_MESSAGE_CHARS = 4096
# So that all of these together, and the id, are less than that:
MAX_HEADLINE_CHARS = 400
MAX_OTHERS_CHARS = 600
MAX_FACTS_CHARS = 2400
MAX_FACT_CHARS = 320
# https://core.telegram.org/bots/api#sendphoto
MAX_CAPTION_CHARS = 1024

WITH_CHART = (NotificationReason.FIRING, NotificationReason.ESCALATED)
"""When there is something new to see."""

# https://github.com/vrumger/telegram-errors
_WRONG_CHAT = re.compile(
    "chat not found|chat was upgraded|no rights|not enough rights|administrator rights|CHAT_ADMIN_REQUIRED"
    "|TOPIC_CLOSED|CHAT_WRITE_FORBIDDEN|CHANNEL_PRIVATE"
)
"""What Telegram says with 400 where a person can mend it."""

log = logging.getLogger(__name__)


class TelegramNotifier:
    """Sends alerts to one chat; one request per call of `send`, and a second one where there is a chart."""

    name = "telegram"

    def __init__(self, settings: TelegramSettings, alerts: AlertSettings, clock: Clock) -> None:
        token = settings.bot_token.get_secret_value().strip() if settings.bot_token else ""
        if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", token):
            message = "`telegram.bot_token` is not a token of a bot; it must be as @BotFather gave it"
            raise Misconfigured(message)
        if settings.chat_id is None:
            message = "`telegram.chat_id` is missing; it must name the chat, since `telegram.bot_token` is set"
            raise Misconfigured(message)
        base = check_address(settings.url, "telegram.url").rstrip("/")
        self._chat = settings.chat_id
        self._alerts = alerts
        self._clock = clock
        bot, timeout_seconds = f"{base}/bot{token}", settings.timeout_seconds
        self._messages = Poster("Telegram", f"{bot}/sendMessage", timeout_seconds, clock, [token])
        chart_seconds = min(timeout_seconds, EXTRA_SECONDS)
        self._photos = Poster("Telegram", f"{bot}/sendPhoto", chart_seconds, clock, [token])
        self._pause = Pause(clock)

    def send(self, delivery: Delivery) -> str | None:
        """Send the message, then its chart; returning means that Telegram has the message. Gives its number there.

        Raises as `Poster` says, with the wait that Telegram asks for; Unavailable for a wrong chat.
        """
        message = compose(delivery, self._alerts)
        payload: dict[str, Any] = {
            "chat_id": self._chat,
            "text": render_telegram(message),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if delivery.thread is not None and delivery.thread.isdecimal():
            payload["reply_parameters"] = _reply_to(int(delivery.thread))
        number = self._result(self._messages, self._messages.post(encode(payload))).get("message_id")
        if isinstance(number, int) and delivery.reason in WITH_CHART:
            self._show_chart(message, number)
        return None if number is None else str(number)[:100]

    def _show_chart(self, message: Message, number: int) -> None:
        """Answer the message with its chart, if it has one; what goes wrong is logged and no more."""
        if not self._pause.is_over:
            return
        try:
            chart = render_chart(message.symbol, message.chart, message.highlight)
            if chart is not None:
                self._send_photo(chart, message.chart_alt, number)
        except Exception as error:
            wait = self._pause.begin(error)
            known = isinstance(error, BearometerError)
            log.warning(
                "Telegram has an alert without its chart, and gets none for %.0f s: %s; if this goes on, see that the"
                " bot may send photos in the chat, and that Telegram can be reached",
                wait,
                error if known else f"a defect: {type(error).__name__}",
                exc_info=not known,
            )

    def _send_photo(self, chart: bytes, alt: str, number: int) -> None:
        fields = {
            "chat_id": self._chat,
            "caption": fit(alt, MAX_CAPTION_CHARS, escape),  # Telegram has no other text for people who cannot see it
            "parse_mode": "HTML",
            "disable_notification": "true",  # the message has rung
            "reply_parameters": encode(_reply_to(number)).decode(),
        }
        body, content_type = multipart(fields, {"photo": ("chart.png", chart, "image/png")})
        self._result(self._photos, self._photos.post(body, {"Content-Type": content_type}))

    def _result(self, poster: Poster, answer: Answer) -> dict[str, Any]:
        """What Telegram has made of the request; raises where it has not taken it."""
        fields = answer.fields()
        result = fields.get("result")
        if answer.status != 200 or fields.get("ok") is not True or not isinstance(result, dict):
            raise self._refusal(poster, answer, fields)
        return result

    def _refusal(self, poster: Poster, answer: Answer, fields: dict[str, Any]) -> BearometerError:
        said = plain(str(fields.get("description", "")), 200)
        mendable = MENDABLE | {400} if _WRONG_CHAT.search(said) else MENDABLE
        parameters = fields.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        if isinstance(moved := parameters.get("migrate_to_chat_id"), int):
            said = f"the group has become a supergroup; set telegram.chat_id to {moved}"
        error = poster.refusal(answer, said or None, mendable)
        if isinstance(error, Transient) and isinstance(wait := parameters.get("retry_after"), int | float):
            error.retry_after_seconds = max(0.0, float(wait))
        return error


def render_telegram(message: Message) -> str:
    """The message as Telegram's HTML, within its limit; no tag is cut and no name, address or command is alive."""
    marker, _ = HEADERS[message.reason]
    lines = [f"{marker} <b>{fit(message.headline, MAX_HEADLINE_CHARS, escape)}</b>", ""]
    if message.others:
        lines += [fit_lines(message.others, MAX_OTHERS_CHARS, escape), ""]
    lines += _facts(message)
    if message.chart_line:
        lines.append(f"Chart: <code>{message.chart_line}</code>")
    left = MAX_MESSAGE_CHARS - length("\n".join(lines))
    for post in message.quotes:
        shown = _quote(post)
        left -= length(shown) + 1
        if left < 0:
            break
        lines.append(shown)
    return "\n".join(lines)


def _reply_to(number: int) -> dict[str, Any]:
    return {"message_id": number, "allow_sending_without_reply": True}


def escape(text: str) -> str:
    """Make text dead for Telegram: the three signs of HTML as entities, and nothing that it would link by itself."""
    return escape_html(inert(text), quote=False)


def _facts(message: Message) -> list[str]:
    """The facts, one a line, as many as fit; the last one, the alert's id, whatever the others are."""
    shown = [_fact(label, value, message.link) for label, value in message.facts]
    kept, left = [], MAX_FACTS_CHARS
    for line in shown[:-1]:
        left -= length(line) + 1
        if left < 0:
            break
        kept.append(line)
    return [*kept, *shown[-1:]]


def _fact(label: str, value: str, link: str | None) -> str:
    if link is not None and value == link and length(link) <= MAX_FACT_CHARS:
        return f'<a href="{escape_html(link)}">{escape(label)}</a>'
    if label in COPIED:  # in `code` Telegram links nothing by itself, and a tap copies it as it is
        return f"{label}: <code>{fit(value, MAX_FACT_CHARS, lambda text: escape_html(text, quote=False))}</code>"
    return f"{fit(label, MAX_FACT_CHARS, escape)}: {fit(value, MAX_FACT_CHARS, escape)}"


def _quote(post: Quote) -> str:
    below = escape(" · ".join(part for part in (post.byline, post.strongest) if part))
    link = f' · <a href="{escape_html(post.url)}">open the post</a>' if post.url else ""
    return f"<blockquote>{escape(post.text)}</blockquote>\n{below}{link}"
