"""What `bearometer stories` prints."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from bearometer.commands.alerts_shown import time_shown
from bearometer.terminal import plain

if TYPE_CHECKING:
    from storage.told import SpamReason, StoredPost, Stories

__all__ = ["print_spam", "print_stories", "print_story", "write_rows"]

PIPE_WIDTH = 160
MAX_NAME = 40
SHOWN_SYMBOLS = 5
INDENT = "  "


def print_stories(found: "Stories", since: datetime, until: datetime, symbol: str | None) -> None:
    """Two lines each: the counts, then what is told."""
    of, when = "" if symbol is None else f" of {plain(symbol)}", _when(since, until)
    if not found.shown:
        spam = f"; {_posts(found.spam, 'is', 'are')} spam, `--spam` shows them" if found.spam else ""
        typer.echo(f"no stories{of} {when}{spam}")
        return
    told = "1 story" if found.stories == 1 else f"{found.stories:,} stories"
    spam = f"; {found.spam:,} more {'is' if found.spam == 1 else 'are'} spam, `--spam` shows them" if found.spam else ""
    typer.echo(f"{_posts(found.posts, 'tells', 'tell')} {told}{of} {when}{spam}")
    header = ("FIRST SEEN", "POSTS", "ACCOUNTS", "SOURCES", "NEGATIVE", "MEAN SCORE", "STORY")
    rows = [
        (
            time_shown(one.first_at),
            f"{one.posts:,}",
            f"{one.distinct_authors:,}",
            f"{one.distinct_sources:,}",
            f"{one.negative:,}",
            f"{one.mean_score:+.2f}",
            plain(one.story, MAX_NAME),
        )
        for one in found.shown
    ]
    texts = [_about(one.symbols if symbol is None else ()) + plain(one.text) for one in found.shown]
    _print_table(header, rows, right=range(1, 6), below=[[text] for text in texts])


def print_story(story: str, posts: Sequence["StoredPost"], total: int) -> None:
    """Its posts in order; a text that stood before is not said again."""
    typer.echo(f"{_posts(total, 'tells', 'tell')} the story {plain(story)}")
    _print_posts(posts)


def print_spam(
    reasons: Sequence["SpamReason"],
    posts: Sequence["StoredPost"],
    total: int,
    since: datetime,
    until: datetime,
    symbol: str | None,
) -> None:
    """How many for which reason, and examples with all their reasons."""
    of, when = "" if symbol is None else f" of {plain(symbol)}", _when(since, until)
    if not total:
        typer.echo(f"no spam{of} {when}")
        return
    typer.echo(f"{_posts(total, 'is', 'are')} spam{of} {when}")
    rows = [(plain(one.code, MAX_NAME), f"{one.posts:,}", f"{one.distinct_authors:,}") for one in reasons]
    _print_table(("REASON", "POSTS", "ACCOUNTS"), rows, right=(1, 2))
    if posts:
        typer.echo("\nThe newest for each reason:")
        _print_posts(posts)


def write_rows(names: Sequence[str], rows: Iterable[Any], form: str) -> None:
    """The named attributes of each row, as `json` (an object a line) or `csv`."""
    values = [tuple(getattr(row, name) for name in names) for row in rows]
    if form == "json":
        for each in values:
            # In plain ASCII: posts are other people's text, and a terminal obeys more than ASCII's control characters.
            typer.echo(json.dumps(dict(zip(names, each, strict=True)), default=_as_text))
        return
    from storage.export import write_csv
    from storage.query import Answer

    sys.stdout.flush()
    lists = (tuple(list(value) if isinstance(value, tuple) else value for value in each) for each in values)
    write_csv(Answer(tuple(names), iter(())), lists, sys.stdout.buffer, spreadsheet=True)
    sys.stdout.buffer.flush()


def _print_posts(posts: Sequence["StoredPost"]) -> None:
    header = ("", "PUBLISHED", "SOURCE", "AUTHOR", "FOLLOWERS", "LABEL", "SCORE", "POST")
    first: dict[str, int] = {}
    rows, below = [], []
    for number, post in enumerate(posts, start=1):
        earlier = first.setdefault(post.fingerprint, number)
        rows.append(
            (
                f"{number:,}",
                time_shown(post.published_at),
                plain(post.source, MAX_NAME),
                plain(post.author or "-", MAX_NAME),
                "-" if post.followers is None else f"{post.followers:,}",
                post.label or "unscored",
                "-" if post.score is None else f"{post.score:+.2f}",
                plain(post.id, MAX_NAME * 2),
            )
        )
        said = plain(post.text) if earlier == number else f"= {earlier:,}"
        notes = [f"spam: {plain(reason, 200)}" for reason in post.spam]
        if post.unscored:
            notes.append(f"unscored: {plain(post.unscored, 200)}")
        below.append([_about(post.symbols) + said, *notes])
    _print_table(header, rows, right=(0, 4, 6), below=below)


def _print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Iterable[int],
    below: Sequence[Sequence[str]] | None = None,
) -> None:
    """Aligned columns; `below` are lines that stand under each row, cut to the terminal's width."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    # A file or a pipe has no width.
    width = Console().width if sys.stdout.isatty() else PIPE_WIDTH
    to_the_right = frozenset(right)
    widths = [max(cell_len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    for number, line in enumerate((header, *rows)):
        cells = []
        for column, cell in enumerate(line):
            space = " " * (widths[column] - cell_len(cell))
            cells.append(space + cell if column in to_the_right else cell + space)
        typer.echo("  ".join(cells).rstrip())
        for each in below[number - 1] if below and number else ():
            text = Text(INDENT + each)
            text.truncate(width, overflow="ellipsis")
            typer.echo(text.plain)


def _posts(count: int, verb_of_one: str, verb: str) -> str:
    return f"1 post {verb_of_one}" if count == 1 else f"{count:,} posts {verb}"


def _when(since: datetime, until: datetime) -> str:
    return f"from {time_shown(since)} to {time_shown(until)}"


def _about(symbols: Sequence[str]) -> str:
    if not symbols:
        return ""
    shown = ", ".join(plain(symbol, 20) for symbol in symbols[:SHOWN_SYMBOLS])
    return f"[{shown}{', …' if len(symbols) > SHOWN_SYMBOLS else ''}] "


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
