"""`bearometer forget`: an author, or single posts, removed from everything that is stored."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.errors import Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from bearometer.settings import IngestSettings
    from storage.forget import Forgotten, Whom

__all__ = ["forget", "register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget")(forget)


def forget(
    author: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose posts; the clear name, also where `ingest.author_key` hides it."),
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Only the author's posts of this source.")] = None,
    post: Annotated[
        list[str] | None, typer.Option("--post", metavar="ID", help="A post, by its whole id; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove an author's posts, or single ones, from all that is stored. There is no way back.

    Gone are the posts, what was found in them, people's labels of them, a shadow model's scores, where alerts and
    their stored messages quote or name the author, and the counts in Redis, which are then made again from what is
    left. What stays: the ids, so that a message that comes again does not bring the post back, and the numbers of
    alerts, which name nobody. Workers may run meanwhile; killed anywhere, run it again and it finishes.

    Out of its reach: Kafka's topics until their retention ends, messages that were sent, log files, backups, files
    that somebody exported, and other people's posts that quote or name the author. See docs/privacy.md.

    Example: bearometer forget --author ann_lee --source reddit --dry-run

    Example: bearometer forget --post reddit:t3_abc123 --yes
    """
    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings
    from storage.database import open_database
    from storage.forget import forget as forget_everywhere
    from storage.forget import preview
    from storage.forget_windows import ForgettingWindowStore

    if (author is None) == (not post):
        message = "say whom: --author NAME, or --post ID, one of the two"
        raise Misconfigured(message)
    if source is not None and author is None:
        message = "--source goes with --author"
        raise Misconfigured(message)
    if not (yes or dry_run or sys.stdin.isatty()):
        message = "there is nobody to ask: add --yes, or --dry-run to see what would be removed"
        raise Misconfigured(message)
    settings = load_settings()
    windows = ForgettingWindowStore(settings.redis)
    engine = open_database(settings.postgres)
    windows.check()
    whom = _find_whom(engine, settings.ingest, author, source, post or [])
    if not yes:
        found = preview(engine, windows, whom)
        typer.echo("would be removed:" if not found.nothing else "there is nothing of it")
        _print(found)
        if dry_run or not (found.nothing or typer.confirm("Remove it for good?")):
            return
    done = forget_everywhere(engine, windows, whom, SystemClock())
    if yes:
        typer.echo("removed:" if not done.nothing else "there was nothing of it")
        _print(done)
    else:
        typer.echo("removed")
    typer.echo(f"the windows are complete: {done.rebuilt_from:,} posts read")


def _find_whom(
    engine: "Engine", settings: "IngestSettings", author: str | None, source: str | None, post: list[str]
) -> "Whom":
    from ingest.privacy import MAX_AUTHOR_CHARS, pseudonym
    from ingest.text import one_line
    from storage.forget import Whom, known_sources

    if author is None:
        return Whom(post_ids=frozenset(_given("--post", id_) for id_ in post))
    # As it is at ingest, where the name is cleaned before anything is made of it.
    name = one_line(_given("--author", author), MAX_AUTHOR_CHARS)
    whom = Whom(names=frozenset({name}), source=source)
    if settings.author_key is None:
        return whom
    key = settings.author_key.get_secret_value()
    sources = known_sources(engine) if source is None else [source]
    return replace(whom, names=whom.names | {pseudonym(name, each, key) for each in sources})


def _given(option: str, text: str) -> str:
    # Postgres holds no NUL.
    if not text.strip() or "\0" in text:
        message = f"{option} is {plain(text, 40)!r}; it must say something"
        raise Misconfigured(message)
    return text


def _print(found: "Forgotten") -> None:
    lines = (
        (found.posts, "posts"),
        (found.mentions, "mentions"),
        (found.labels, "labels"),
        (found.shadow_scores, "shadow scores"),
        (found.alerts, "alerts, in what they quote and name"),
        (found.messages, "stored messages, in what they quote and name"),
        (found.buckets, "minutes in Redis, to be counted again"),
        (found.stories, "stories in Redis, to be known again"),
    )
    for count, what in lines:
        if count:
            typer.echo(f"  {count:>9,} {what}")
