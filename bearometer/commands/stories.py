"""`bearometer stories`: what was told most, the posts of one story, and what was left out as spam."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bearometer.commands.times import read_length, read_time
from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["register", "stories"]

SHOWN_STORIES, SHOWN_POSTS = 20, 100
DEFAULT_LENGTH = "24h"
MAX_SYMBOL_CHARS = 15
MAX_STORY_CHARS = 24

Sort = Literal["reach", "negative", "first"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stories")(stories)


def stories(
    symbol: Annotated[
        str | None, typer.Argument(help="Only posts that speak of it, by how they speak of it. Without one: all posts.")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(help="So long up to --to, such as 90m, 24h or 7d.", metavar="LENGTH", show_default=DEFAULT_LENGTH),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="In place of --last: from when, ISO 8601 (UTC).", metavar="TIME")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Until when; without it, up to the newest stored post.", metavar="TIME", show_default=False),
    ] = None,
    sort: Annotated[
        Sort, typer.Option(help="Most posts first, most negative posts first, or the last to begin first.")
    ] = "reach",
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="So many at most; 0: all. Else 20 stories, or 100 posts.", show_default=False),
    ] = None,
    show: Annotated[
        str | None, typer.Option(help="In place of the list: the posts of this story, in order.", metavar="STORY")
    ] = None,
    spam: Annotated[
        bool, typer.Option("--spam", help="In place of the list: what was left out as spam, why, and examples.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="CSV, in which text that a spreadsheet takes for a formula has an apostrophe."),
    ] = False,
) -> None:
    """Show what was told most: posts that tell the same are one story, whoever words it how.

    Counts are of the time asked for, by the posts' own times; spam counts in none of them. POSTS is how far a story
    reached, NEGATIVE how many of those posts were; what is told is the story's first post. Older posts, stored before
    stories were told apart, are a story for each text. The same in SQL: docs/sql.md.

    Example: bearometer stories WMT --last 24h

    Example: bearometer stories --from 2015-10-14 --to 2015-10-15 --sort negative --json

    Example: bearometer stories --show 3f29ab61c0de7788

    Example: bearometer stories --spam --last 7d
    """
    if show is not None and (spam or symbol is not None):
        message = "--show is of one whole story: leave SYMBOL and --spam out"
        raise Misconfigured(message)
    if as_json and as_csv:
        message = "--json or --csv, one of the two"
        raise Misconfigured(message)
    if last is not None and from_ is not None:
        message = "--last or --from, one of the two"
        raise Misconfigured(message)
    from bearometer.settings import load_settings
    from storage.database import open_database

    name = None if symbol is None else _symbol(symbol)
    story = None if show is None else _story(show)
    engine = open_database(load_settings().postgres)
    form = "json" if as_json else "csv" if as_csv else "table"
    if story is not None:
        _show_story(engine, story, last, from_, to, SHOWN_POSTS if limit is None else limit or None, form)
        return
    since, until = _period(engine, last, from_, to)
    most = SHOWN_STORIES if limit is None else limit or None
    if spam:
        _show_spam(engine, since, until, name, most, form)
    else:
        _show_stories(engine, since, until, name, sort, most, form)


def _show_stories(
    engine: "Engine", since: datetime, until: datetime, symbol: str | None, sort: Sort, limit: int | None, form: str
) -> None:
    from bearometer.commands.stories_shown import print_stories, write_rows
    from storage.told import Story, read_stories

    found = read_stories(engine, since, until, symbol=symbol, order=sort, limit=limit)
    if form == "table":
        print_stories(found, since, until, symbol)
    else:
        write_rows(Story.__slots__, found.shown, form)
    _tell_rest(len(found.shown), found.stories, "stories")


def _show_story(
    engine: "Engine", story: str, last: str | None, from_: str | None, to: str | None, limit: int | None, form: str
) -> None:
    from bearometer.commands.stories_shown import print_story, write_rows
    from storage.told import StoredPost, read_story

    since, until = _period(engine, last, from_, to) if last or from_ or to else (None, None)
    posts, total = read_story(engine, story, since=since, until=until, limit=limit)
    if not posts:
        when = " then" if since or until else ""
        message = f"no post tells a story {story!r}{when}; `bearometer stories` shows which there are"
        raise Failed(message)
    if form == "table":
        print_story(story, posts, total)
    else:
        write_rows(StoredPost.__slots__, posts, form)
    _tell_rest(len(posts), total, "posts")


def _show_spam(
    engine: "Engine", since: datetime, until: datetime, symbol: str | None, limit: int | None, form: str
) -> None:
    from bearometer.commands.stories_shown import print_spam, write_rows
    from storage.told import StoredPost, read_spam

    reasons, posts, total = read_spam(engine, since, until, symbol=symbol, limit=limit)
    if form == "table":
        print_spam(reasons, posts, total, since, until, symbol)
    else:
        write_rows(StoredPost.__slots__, posts, form)
    _tell_rest(len(posts), total, "posts")


def _tell_rest(shown: int, total: int, what: str) -> None:
    if shown < total:
        typer.echo(f"{shown:,} of {total:,} {what}; all of them: --limit 0", err=True)


def _period(engine: "Engine", last: str | None, from_: str | None, to: str | None) -> tuple[datetime, datetime]:
    """From when, included, until when, not included."""
    from datetime import timedelta

    from bearometer.clock import SystemClock
    from storage.told import newest_post_at

    length = read_length("--last", last or DEFAULT_LENGTH)
    since = None if from_ is None else read_time("--from", from_)
    if to is not None:
        until = read_time("--to", to)
    else:
        now = SystemClock().now()
        # The end is not included, and the newest post is.
        until = (newest_post_at(engine, now) or now) + timedelta(microseconds=1)
    try:
        begin = since or until - length
    except OverflowError:
        message = f"--to is {plain(to or '', 40)!r}; so long before it there is no time"
        raise Misconfigured(message) from None
    if begin >= until:
        end = "--to" if to is not None else f"the newest stored post, of {until:%Y-%m-%dT%H:%M}"
        message = f"--from is {begin:%Y-%m-%dT%H:%M}, which is not before {end}"
        raise Misconfigured(message)
    return begin, until


def _symbol(text: str) -> str:
    name = text.strip().removeprefix("$").upper()
    if not name or len(name) > MAX_SYMBOL_CHARS or name != plain(name):
        message = f"SYMBOL is {plain(text, 40)!r}; it must be a ticker symbol such as WMT"
        raise Misconfigured(message)
    return name


def _story(text: str) -> str:
    story = text.strip().lower()
    if not story or len(story) > MAX_STORY_CHARS or set(story) - set("0123456789abcdef"):
        message = f"--show is {plain(text, 40)!r}; it must be a story as `bearometer stories` shows it: 16 hex digits"
        raise Misconfigured(message)
    return story
