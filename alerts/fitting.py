"""Text from outside, made to fit a medium: within its limits, and dead, so that it names nobody and links nowhere."""

import re
from collections.abc import Callable, Sequence

from alerts.slack_blocks import length

__all__ = ["COPIED", "fit", "fit_fact", "fit_lines", "inert"]

COPIED = frozenset({"Alert", "Acknowledge", "Silence"})
"""The facts that are ids and commands: people copy them, and nothing invisible may stand in them."""


_JOINER = "\u2060"
_CALLS = re.compile(r"[@<{]|://|/[A-Za-z]")
_WAKE = re.compile(
    r"(?<=@)|(?<=<)(?=[!@#])"  # a name, as people write it and as chats do
    r"|(?=://)"  # an address
    r"|(?<=\w)(?=\.[^\W\d_]{2})"  # an address without a scheme
    r"|(?<=/)(?=[A-Za-z])"  # a command to a bot
    r"|(?<=\{)(?=\{)"  # a function of an Adaptive Card
)


def fit(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """The longest start of the text that fits, escaped, with an ellipsis where it was cut.

    `limit` is in UTF-16 units, the strictest reading of a vendor's "characters", and counts what escaping adds.
    The text is cut before it is escaped, so that no entity and no backslash is torn from what it belongs to;
    `escape` must not make a longer start shorter than a shorter one.
    """
    escaped = escape(text)
    if length(escaped) <= limit:
        return escaped
    kept, most = 0, len(text)
    while kept < most:
        middle = (kept + most + 1) // 2
        if length(escape(f"{text[:middle]}…")) <= limit:
            kept = middle
        else:
            most = middle - 1
    return escape(f"{text[:kept].rstrip()}…")


def fit_fact(label: str, value: str, limit: int) -> str:
    """A fact's value, inert; but an id or a command as it is, so that it can be copied, where it calls nobody.

    A dot then stays a dot: "0700.HK" may be taken for an address, and that costs less than a command that fails.
    """
    return fit(value, limit, str if label in COPIED and not _CALLS.search(value) else inert)


def fit_lines(lines: Sequence[str], limit: int, escape: Callable[[str], str] = str) -> str:
    """As many of the lines, escaped, as fit, one below the other; those left out are counted in a last one."""
    shown, left = [], limit - len(f"\nand {len(lines):,} more")
    for line in lines:
        escaped = escape(line)
        left -= length(escaped) + 1
        if left < 0:
            break
        shown.append(escaped)
    unsaid = len(lines) - len(shown)
    return "\n".join([*shown, f"and {unsaid:,} more"] if unsaid else shown)


def inert(text: str) -> str:
    """The text with an invisible joiner wherever a client would see a name, an address, a command or a function.

    It looks the same, and what a person copies from it is not the same: for texts, not for identifiers.
    """
    return _WAKE.sub(_JOINER, text)
