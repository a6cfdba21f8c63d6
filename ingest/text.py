"""Cleaning of hostile text, every step in time linear in its length."""

import html
import re
import unicodedata

__all__ = ["clean_text", "find_links", "limit_marks", "one_line", "strip_html"]

_MAX_PASSES = 5
_MAX_MARKS = 30
"""Combining marks in a row, as in Unicode's Stream-Safe Text Format (UAX #15): longer runs make NFC quadratic."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_LONG_NUMBER = re.compile(r"&#[0-9]{8,};?")
"""No character has so many digits, and `html.unescape` raises on more than 4,300."""
_REPEATED_AMP = re.compile(r"&(?:amp;)+")
_LINK = re.compile(
    r"(?:https?://|(?<![\w@.\-/])(?:www\.|t\.co/|pic\.twitter\.com/))[^\s<>\"]+|(?<!\w)https?(?::/{0,2})?…",
    re.IGNORECASE,
)
_AFTER_LINK = ".,;:!?'…\u201d\u2019]}"
_NO_LINK = frozenset({"http:/", "https:/", "http:", "https:", "http", "https", "www", "http://", "https://"})


def clean_text(text: str) -> str:
    """Unescaped (also what was escaped twice), in NFC, without control characters and lone surrogates."""
    text = _replace_surrogates(text)
    for _ in range(_MAX_PASSES):
        before = text
        text = _CONTROL.sub("", text)
        text = html.unescape(_REPEATED_AMP.sub("&", _LONG_NUMBER.sub("\ufffd", text)))
        if text == before:
            break
    text = _CONTROL.sub("", text)
    return text if text.isascii() else unicodedata.normalize("NFC", limit_marks(text))


def one_line(text: str, limit: int) -> str:
    """Cleaned as far as any store and encoder needs it, on one line, cut to `limit` characters."""
    return " ".join(_CONTROL.sub("", _replace_surrogates(text[: limit * 2])).split())[:limit]


def find_links(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with a space for each link, and the links, in order, without repeats."""
    links: dict[str, None] = {}

    def cut(match: re.Match[str]) -> str:
        whole = match.group()
        link = whole.rstrip(_AFTER_LINK)
        if link.endswith(")") and "(" not in link:
            link = link.rstrip(")" + _AFTER_LINK)
        if link.lower() in _NO_LINK:  # cut short by a retweet, or nothing but a scheme
            return " "
        links[link] = None
        return " " + whole[len(link) :]

    return _LINK.sub(cut, text), tuple(links)


def strip_html(markup: str) -> str:
    """The text of an HTML fragment: tags become spaces, comments, scripts and styles vanish, entities stay.

    The parser of the standard library needs quadratic time for some broken markup; this one does not.
    """
    kept: list[str] = []
    lowered = markup.lower() if len(markup.lower()) == len(markup) else markup
    missing: set[str] = set()

    def after(end: str, start: int) -> int | None:
        if end in missing:
            return None
        at = lowered.find(end, start)
        if at < 0:
            missing.add(end)
            return None
        return at + len(end)

    position = 0
    while (start := lowered.find("<", position)) >= 0:
        kept.append(markup[position:start])
        follows = lowered[start + 1 : start + 2]
        if not (follows.isalpha() or follows in {"/", "!", "?"}):
            kept.append("<")
            position = start + 1
            continue
        end = after("-->", start + 4) if lowered.startswith("<!--", start) else after(">", start)
        for element in ("script", "style"):
            if end is not None and lowered.startswith("<" + element, start):
                end = after(f"</{element}", start)
                end = after(">", end) if end is not None else None
        if end is None:  # never closed: the rest is text, and is not searched again
            kept.append(markup[start : start + 1])
            position = start + 1
            continue
        kept.append(" ")
        position = end
    kept.append(markup[position:])
    return "".join(kept)


def limit_marks(text: str) -> str:
    """The text without the combining marks past the 30th in a row: they are noise, and make normalising quadratic."""
    if text.isascii():
        return text
    run = 0
    kept: list[str] = []
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= _MAX_MARKS:
            kept.append(character)
    return text if len(kept) == len(text) else "".join(kept)


def _replace_surrogates(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
