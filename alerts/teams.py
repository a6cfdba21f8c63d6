"""Microsoft Teams: an alert as an Adaptive Card, sent to a webhook of Workflows.

Every text stands in a TextRun, which knows no Markdown. Nothing mentions anybody: that would need a list of entities
beside the card, which is never sent.
"""

from typing import Any
from urllib.parse import urlsplit

from alerts.fitting import fit, fit_fact, fit_lines, inert
from alerts.http import Poster, check_address, encode
from alerts.message import Message, Quote, compose
from bearometer.alert import Delivery
from bearometer.clock import Clock
from bearometer.errors import Misconfigured
from bearometer.settings import AlertSettings, TeamsSettings

__all__ = ["TeamsNotifier", "render_teams"]

# https://learn.microsoft.com/connectors/teams/#known-issues-and-limitations-with-actions says about 28 KB; the client
# at https://www.rubydoc.info/gems/msteams_hermes/MsTeamsHermes/Message was refused from 21 KB on.
MAX_MESSAGE_BYTES = 20_000
# Not documented; longer ones are not read.
MAX_TEXT_CHARS = 1000
MAX_OTHERS_CHARS = 1500

RETIRED_HOSTS = ("webhook.office.com", "outlook.office.com", "outlook.office365.com")
"""Of Office 365 connectors, which Microsoft has replaced by Workflows."""

Block = dict[str, Any]


class TeamsNotifier:
    """Posts alerts to one webhook; at most one request per call of `send`."""

    name = "teams"

    def __init__(self, settings: TeamsSettings, alerts: AlertSettings, clock: Clock) -> None:
        secret = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
        url = check_address(secret, "teams.webhook_url")
        host = urlsplit(url).hostname or ""
        if any(host == retired or host.endswith(f".{retired}") for retired in RETIRED_HOSTS):
            message = "`teams.webhook_url` is an Office 365 connector; make a webhook in Workflows, these are retired"
            raise Misconfigured(message)
        self._alerts = alerts
        self._poster = Poster("Teams", url, settings.timeout_seconds, clock)

    def send(self, delivery: Delivery) -> str | None:
        """Post the card; returning means that Workflows has accepted it, which posts it a moment later.

        Raises as `Poster` says; also Transient for a web page in place of an answer.
        """
        answer = self._poster.post(encode(render_teams(compose(delivery, self._alerts))))
        page = answer.status != 202 and "html" in answer.content_type
        if not 200 <= answer.status < 300 or page:
            raise self._poster.refusal(answer)
        return None


def render_teams(message: Message) -> dict[str, Any]:
    """The body for the webhook: JSON-ready, within the size that Teams takes; what no longer fits is left out."""
    colour = "good" if message.resolved else "attention"
    blocks = [_block([_run(message.headline, size="large", weight="bolder", color=colour)])]
    optional: list[list[Block]] = [
        _others(message),
        *([_fact(label, value, message.link)] for label, value in message.facts),
        [_block([_run(message.chart_line, fontType="monospace")])] if message.chart_line else [],
        *(_quote(post) for post in message.quotes),
    ]
    for shown in optional:
        if len(encode(_envelope(message, [*blocks, *shown]))) > MAX_MESSAGE_BYTES:
            break
        blocks += shown
    return _envelope(message, blocks)


def _envelope(message: Message, blocks: list[Block]) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",  # the first one with RichTextBlock
        "fallbackText": fit(message.headline, MAX_TEXT_CHARS, inert),
        "msteams": {"width": "Full"},
        "body": blocks,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _others(message: Message) -> list[Block]:
    lines = fit_lines(message.others, MAX_OTHERS_CHARS, inert).split("\n") if message.others else []
    return [_block([{"type": "TextRun", "text": line}], spacing="none") for line in lines]


def _fact(label: str, value: str, link: str | None) -> Block:
    if value == link:
        return _block([_link(label, link)], spacing="none")
    shown = {"type": "TextRun", "text": fit_fact(label, value or "-", MAX_TEXT_CHARS)}
    return _block([_run(f"{label}: ", isSubtle=True), shown], spacing="none")


def _quote(post: Quote) -> list[Block]:
    below = [_run(post.byline, isSubtle=True, size="small")]
    if post.strongest:
        below.append(_run(f" · {post.strongest}", isSubtle=True, size="small"))
    if post.url:
        below += [_run(" · ", size="small"), _link("open the post", post.url, size="small")]
    return [_block([_run(post.text)], separator=True, spacing="medium"), _block(below, spacing="none")]


def _link(text: str, address: str, **looks: Any) -> Block:
    return _run(text, selectAction={"type": "Action.OpenUrl", "url": address}, **looks)


def _block(runs: list[Block], **looks: Any) -> Block:
    return {"type": "RichTextBlock", "inlines": runs, **looks}


def _run(text: str, **looks: Any) -> Block:
    return {"type": "TextRun", "text": fit(text, MAX_TEXT_CHARS, inert), **looks}
