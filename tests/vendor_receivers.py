"""Stand-ins on loopback for the services that are told over HTTP.

Each refuses what its vendor refuses, and what would act on people. The numbers are written down here once more, on
purpose: taken from the code under test, they would agree with any mistake in it.
"""

import base64
import hashlib
import hmac
import json
import re
import struct
from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.forms import Part, read_form
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
    "telegram_photo_problems",
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


@dataclass(frozen=True)
class _WithFiles(Request):
    """A form whose message is the body."""

    files: dict[str, Part]


class DiscordReceiver(HttpReceiver):
    """A channel's webhook that stores messages and gives them numbers; `files` has those of each accepted one."""

    path = "/api/webhooks/123456789012345678/tokenSECRETtokenSECRET"

    def __init__(self) -> None:
        super().__init__()
        self.files: list[dict[str, Part]] = []

    def problems(self, request: Request, payload: Any) -> list[str]:
        waits = parse_qs(urlsplit(request.path).query).get("wait") == ["true"]
        files = request.files if isinstance(request, _WithFiles) else {}
        return discord_problems(payload, files) + ([] if waits else ["does not wait"])

    def _take(self, request: Request) -> Answer | None:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            files = read_form(request.headers["content-type"], request.body)
            body = files.pop("payload_json").content
            request = _WithFiles(request.path, {**request.headers, "content-type": "application/json"}, body, files)
        before = len(self.accepted)
        answer = super()._take(request)
        if len(self.accepted) > before:
            self.files.append(request.files if isinstance(request, _WithFiles) else {})
        return answer

    def answer(self, payload: dict[str, Any]) -> Answer:
        return Answer(200, json.dumps({"id": str(10**18 + len(self.accepted)), "content": payload["content"]}))


_DISCORD_LINK = re.compile(r"\[open (?:the post|its page)\]\(<https?://[^\s<>()\[\]]+>\)")
_DISCORD_ESCAPE = re.compile(r"\\[^0-9A-Za-z\s]")


def _discord_file_problems(payload: Any, files: dict[str, Part]) -> list[str]:
    """https://discord.com/developers/docs/reference#uploading-files, and files that would be shown beside the embed."""
    problems = [f"field {name}" for name in files if not re.fullmatch(r"files\[\d+\]", name)]
    named = {name: part.filename for name, part in files.items()}
    told = payload.get("attachments", [])
    problems += [] if named == {f"files[{each['id']}]": each["filename"] for each in told} else ["other files"]
    problems += [] if all(0 < units(each["description"]) <= 1024 for each in told) else ["file: description"]
    pictures = [embed["image"]["url"] for embed in payload["embeds"] if "image" in embed]
    problems += [] if pictures == [f"attachment://{name}" for name in named.values()] else ["a picture is not shown"]
    for part in files.values():
        png = part.headers["content-type"] == "image/png" and part.content[:8] == b"\x89PNG\r\n\x1a\n"
        problems += [] if png and len(part.content) <= 10 << 20 else ["no picture, or too large"]
    return problems


