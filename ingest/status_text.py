"""The text of a Mastodon post, which comes as HTML."""

import re

from ingest.text import strip_html

__all__ = ["status_text"]

_TAG = re.compile(r"<(/?)(\w+)([^<>]*)>")
_ATTRIBUTE = re.compile(r"""\b(href|class)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_INLINE = frozenset({"span", "b", "i", "em", "strong", "u", "del", "code", "wbr"})
_TOLD = frozenset({"mention", "hashtag"})
"""Classes of links whose text says more than their address."""


def status_text(markup: str) -> str:
    """Links as their whole addresses, of which the text shows a part only; mentions and hashtags as they are read.

    Linear in the markup's length. Entities stay, as in `strip_html`, which does the rest of the work.
    """
    kept: list[str] = []
    shown: list[str] = []
    link = ""
    place = 0
    for tag in _TAG.finditer(markup):
        closing, name, attributes = tag.group(1), tag.group(2).lower(), tag.group(3)
        (shown if link else kept).append(markup[place : tag.start()])
        place = tag.end()
        if name in _INLINE:
            continue
        if link:  # a link ends with its end, and with any block
            kept.append(_link(link, "".join(shown)))
            shown.clear()
            link = ""
        if name != "a":
            kept.append(tag.group())
        elif not closing:
            found = {each[1]: each[2] or each[3] or "" for each in _ATTRIBUTE.finditer(attributes)}
            if not _TOLD & set(found.get("class", "").split()):
                link = found.get("href", "")
                link = link if link.startswith(("http://", "https://")) else ""
    rest = markup[place:]
    kept.append(_link(link, "".join([*shown, rest])) if link else rest)
    return " ".join(strip_html("".join(kept)).split())


def _link(address: str, shown: str) -> str:
    """The address instead of a part of it; behind it where something else is shown."""
    part = "".join(shown.split()).removesuffix("\u2026")
    return f" {address} " if part in address else f"{shown} {address} "
