"""An explanation for people: in colour on a terminal, and as a page of HTML that loads nothing.

The text comes from strangers: each word is made safe for a terminal, and escaped where it stands in HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, TextIO

from bearometer.terminal import plain

if TYPE_CHECKING:
    from model.explain import Explanation, Word

__all__ = ["render_page", "show"]

SHOWN_WORDS = 8
MAX_WORD_CHARS = 100
FULL_COLOUR = 0.05
"""A word has the strongest colour when it is the heaviest of its text, and weighs at least this much."""
WEAK, MEDIUM, STRONG = 0.15, 0.4, 0.75
"""Shares of the full colour from which a word is coloured, is bold, and stands on a coloured ground."""

_FOR = {"negative": "red", "neutral": "yellow", "positive": "green"}
_AGAINST = "blue"
_RGB = {"red": "198,40,40", "yellow": "191,144,0", "green": "46,125,50", "blue": "30,90,200"}


def show(explanation: Explanation, stream: TextIO | None = None) -> None:
    """Print it; in colour where the stream is a terminal, and the heaviest words with their numbers anywhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.print(_headline(explanation), style="bold")
    if note := _note(explanation):
        console.print(note)
    line = Text("  ")
    for word, share, space in _shaded(explanation):
        line.append(plain(word.text, MAX_WORD_CHARS), _style(_colour(explanation, share), abs(share)))
        line.append(space)
    console.print(line)
    for word in _heaviest(explanation):
        share = word.weight / _full(explanation)
        console.print(
            Text(f"  {word.weight:+.3f}  ").append(plain(word.text, MAX_WORD_CHARS), _colour(explanation, share))
        )
    console.print(_legend(explanation), style="dim")


def render_page(explanations: Sequence[Explanation]) -> str:
    """A page that needs nothing from elsewhere and runs no script."""
    body = "".join(_section(explanation) for explanation in explanations)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Why the model says so</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; max-width: 46rem; padding: 1rem; line-height: 1.5;
  font-family: -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; }}
h2 {{ font-size: 1.1rem; margin: 1.5rem 0 .5rem; }}
.text {{ font-size: 1.2rem; line-height: 1.9; overflow-wrap: anywhere; }}
.text span {{ border-radius: .2em; padding: .1em .15em; }}
td {{ padding: 0 1rem 0 0; overflow-wrap: anywhere; }}
td:first-child {{ font-variant-numeric: tabular-nums; text-align: right; }}
.note {{ color: #767676; font-size: .9rem; }}
</style>
</head>
<body>
<h1>Why the model says so</h1>
{body}</body>
</html>
"""


def _section(explanation: Explanation) -> str:
    words = "".join(
        f"<span{_ground(explanation, share)}>{escape(plain(word.text, MAX_WORD_CHARS))}</span>{space}"
        for word, share, space in _shaded(explanation)
    )
    rows = "".join(
        f"<tr><td>{word.weight:+.3f}</td><td>{escape(plain(word.text, MAX_WORD_CHARS))}</td></tr>\n"
        for word in _heaviest(explanation)
    )
    note = _note(explanation)
    return f"""<section>
<h2>{escape(_headline(explanation))}</h2>
{f"<p>{escape(note)}</p>" if note else ""}
<p class="text" dir="auto">{words}</p>
<table>
{rows}</table>
<p class="note">{escape(_legend(explanation))}</p>
</section>
"""


def _headline(explanation: Explanation) -> str:
    about = "the text" if explanation.entity is None else plain(explanation.entity, MAX_WORD_CHARS)
    sentiment = explanation.sentiment
    numbers = ", ".join(f"{name} {getattr(sentiment, name):.2f}" for name in _FOR)
    other = "" if explanation.label == sentiment.label else f"; explained: {explanation.label}"
    return f"{about}: {sentiment.label} ({numbers}){other}"


def _note(explanation: Explanation) -> str:
    if explanation.entity is None or explanation.found:
        return ""
    return (
        "not told apart: the text does not name it, or the model knows no entities; the text's sentiment is explained"
    )


def _legend(explanation: Explanation) -> str:
    ways = f"{_FOR[explanation.label]} speaks for {explanation.label}, {_AGAINST} against it"
    return f"{ways}; {explanation.method}, {plain(explanation.model)}"


def _heaviest(explanation: Explanation) -> list[Word]:
    ranked = sorted(explanation.words, key=lambda word: (-abs(word.weight), word.start))[:SHOWN_WORDS]
    return [word for word in ranked if abs(word.weight) >= WEAK * _full(explanation)]


def _shaded(explanation: Explanation) -> Iterator[tuple[Word, float, str]]:
    """Each word, its share of the full colour (-1 to 1), and what stands between it and the next."""
    full = _full(explanation)
    for word, after in zip(explanation.words, [*explanation.words[1:], None], strict=False):
        yield word, word.weight / full, " " if after and after.start > word.end else ""


def _full(explanation: Explanation) -> float:
    return max(FULL_COLOUR, *(abs(word.weight) for word in explanation.words), 0.0)


def _colour(explanation: Explanation, share: float) -> str:
    return _FOR[explanation.label] if share > 0 else _AGAINST


def _style(colour: str, strength: float) -> str:
    if strength >= STRONG:
        return f"bold white on {colour}" if colour != "yellow" else "bold black on yellow"
    if strength >= MEDIUM:
        return f"bold {colour}"
    return colour if strength >= WEAK else ""


def _ground(explanation: Explanation, share: float) -> str:
    if abs(share) < WEAK:
        return ""
    return f' style="background:rgba({_RGB[_colour(explanation, share)]},{0.6 * abs(share):.2f})"'
