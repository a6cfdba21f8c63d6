"""`bearometer sources`: which sources there are, how they are doing, whether they work; pause them, take them up."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.sources_add import add
from bearometer.errors import Failed, Misconfigured, Unavailable
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.settings import Settings
    from ingest.checks import Checked
    from storage.sources import SourceRow, SourceStore

__all__ = ["check", "list_sources", "pause", "register", "resume"]

HEADER = ("NAME", "KIND", "POSTS", "ERRORS", "NEWEST", "ASKED", "STATE", "LAST ERROR")
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def register(app: typer.Typer) -> None:
    """Add `bearometer sources` and its subcommands."""
    sources = typer.Typer(
        no_args_is_help=True, help="Where posts come from: list and check the sources, add, pause and resume them."
    )
    sources.command("list")(list_sources)
    sources.command("check")(check)
    sources.command("add")(add)
    sources.command("pause")(pause)
    sources.command("resume")(resume)
    app.add_typer(sources, name="sources")


def list_sources(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
) -> None:
    """List the configured sources and those that were: posts so far, errors, age of the newest post, what is wrong.

    `feeds` are all [[ingest.feeds]] together. Counts and places are kept in Postgres; without it only the names and
    kinds are known.

    Example: bearometer --config bearometer.toml sources list
    """
    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings

    settings, now = load_settings(), SystemClock().now()
    kinds = _configured(settings)
    try:
        stored = {row.name: row for row in _open(settings).rows()}
    except Unavailable as error:
        typer.echo(f"nothing is known of how they are doing: {plain(str(error))}", err=True)
        stored = {}
    names = [*kinds, *(name for name in stored if name not in kinds)]
    if as_json:
        _print_json(names, kinds, stored)
        return
    if not names:
        typer.echo("there are no sources; `bearometer sources add --help` says how to have some")
        return
    rows = [HEADER, *(_line(name, kinds.get(name), stored.get(name), now) for name in names)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which; all configured ones when none is named.")
    ] = None,
) -> None:
    """Ask each source once: how many posts it gives, the first of them, or in one line why it gives none.

    Nothing is published and no place is moved; each feed is asked by itself. Exit code 1 when one does not work.

    Example: bearometer --config bearometer.toml sources check filings
    """
    from functools import partial

    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings
    from bearometer.source_base import FEEDS
    from ingest.checks import check_source
    from ingest.rss import RssSource
    from ingest.sources import build_jobs

    settings, clock = load_settings(), SystemClock()
    checked = 0
    broken = []
    for job in build_jobs(settings.ingest, clock, names or (), once=True, dry_run=True):
        parts = [(job.name, job.open)]
        if job.name == FEEDS:
            alone = [settings.ingest.model_copy(update={"feeds": (feed,)}) for feed in settings.ingest.feeds]
            parts = [
                (f"{FEEDS}: {each.feeds[0].name or each.feeds[0].url}", partial(RssSource, each, clock, once=True))
                for each in alone
            ]
        for name, open_source in parts:
            found = check_source(open_source, settings.ingest, clock)
            checked += 1
            if found.problem is not None:
                broken.append(name)
            print_checked(name, found)
    if broken:
        message = f"{len(broken)} of {checked} sources {'does' if len(broken) == 1 else 'do'} not work"
        raise Failed(message)


def pause(names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `sources list` shows them.")]) -> None:
    """Have the workers leave sources alone, within seconds and until `sources resume`; they keep their place.

    Example: bearometer sources pause filings
    """
    _set_paused(names, paused=True)


def resume(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `sources list` shows them.")],
) -> None:
    """Have the workers take up paused sources where they stopped.

    Example: bearometer sources resume filings
    """
    _set_paused(names, paused=False)


def print_checked(name: str, found: "Checked") -> None:
    """Say in a line or two what a source gave."""
    shown = plain(name, 100)
    if found.problem is not None:
        typer.echo(f"{shown}: does not work: {found.problem}")
        return
    rejected = f", {found.rejected:,} cannot be used" if found.rejected else ""
    typer.echo(f"{shown}: works, {found.posts:,} posts just now{rejected}")
    if found.first is not None:
        symbols = ", ".join(found.first.symbols) or "no symbol"
        text = plain(found.first.text, 100)
        typer.echo(f"  {found.first.published_at:%Y-%m-%d %H:%M}  {plain(found.first.id, 60)}  [{symbols}]  {text}")


def _set_paused(names: list[str], *, paused: bool) -> None:
    from bearometer.settings import load_settings

    settings = load_settings()
    store = _open(settings)
    known = {*_configured(settings), *(row.name for row in store.rows())}
    for name in names:
        if name not in known:
            message = f"no source is named {plain(name, 80)!r}; there are {', '.join(sorted(known)) or 'none'}"
            raise Misconfigured(message)
    store.set_paused(names, paused)
    for name in dict.fromkeys(names):
        typer.echo(f"{name} {'is paused' if paused else 'goes on'}; the workers notice within seconds")


def _configured(settings: "Settings") -> dict[str, str]:
    """Name to kind."""
    from bearometer.source_base import FEEDS

    feeds = {FEEDS: "rss"} if settings.ingest.feeds else {}
    return feeds | {source.name: source.kind for source in settings.ingest.sources}


def _open(settings: "Settings") -> "SourceStore":
    from storage.database import open_database
    from storage.sources import SourceStore

    return SourceStore(open_database(settings.postgres))


def _line(name: str, kind: str | None, row: "SourceRow | None", now: datetime) -> tuple[str, ...]:
    state = "paused" if row and row.paused else "on" if kind else "not configured"
    if row is None:
        return (plain(name, 63), kind or "", "-", "-", "-", "-", state, "")
    return (
        plain(name, 63),
        kind or plain(row.kind, 20),
        f"{row.posts:,}",
        f"{row.errors:,}",
        _age(row.newest_published_at, now),
        _age(row.polled_at, now),
        state,
        plain(row.last_error or "", 100),
    )


def _age(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "-"
    seconds = max(now - moment, timedelta()).total_seconds()
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= unit:
            return f"{seconds // unit:.0f}{letter}"
    return f"{seconds:.0f}s"


def _print_json(names: list[str], kinds: dict[str, str], stored: "dict[str, SourceRow]") -> None:
    import orjson

    for name in names:
        row = stored.get(name)
        fields = {
            "name": name,
            "kind": kinds.get(name) or (row.kind if row else ""),
            "configured": name in kinds,
            "paused": bool(row and row.paused),
            "posts": row.posts if row else 0,
            "errors": row.errors if row else 0,
            "newest_published_at": row.newest_published_at if row else None,
            "polled_at": row.polled_at if row else None,
            "last_error": plain(row.last_error) if row and row.last_error else None,
        }
        typer.echo(orjson.dumps(fields, option=orjson.OPT_UTC_Z).decode())
