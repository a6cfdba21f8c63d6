"""Stand-ins on loopback for the services that are told over HTTP.

Each refuses what its vendor refuses, and what would act on people. The numbers are written down here once more, on
purpose: taken from the code under test, they would agree with any mistake in it.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.receivers import Answer, HttpReceiver, Request

__all__ = [
    "BOT_TOKEN",
    "ROUTING_KEY",
    "SECRET",
    "AppriseReceiver",
    "DiscordReceiver",
    "PagerDutyReceiver",
    "TeamsReceiver",
    "TelegramReceiver",
    "WebhookReceiver",
    "discord_problems",
    "pagerduty_problems",
    "teams_problems",
    "telegram_problems",
]

ROUTING_KEY = "0123456789abcdefSECRETSECRETabcd"
BOT_TOKEN = "12345678:AAsecretSECRET-secret_SECRETsecret12"
SECRET = "whsec_" + base64.b64encode(b"SECRET of twenty-four bytes or more").decode()


def units(text: str) -> int:
    """UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


_NAME = re.compile(r"@\w|<[@!#]")


def _awake(text: str) -> list[str]:
    """What a chat to which a text is passed on would act on."""
    return [f"acts on people: {found[0]!r}"] if (found := _NAME.search(text)) else []


class PagerDutyReceiver(HttpReceiver):
    """The Events API v2; `incidents` is what each key has come to."""

    path = "/v2/enqueue"

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, str] = {}

    def problems(self, request: Request, payload: Any) -> list[str]:
        too_long = ["longer than 512 KB"] if len(request.body) > 512_000 else []
        return too_long + pagerduty_problems(payload)

    def answer(self, payload: dict[str, Any]) -> Answer:
        key, action = payload["dedup_key"], payload["event_action"]
        known = self.incidents.get(key, "resolve") != "resolve"
        if action == "trigger" or known:  # what belongs to no open incident is dropped
            self.incidents[key] = self.incidents[key] if action == "trigger" and known else action
        return Answer(202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": key}))


def pagerduty_problems(event: Any) -> list[str]:
    """https://developer.pagerduty.com/docs/send-alert-event."""
    problems = [] if event.get("routing_key") == ROUTING_KEY else ["wrong routing_key"]
    problems += [] if event.get("event_action") in {"trigger", "acknowledge", "resolve"} else ["event_action"]
    problems += [] if 0 < len(event.get("dedup_key", "")) <= 255 else ["dedup_key: empty or longer than 255"]
    if event.get("event_action") != "trigger":
        return problems
    payload = event["payload"]
    problems += [] if 0 < units(payload["summary"]) <= 1024 else ["summary: empty or longer than 1024"]
    problems += [] if payload["severity"] in {"critical", "error", "warning", "info"} else ["severity"]
    problems += [] if payload["source"].strip() else ["source: empty"]
    problems += [] if datetime.fromisoformat(payload["timestamp"]).tzinfo else ["timestamp: no zone"]
    problems += [f"link {link}" for link in event["links"] if not re.match("https?://", link["href"])]
    return problems + [problem for text in _strings(payload) for problem in _awake(text)]


class TeamsReceiver(HttpReceiver):
    """A flow of Workflows that waits for a card."""

    path = "/workflows/SECRETflow/triggers/manual/paths/invoke?api-version=2016-06-01&sig=SECRETsig-SECRETsig"

    def problems(self, request: Request, payload: Any) -> list[str]:
        # https://learn.microsoft.com/connectors/teams/ says about 28 KB
        too_long = ["RequestEntityTooLarge"] if len(request.body) > 28_000 else []
        return too_long + teams_problems(payload)

    def answer(self, payload: dict[str, Any]) -> Answer:
        return Answer(202)


_TEAMS_ELEMENTS = {
    # https://learn.microsoft.com/adaptive-cards/schema-explorer/rich-text-block and …/text-run, version 1.2
    "RichTextBlock": {"type", "inlines", "spacing", "separator", "horizontalAlignment"},
    "TextRun": {"type", "text", "color", "fontType", "isSubtle", "size", "weight", "selectAction", "highlight"},
}


def teams_problems(payload: Any) -> list[str]:
    """What Teams would refuse or show as something else than text; only elements without Markdown are known here."""
    if payload.get("type") != "message" or len(payload.get("attachments", [])) != 1:
        return ["no message with one card"]
    (attachment,) = payload["attachments"]
    card = attachment["content"]
    problems = [] if attachment["contentType"] == "application/vnd.microsoft.card.adaptive" else ["content type"]
    problems += [] if (card["type"], card["version"]) == ("AdaptiveCard", "1.2") else ["card version"]
    problems += ["mentions somebody"] if "entities" in card.get("msteams", {}) else []
    for block in card["body"]:
        for element in [block, *block.get("inlines", [])]:
            allowed = _TEAMS_ELEMENTS.get(element.get("type"), set())
            problems += [] if set(element) <= allowed else [f"unknown: {element}"]
            if element.get("type") == "TextRun" and not element["text"]:
                problems.append("an empty run")
            action = element.get("selectAction", {"url": "https://"})
            problems += [] if re.match(r"https?://", action["url"]) else [f"link {action}"]
    for text in (each for each in _strings(card) if not each.startswith(("http://", "https://"))):
        problems += _awake(text) + (["a function"] if "{{" in text else [])
    return problems


class DiscordReceiver(HttpReceiver):
    """A channel's webhook that stores messages and gives them numbers."""

    path = "/api/webhooks/123456789012345678/tokenSECRETtokenSECRET"

    def problems(self, request: Request, payload: Any) -> list[str]:
        waits = parse_qs(urlsplit(request.path).query).get("wait") == ["true"]
        return discord_problems(payload) + ([] if waits else ["does not wait"])

    def answer(self, payload: dict[str, Any]) -> Answer:
        return Answer(200, json.dumps({"id": str(10**18 + len(self.accepted)), "content": payload["content"]}))


_DISCORD_LINK = re.compile(r"\[open (?:the post|its page)\]\(<https?://[^\s<>()\[\]]+>\)")
_DISCORD_ESCAPE = re.compile(r"\\[^0-9A-Za-z\s]")


def discord_problems(payload: Any) -> list[str]:
    """https://discord.com/developers/docs/resources/message#embed-object-embed-limits, and what would be formatted."""
    problems = [] if payload.get("allowed_mentions") == {"parse": []} else ["may mention somebody"]
    problems += [] if 0 < units(payload["content"].strip()) <= 2000 else ["content: empty or longer than 2000"]
    (embed,) = payload["embeds"]
    texts = [embed["description"]] if "description" in embed else []
    problems += [] if all(0 < units(text) <= 4096 for text in texts) else ["description: empty or longer than 4096"]
    problems += [] if len(embed["fields"]) <= 25 else ["more than 25 fields"]
    for field in embed["fields"]:
        texts += [field["name"], field["value"]]
        problems += [] if 0 < units(field["name"].strip()) <= 256 else ["field: name"]
        problems += [] if 0 < units(field["value"].strip()) <= 1024 else ["field: value"]
    problems += [] if sum(map(units, texts)) <= 6000 else ["embed longer than 6000"]
    for text in [payload["content"], *texts]:
        if any("\ud800" <= character <= "\udfff" for character in text):
            problems.append("a lone surrogate")
        bare = _DISCORD_ESCAPE.sub("", _DISCORD_LINK.sub("", text))
        bare = re.sub(r"^> ", "", re.sub("`[▁▂▃▄▅▆▇█]+`", "", bare), flags=re.MULTILINE)
        problems += [f"not escaped: {found[0]!r}"] if (found := re.search(r"[\\*_~`|<>\[\]@#]|://", bare)) else []
    return problems


class TelegramReceiver(HttpReceiver):
    """The Bot API with one bot and one chat."""

    path = "/"
    chat = "-1001234567890"

    def problems(self, request: Request, payload: Any) -> list[str]:
        wrong_path = [] if request.path == f"/bot{BOT_TOKEN}/sendMessage" else ["Not Found"]
        return (
            wrong_path
            + ([] if payload.get("chat_id") == self.chat else ["chat not found"])
            + telegram_problems(payload)
        )

    def answer(self, payload: dict[str, Any]) -> Answer:
        return Answer(200, json.dumps({"ok": True, "result": {"message_id": 100 + len(self.accepted)}}))


class _TelegramText(HTMLParser):
    """Reads what Telegram's HTML mode reads, and complains where it would."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.problems: list[str] = []
        self.shown = ""
        self.linkable = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = {"b": [], "blockquote": [], "code": [], "a": ["href"]}
        if tag not in allowed or [name for name, _ in attrs] != allowed[tag]:
            self.problems.append(f"unsupported start tag {tag} {attrs}")
        if tag == "a" and not re.match("https?://", str(attrs[0][1])):
            self.problems.append(f"link {attrs}")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"unmatched end tag {tag}")

    def handle_data(self, data: str) -> None:
        if "<" in data or ">" in data or "&" in data:
            self.problems.append("not escaped")
        self.shown += data
        self.linkable += " " if "code" in self.open else data

    def handle_entityref(self, name: str) -> None:
        found = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}.get(name)
        self.problems += [] if found else [f"unsupported entity {name}"]
        self.shown += found or ""
        self.linkable += found or ""

    def handle_charref(self, name: str) -> None:
        self.shown += chr(int(name.removeprefix("x"), 16 if name.startswith("x") else 10))

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"a comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.problems.append(f"a declaration {decl}")

    def unknown_decl(self, data: str) -> None:
        self.problems.append(f"a declaration {data}")

    def handle_pi(self, data: str) -> None:
        self.problems.append(f"an instruction {data}")


_TELEGRAM_LINKS = re.compile(r"@\w|\w://|(?:^|[^\w/⁠])/[A-Za-z]|[a-z0-9]\.(?:com|org|example|net|io)\b", re.IGNORECASE)


def telegram_problems(payload: Any) -> list[str]:
    """https://core.telegram.org/bots/api#html-style, and what clients would link by themselves."""
    problems = [] if payload.get("parse_mode") == "HTML" else ["parse_mode"]
    problems += [] if payload.get("link_preview_options") == {"is_disabled": True} else ["previews what posts link to"]
    parser = _TelegramText()
    parser.feed(payload["text"])
    parser.close()
    problems += parser.problems + [f"not closed: {tag}" for tag in parser.open]
    problems += [] if 0 < units(parser.shown.strip()) <= 4096 else ["message is too long, or empty"]
    problems += [f"alive: {found[0]!r}"] if (found := _TELEGRAM_LINKS.search(parser.linkable)) else []
    return problems


class WebhookReceiver(HttpReceiver):
    """A program that checks signatures as docs/webhook.md says, written here with nothing of ours."""

    path = "/hooks/SECRETSECRETpath"

    def __init__(self, now: datetime, secret: str = SECRET) -> None:
        super().__init__()
        self.now = now
        self.headers: list[dict[str, str]] = []
        self._key = base64.b64decode(secret.removeprefix("whsec_"))

    def problems(self, request: Request, payload: Any) -> list[str]:
        self.headers.append(request.headers)
        identity, sent = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "0")
        signed = b".".join([identity.encode(), sent.encode(), request.body])
        expected = "v1," + base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        problems = [] if any(hmac.compare_digest(expected, each) for each in given) else ["wrong signature"]
        problems += [] if abs(self.now.timestamp() - int(sent)) <= 300 else ["too old, or from the future"]
        problems += ["an id with a dot"] if "." in identity or not identity else []
        return problems + ([] if payload.get("version") == 1 else ["unknown version"])

    def answer(self, payload: dict[str, Any]) -> Answer:
        return Answer(204)


class AppriseReceiver(HttpReceiver):
    """What apprise's `json://` sends to."""

    path = "/SECRETpath"

    def __init__(self) -> None:
        super().__init__()
        self.service = self.url.replace("http://", "json://")

    def problems(self, request: Request, payload: Any) -> list[str]:
        problems = ["attachments"] if payload["attachments"] else []
        for text in (payload["title"], payload["message"]):
            problems += _awake(text) + (["not dead"] if re.search(r"[<>]|\w://", text) else [])
        return problems

    def answer(self, payload: dict[str, Any]) -> Answer:
        return Answer(200)
