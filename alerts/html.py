"""An alert as a page of HTML: the mail's body, and a file that opens in a browser.

Nothing is loaded from elsewhere, there is no script, and text from outside is escaped wherever it stands. Tables
and inline styles, since mail clients drop the rest.
"""

from html import escape

from alerts.chart import CHART_WIDTH
from alerts.message import Message, Quote
from bearometer.alert import NotificationReason

__all__ = ["render_html"]

_ACCENTS = {
    NotificationReason.FIRING: "#c0392b",
    NotificationReason.ESCALATED: "#8e2419",
    NotificationReason.REPEATED: "#b9560e",
    NotificationReason.ACKNOWLEDGED: "#2c6da3",
    NotificationReason.RESOLVED: "#2e7d32",
}
_FONT = "font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"
_MUTED = "color:#767676"
"""A grey that can be read on white and on the black that dark clients put in its place."""


def render_html(message: Message, chart_address: str | None) -> str:
    """The page; `chart_address` is a `cid:` or `data:` address of the chart, or None for no picture."""
    accent = _ACCENTS[message.reason]
    chart = (
        f'<p style="margin:16px 0"><img src="{escape(chart_address)}" width="{CHART_WIDTH}"'
        f' alt="{escape(message.chart_alt)}"'
        f' style="width:100%;max-width:{CHART_WIDTH}px;height:auto;border:0;background:#ffffff"></p>'
        if chart_address
        else ""
    )
    facts = "".join(
        f'<tr><th align="left" valign="top" style="padding:2px 12px 2px 0;font-weight:normal;{_MUTED}">'
        f'{escape(label)}</th><td style="padding:2px 0;word-break:break-word">{escape(value)}</td></tr>'
        for label, value in message.facts
    )
    link = (
        f'<p style="margin:16px 0"><a href="{escape(message.link)}" rel="noopener noreferrer"'
        f' style="display:inline-block;padding:8px 16px;border:2px solid {accent};text-decoration:none">'
        "Acknowledge or silence</a></p>"
        if message.link
        else ""
    )
    others = "".join(f'<li style="word-break:break-word">{escape(line)}</li>' for line in message.others)
    if others:
        others = f'<h2 style="font-size:16px;margin:20px 0 8px">At the same time</h2><ul>{others}</ul>'
    heading = '<h2 style="font-size:16px;margin:20px 0 8px">What they say</h2>' if message.quotes else ""
    quotes = "".join(_quote(post, accent) for post in message.quotes)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{escape(message.headline)}</title>
<style>:root {{ color-scheme: light dark; }}</style>
</head>
<body style="margin:0;padding:16px;font-size:15px;line-height:1.45;{_FONT}">
<div style="max-width:{CHART_WIDTH}px;margin:0 auto">
<h1 style="font-size:19px;line-height:1.3;margin:0 0 12px;padding:0 0 0 12px;border-left:5px solid {accent}">\
{escape(message.headline)}</h1>
{chart}
<table role="presentation" cellspacing="0" cellpadding="0" border="0" style="font-size:14px;border-collapse:collapse">\
{facts}</table>
{link}{others}{heading}{quotes}
<p style="font-size:12px;margin:24px 0 0;{_MUTED}">Sent by Bearometer. Posts are quoted as they were written; \
do not trust what they link to.</p>
</div>
</body>
</html>
"""


def _quote(post: Quote, accent: str) -> str:
    link = f' · <a href="{escape(post.url)}" rel="noopener noreferrer nofollow">open the post</a>' if post.url else ""
    strongest = f'<div style="font-size:13px;{_MUTED}">{escape(post.strongest)}</div>' if post.strongest else ""
    return (
        f'<blockquote style="margin:0 0 14px;padding:2px 0 2px 12px;border-left:3px solid {accent};'
        f'word-break:break-word" dir="auto"><div>{_marked(post, accent)}</div>{strongest}'
        f'<div style="font-size:13px;{_MUTED}">{escape(post.byline)}{link}</div></blockquote>\n'
    )


def _marked(post: Quote, accent: str) -> str:
    """The post's text with its strongest words in bold."""
    shown, at = "", 0
    for start, end in post.marks:
        bold = f'<b style="border-bottom:2px solid {accent}">{escape(post.text[start:end])}</b>'
        shown, at = f"{shown}{escape(post.text[at:start])}{bold}", end
    return shown + escape(post.text[at:])
