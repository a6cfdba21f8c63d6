"""A digest: several messages of alerts as one, for people who do not want each as it comes.

An alert stands in it once, as the newest of its messages tells it, in the order of the first ones. No posts are quoted:
`bearometer alerts show` has them.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from alerts.message import compose
from alerts.wording import count, time_utc
from bearometer.alert import Alert, AlertState, Delivery
from bearometer.settings import AlertSettings
from bearometer.terminal import plain

__all__ = ["Digest", "compose_digest", "digest_html", "digest_text"]

MAX_NAMES = 5
"""Companies named in the title."""
MAX_ID_CHARS = 200

_FONT = "font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"
_MUTED = "color:#767676"


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert: lines without control characters, not yet escaped."""

    headline: str
    """What happened last, with the numbers."""
    state: str
    show: str
    """A command, or a web address."""
    is_link: bool
    others: tuple[str, ...] = ()
    """One line for each further alert that the same message tells of."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Several messages in words."""

    title: str
    """How many alerts, and of whom, in one line."""
    entries: tuple[Entry, ...]
    dropped: str
    """What the receiver's rate cap has kept back; empty where nothing was."""


def compose_digest(deliveries: Sequence[Delivery], settings: AlertSettings) -> Digest:
    """Put messages into words, the oldest first."""
    newest: dict[str, Delivery] = {}
    for delivery in deliveries:
        newest[delivery.alert.id] = delivery
    told = [(delivery, compose(delivery, settings)) for delivery in newest.values()]
    names = list(dict.fromkeys(message.symbol for _, message in told))
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    number = len({alert.id for delivery, _ in told for alert in (delivery.alert, *delivery.others)})
    dropped = sum(delivery.dropped for delivery in deliveries)
    return Digest(
        title=f"Digest of {count(number, 'alert')}: {', '.join(names[:MAX_NAMES])}{more}",
        entries=tuple(
            Entry(message.headline, _state(delivery.alert), *_show(delivery.alert, message.link), message.others)
            for delivery, message in told
        ),
        dropped=f"{count(dropped, 'message')} more kept back by the cap of this route" if dropped else "",
    )


def digest_text(digest: Digest) -> str:
    """The digest as plain text, one trailing newline."""
    lines = [digest.title]
    for number, entry in enumerate(digest.entries, start=1):
        lines += ["", f"{number}. {entry.headline}", f"   {entry.state}", f"   {entry.show}"]
        lines += [f"   - {line}" for line in entry.others]
    return "\n".join([*lines, *(["", digest.dropped] if digest.dropped else [])]) + "\n"


def digest_html(digest: Digest) -> str:
    """The digest as a page; nothing is loaded from elsewhere, and all text is escaped."""
    entries = "".join(_entry(entry) for entry in digest.entries)
    dropped = f'<p style="font-size:14px">{escape(digest.dropped)}</p>' if digest.dropped else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(digest.title)}</title>
</head>
<body style="margin:0;padding:16px;font-size:15px;line-height:1.45;{_FONT}">
<h1 style="font-size:19px;line-height:1.3;margin:0 0 12px">{escape(digest.title)}</h1>
<ol style="padding:0 0 0 24px">{entries}</ol>
{dropped}
<p style="font-size:12px;margin:24px 0 0;{_MUTED}">Sent by Bearometer.</p>
</body>
</html>
"""


def _entry(entry: Entry) -> str:
    shown = (
        f'<a href="{escape(entry.show)}" rel="noopener noreferrer">open its page</a>'
        if entry.is_link
        else f"<code>{escape(entry.show)}</code>"
    )
    others = "".join(f"<li>{escape(line)}</li>" for line in entry.others)
    return (
        f'<li style="margin:0 0 14px;word-break:break-word" dir="auto"><b>{escape(entry.headline)}</b>'
        f'<div style="font-size:13px;{_MUTED}">{escape(entry.state)}</div><div style="font-size:13px">{shown}</div>'
        f"{f'<ul>{others}</ul>' if others else ''}</li>\n"
    )


def _state(alert: Alert) -> str:
    began = f"began {time_utc(alert.started_at)}, {alert.severity}"
    if alert.state is AlertState.RESOLVED:
        return f"over{f' since {time_utc(alert.resolved_at)}' if alert.resolved_at else ''}, {began}"
    return f"{alert.state}, {began}"


def _show(alert: Alert, link: str | None) -> tuple[str, bool]:
    if link:
        return link, True
    shown = plain(alert.id, MAX_ID_CHARS) == alert.id and not alert.id.startswith("-")
    return f"bearometer alerts show {shlex.quote(alert.id)}" if shown else "bearometer alerts list", False