def discord_problems(payload: Any, files: dict[str, Part] | None = None) -> list[str]:
    """https://discord.com/developers/docs/resources/message#embed-object-embed-limits, and what would be formatted."""
    problems = _discord_file_problems(payload, files or {})
    problems += [] if payload.keys() <= {"content", "embeds", "allowed_mentions", "attachments"} else ["unknown"]
    problems += [] if payload.get("allowed_mentions") == {"parse": []} else ["may mention somebody"]
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
    """The Bot API with one bot and one chat; of photos `photos` has what `accepted` has of messages."""

    path = "/"
    chat = "-1001234567890"

    def __init__(self) -> None:
        super().__init__()
        self.photos: list[dict[str, Part]] = []
        self.photo_answers: deque[Answer] = deque()
        self.photos_silent = False
        """Take photos and never answer, until `stop`."""

    def problems(self, request: Request, payload: Any) -> list[str]:
        wrong_path = [] if request.path == f"/bot{BOT_TOKEN}/sendMessage" else ["Not Found"]
        return (
            wrong_path
            + ([] if payload.get("chat_id") == self.chat else ["chat not found"])
            + telegram_problems(payload)
        )

    def answer(self, payload: dict[str, Any]) -> Answer:
        return self._numbered()

    def _take(self, request: Request) -> Answer | None:
        if request.path != f"/bot{BOT_TOKEN}/sendPhoto" or self.silent:
            return super()._take(request)
        self.requests += 1
        if self.photos_silent:
            self._stopping.wait(30)
            return None
        if self.photo_answers:
            return self.photo_answers.popleft()
        try:
            form = read_form(request.headers.get("content-type", ""), request.body)
            problems = telegram_photo_problems(form, self.chat, range(101, self._next_number()))
        except (ValueError, KeyError, TypeError, struct.error) as error:
            problems = [repr(error)]
        if problems:
            self.refused.append(problems)
            said = {"ok": False, "error_code": 400, "description": f"Bad Request: {problems[0]}"}
            return Answer(400, json.dumps(said))
        self.photos.append(form)
        return self._numbered()

    def _next_number(self) -> int:
        return 101 + len(self.accepted) + len(self.photos)

    def _numbered(self) -> Answer:
        return Answer(200, json.dumps({"ok": True, "result": {"message_id": self._next_number() - 1}}))


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
    previews = payload.get("link_preview_options") != {"is_disabled": True}
    problems = ["previews what posts link to"] if previews else []
    return problems + _telegram_html_problems(payload["text"], payload.get("parse_mode"), 4096, "message")


def _telegram_html_problems(text: str, parse_mode: Any, limit: int, kind: str) -> list[str]:
    problems = [] if parse_mode == "HTML" else ["parse_mode"]
    parser = _TelegramText()
    parser.feed(text)
    parser.close()
    problems += parser.problems + [f"not closed: {tag}" for tag in parser.open]
    problems += [] if 0 < units(parser.shown.strip()) <= limit else [f"{kind} is too long, or empty"]
    problems += [f"alive: {found[0]!r}"] if (found := _TELEGRAM_LINKS.search(parser.linkable)) else []
    return problems


# https://core.telegram.org/bots/api#sendphoto; what is not of that list would silently have no effect
_TELEGRAM_PHOTO_FIELDS = frozenset(
    {
        *("business_connection_id", "chat_id", "message_thread_id", "photo", "caption", "parse_mode"),
        *("caption_entities", "show_caption_above_media", "has_spoiler", "disable_notification", "protect_content"),
        *("allow_paid_broadcast", "message_effect_id", "reply_parameters", "reply_markup"),
    }
)


def telegram_photo_problems(form: dict[str, Part], chat: str, known: Container[int]) -> list[str]:
    """What Telegram refuses in a photo that is uploaded, and what would ring or be read as more than a caption.

    `known` are the numbers of the messages in the chat.
    """
    fields = {name: part.content.decode() for name, part in form.items() if name != "photo"}
    problems = [f"unknown {name}" for name in sorted(form.keys() - _TELEGRAM_PHOTO_FIELDS)]
    problems += [] if fields["chat_id"] == chat else ["chat not found"]
    problems += [] if fields.get("disable_notification") == "true" else ["rings once more"]
    reply = json.loads(fields["reply_parameters"])
    problems += [] if type(reply["message_id"]) is int and reply["message_id"] in known else ["answers no message"]
    problems += [] if reply.get("allow_sending_without_reply") is True else ["needs the message that it answers"]
    photo = form["photo"]
    problems += [] if photo.filename and photo.headers["content-type"] == "image/png" else ["no file"]
    problems += [] if photo.content[:16] == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" else ["IMAGE_PROCESS_FAILED"]
    problems += [] if len(photo.content) <= 10_000_000 else ["file is too big"]
    width, height = struct.unpack(">II", photo.content[16:24])
    shape = width + height <= 10_000 and max(width, height) <= 20 * min(width, height)
    problems += [] if shape else ["PHOTO_INVALID_DIMENSIONS"]
    return problems + _telegram_html_problems(fields["caption"], fields.get("parse_mode"), 1024, "caption")


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
