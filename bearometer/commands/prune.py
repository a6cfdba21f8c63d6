"""`bearometer prune`: what is old is dropped, posts by whole months."""

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.times import read_length
from bearometer.errors import Misconfigured

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

__all__ = ["prune", "register"]


class Kind(StrEnum):
    """What can be dropped."""

    POSTS = "posts"
    SHADOW = "shadow"
    ALERTS = "alerts"
    LABELS = "labels"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prune")(prune)


def prune(
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH", help="How much of the past is kept: 365d, 52w; `postgres.keep_days` when missing."
        ),
    ] = None,
    table: Annotated[
        list[Kind] | None,
        typer.Option(help="Only this; may be repeated. When missing, all but people's labels.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped, and change nothing.")] = False,
) -> None:
    """Drop what is older than a length of time. There is no way back.

    `posts` are the posts and mentions, by whole months (those that were over by then), and the ids by which repeats
    are known. `shadow` are a shadow model's scores of them. `alerts` are alerts that were over by then, with their
    messages. `labels` are what people said of posts; they are dropped only where they are named.

    What alerts look back on is never dropped: less than `alerts.history_days` is refused, and where the evaluation is
    behind the clock, so is this. Workers may run meanwhile. Meant to be run by cron, every night.

    Example: bearometer prune --keep 365d --dry-run

    Example: bearometer prune --keep 2w --table labels
    """
    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings
    from storage.database import open_database
    from storage.retention import prune as drop_old

    settings = load_settings()
    length = _length(keep, settings.postgres.keep_days)
    kinds = set(table or (Kind.POSTS, Kind.SHADOW, Kind.ALERTS))
    history = settings.alerts.history_days
    if kinds - {Kind.LABELS} and length < timedelta(days=history):
        message = f"{length.days} days are too few to keep: alerts look back on {history} (`alerts.history_days`)"
        raise Misconfigured(message)
    engine = open_database(settings.postgres)
    before = SystemClock().now() - length
    needed = _first_needed(engine, history)
    if kinds - {Kind.LABELS} and needed is not None and needed < before:
        typer.echo(f"alerts still look back to {needed:%Y-%m-%d %H:%M} UTC: more is kept")
        before = needed
    found = drop_old(engine, before, [kind.value for kind in kinds], dry_run=dry_run)
    typer.echo(f"{'would be dropped' if dry_run else 'dropped'}, as older than {before:%Y-%m-%d %H:%M} UTC:")
    months = f": {found.months[0]} to {found.months[-1]}" if found.months else ""
    lines = (
        (Kind.POSTS, len(found.months), f"months of posts and mentions{months}"),
        (Kind.POSTS, found.post_ids, "ids of posts"),
        (Kind.SHADOW, found.shadow_scores, "shadow scores"),
        (Kind.ALERTS, found.alerts, "alerts"),
        (Kind.ALERTS, found.messages, "messages"),
        (Kind.LABELS, found.labels, "labels"),
    )
    for kind, count, what in lines:
        if kind in kinds:
            typer.echo(f"  {count:>9,} {what}")


def _length(keep: str | None, keep_days: int | None) -> timedelta:
    if keep is not None:
        return read_length("--keep", keep)
    if keep_days is None:
        message = "say how much is kept: --keep 365d, or the setting `postgres.keep_days`"
        raise Misconfigured(message)
    return timedelta(days=keep_days)


def _first_needed(engine: "Engine", history_days: int) -> "datetime | None":
    """Since when an evaluation that starts over must know the mentions; None before the first one."""
    from alerts.monitor import first_needed
    from storage.alerts import AlertStore

    as_of = AlertStore(engine).as_of()
    return None if as_of is None else first_needed(as_of, history_days)
