"""Slack's Block Kit: an alert as the blocks of a message, for the bot and the webhook.

Text from posts and symbols stands only in `plain_text` objects, where nothing is formatted or linked, and with
`&`, `<` and `>` escaped, so that `<!channel>` or `<@U123>` in a post is only text. The one thing from a post that
stands in `mrkdwn` is a re-encoded http or https address inside `<address|open the post>`; the alert's own page is
linked in the same way.
"""

from typing import Any

from alerts.message import Message, Quote
from bearometer.alert import NotificationReason

__all__ = ["HEADERS", "cut", "escape", "length", "render_slack", "render_slack_reply"]

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

HEADERS = {
    NotificationReason.FIRING: ("🔻", ""),
    NotificationReason.ESCALATED: ("🚨", "much worse"),
    NotificationReason.REPEATED: ("🔁", "still going on"),
    NotificationReason.ACKNOWLEDGED: ("👀", "taken on"),
    NotificationReason.RESOLVED: ("✅", "over"),
}
"""A mark in the colour of what has happened, and what that is in words."""

Block = dict[str, Any]


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
