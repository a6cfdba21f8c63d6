"""Who wrote a post, and how to reach people: hidden before the post travels, where the settings ask for it.

What is left points at people all the same to whoever looks further, see docs/privacy.md.
"""

import hashlib
import re
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from phonenumbers import Leniency, PhoneNumberMatcher

from bearometer.settings import IngestSettings
from ingest.source import RawPost
from ingest.text import one_line

__all__ = ["MAX_AUTHOR_CHARS", "PSEUDONYM_MARK", "hide_author", "hide_contacts", "mask_contacts", "pseudonym"]

MAX_AUTHOR_CHARS = 200
PSEUDONYM_MARK = "anon-"

_EMAIL_MASK = "[email]"
_PHONE_MASK = "[phone]"

# A handle (`@ann@mastodon.example`) is no address: it has an at sign in front.
_EMAIL = re.compile(r"(?<![\w@])\w[\w.+\-]{0,63}@(?:[a-z0-9\-]{1,63}\.){1,8}[a-z]{2,24}(?![\w@])", re.IGNORECASE)
_SEVEN_DIGITS = re.compile(r"\d(?:\W{0,4}\d){6}")
"""Less is no phone number."""
_GROUPS = re.compile(r"\(\d{3}\)|(?<!\d)\d{3}([\-.])\d{3}\1\d{4}(?!\d)")
"""What nobody writes but for a phone number of North America: `(212) …`, `212-555-0142`, `212.555.0142`."""
_PLUS = "+\N{FULLWIDTH PLUS SIGN}"
_MONEY = re.compile(r"[$€£¥#%]\s?$")
_CUE_WORD = r"\b(?:phone|telephone|tel|ph|mobile|cell|call|dial|fax|text|sms|whats\s?app|viber|hotline)\b"
_CUE = re.compile(
    _CUE_WORD + r"(?:\W{1,3}(?:us|me|him|her|them|now|today|at|on|to|is|no|number|line)\b)*\W{0,3}$", re.IGNORECASE
)
_MAY_BE_PHONE = re.compile(rf"[{_PLUS}]\W{{0,3}}\d|{_GROUPS.pattern}|{_CUE_WORD}", re.IGNORECASE)
"""What a text must have, for the long look of libphonenumber: it takes a tenth of a millisecond and more."""
_CUE_CHARS = 40
_CHAT_LINK = re.compile(r"^(?:https?://)?(?:www\.)?(?:wa\.me/|(?:api|web|chat)\.whatsapp\.com/)", re.IGNORECASE)


def pseudonym(author: str, source: str, key: str) -> str:
    """What stands for an author of a source: `anon-` and 16 hex digits of BLAKE2b with the key.

    The same name (letter case counts) of the same source gives the same; nobody without the key can check a guess.
    """
    digest = hashlib.blake2b(
        f"{source}\x1f{author}".encode("utf-8", "replace"),
        key=hashlib.blake2b(key.encode("utf-8", "replace")).digest(),  # a key may be longer than BLAKE2b takes
        digest_size=8,
        person=b"author",
    )
    return PSEUDONYM_MARK + digest.hexdigest()


def hide_author(raw: RawPost, source: str, settings: IngestSettings) -> tuple[RawPost, str]:
    """The post with a pseudonym in place of its author, and the name that was hidden; empty when none was.

    An address of the post that holds the name is left out, and an id that holds it becomes a keyed digest of itself.
    """
    name = one_line(raw.author or "", MAX_AUTHOR_CHARS)
    if not name or settings.author_key is None:
        return raw, ""
    key = settings.author_key.get_secret_value()
    native_id = raw.native_id
    if native_id and _Name(name).is_in(native_id):
        native_id = pseudonym(native_id, f"{source}\x1fid", key)
    url = None if raw.url and _Name(name).is_in_url(raw.url) else raw.url
    return replace(raw, author=pseudonym(name, source, key), native_id=native_id, url=url), name


def hide_contacts(
    text: str, links: tuple[str, ...], name: str, settings: IngestSettings
) -> tuple[str, tuple[str, ...]]:
    """The text without contacts, where the settings ask for that, and the links that give nobody away.

    Left out are links that hold `name`, the author's that was hidden (empty: none was), and with masked contacts those
    that hold an e-mail address or open a chat.
    """
    if name:
        author = _Name(name)
        links = tuple(link for link in links if not author.is_in_url(link))
    if settings.mask_contacts:
        text = mask_contacts(text)
        links = tuple(link for link in links if not (_EMAIL.search(unquote(link)) or _CHAT_LINK.match(link)))
    return text, links


def mask_contacts(text: str) -> str:
    """The text with `[email]` and `[phone]` in place of e-mail addresses and phone numbers; again changes nothing.

    A phone number is what libphonenumber holds for a valid one, of any country behind a `+`, or of North America when
    it is grouped as nothing else is, or a word such as `call` stands before it. Anything else that is made of digits
    stays: amounts, dates, prices, CIKs, ISINs.
    """
    while True:
        masked = _EMAIL.sub(_EMAIL_MASK, text) if "@" in text else text
        if _MAY_BE_PHONE.search(masked) and _SEVEN_DIGITS.search(masked):
            masked = _mask_phones(masked)
        if masked == text:
            return text
        text = masked


def _mask_phones(text: str) -> str:
    parts, done = [], 0
    for match in PhoneNumberMatcher(text, "US", leniency=Leniency.VALID):
        if _is_phone(match.raw_string, text[max(0, match.start - _CUE_CHARS) : match.start]):
            parts += [text[done : match.start], _PHONE_MASK]
            done = match.end
    return "".join([*parts, text[done:]])


def _is_phone(number: str, before: str) -> bool:
    if _MONEY.search(before):
        return False
    return number.startswith(tuple(_PLUS)) or bool(_GROUPS.search(number) or _CUE.search(before))


class _Name:
    """An author's name, looked for in ids and addresses: its words in order, whatever stands between them."""

    def __init__(self, name: str) -> None:
        # Of a handle with its server, the first part is the one that addresses repeat.
        handle = name.strip().lstrip("@").partition("@")[0] or name
        spellings = [re.findall(r"[^\W_]+", each.casefold()) for each in (name, handle, handle.removeprefix("u/"))]
        pattern = "|".join(r"[\W_]{0,3}".join(map(re.escape, words)) for words in spellings if words)
        self._pattern = re.compile(rf"(?<![^\W_])(?:{pattern})(?![^\W_])") if pattern else None

    def is_in(self, text: str) -> bool:
        """Whether the text holds the name as a word of its own; letter case and punctuation do not count."""
        return bool(self._pattern and self._pattern.search(unquote(text).casefold()))

    def is_in_url(self, url: str) -> bool:
        """Whether the name is in the address but for its site's: a newspaper's links are not its author's name."""
        try:
            parts = urlsplit(url if "//" in url else f"//{url}")
            host = parts.hostname or ""
        except ValueError:
            return self.is_in(url)
        own = ".".join(host.split(".")[:-2])
        return self.is_in(" / ".join((own, parts.path, parts.query, parts.fragment)))
