"""`bearometer ingest` and `bearometer dead`: sources onto the topic, and messages that could not be used."""

import logging
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bearometer.commands.rehearse import Complaints, rehearse
from bearometer.errors import Unavailable
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.clock import Clock
    from bearometer.settings import Settings
    from ingest.dead_letters import FoundLetter
    from ingest.runner import Job

__all__ = ["dead_list", "dead_republish", "ingest", "register"]

log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest")(ingest)
    dead = typer.Typer(help="Messages that could not be used: list them, publish them again.", no_args_is_help=True)
    dead.command("list")(dead_list)
    dead.command("republish")(dead_republish)
    app.add_typer(dead, name="dead")


def ingest(
    once: Annotated[bool, typer.Option("--once", help="Ask each source once, publish, and exit.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask each source once, print what would be published; no broker needed.")
    ] = False,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only this source; may be given several times. `feeds` are all [[ingest.feeds]]."
        ),
    ] = None,
) -> None:
    """Read the configured sources and publish what is new, until Ctrl-C or SIGTERM.

    Sources stand in the settings file; docs/sources.md has all kinds, `bearometer sources add` writes them:

        [[ingest.feeds]]
        url = "https://example.com/news.rss"
        symbols = ["ACME"]

        [[ingest.sources]]
        kind = "edgar"
        name = "filings"
        contact = "Example Research research@example.com"

    Each is asked every `interval_seconds`, more rarely after an error or when it asks for that; one that fails does not
    stop the others. While the broker is away, nothing is lost: the sources wait. [[ingest.sources]] go on where they
    stopped, and need Postgres for that; feeds do not. Several workers share the work by --source.

    Example: bearometer --config bearometer.toml ingest --dry-run

    Example: bearometer --config bearometer.toml ingest --source filings --source feeds
    """
    from bearometer.clock import SystemClock
    from bearometer.errors import Failed
    from bearometer.linker import open_linker
    from bearometer.logs import start_logging
    from bearometer.settings import load_settings
    from ingest.sources import build_jobs

    settings, clock = load_settings(), SystemClock()
    start_logging(settings.log_level)
    if settings.ingest.link_names:
        open_linker(settings.ingest.gazetteer)  # what is wrong with the names is said before anything is read
    jobs = build_jobs(settings.ingest, clock, source or (), once=once or dry_run, dry_run=dry_run)
    failures = _rehearse(jobs, settings, clock) if dry_run else _publish(jobs, settings, clock, once=once)
    if (once or dry_run) and len(failures) == len(jobs):
        raise Failed("; ".join(failures))


def dead_list(
    reason: Annotated[str | None, typer.Option(help="Only letters with this reason, such as `undecodable`.")] = None,
    limit: Annotated[int, typer.Option(help="How many to show, the newest first.", min=1)] = 50,
    output: Annotated[
        Literal["table", "json"], typer.Option("--format", help="A table, or one JSON a line.")
    ] = "table",
) -> None:
    """List the messages that could not be used, the newest first: why, and where they came from.

    Example: bearometer dead list --reason undecodable
    """
    from bearometer.settings import load_settings
    from ingest.dead_letters import list_dead_letters

    found = list_dead_letters(load_settings().kafka, reason)
    if output == "json":
        for letter in found[:limit]:
            typer.echo(_as_json(letter))
        return
    rows = [("FAILED", "REASON", "FROM", "AGAIN", "DETAIL", "MESSAGE"), *map(_as_row, found[:limit])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows if found else ():
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    waiting = sum(not letter.republished for letter in found)
    typer.echo(
        f"{len(found):,} dead letters, {waiting:,} of them not published again; {min(len(found), limit):,} shown"
    )


def dead_republish(
    reason: Annotated[str | None, typer.Option(help="Only letters with this reason.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
) -> None:
    """Publish the messages that could not be used once more, unchanged, on the topic that they came from.

    Each letter goes once, however often this is run; one that fails again comes as a new letter. Do it after the
    reason is gone: a new version of the stream worker, say.

    Example: bearometer dead republish --reason unscorable
    """
    from bearometer.settings import load_settings
    from ingest.dead_letters import republish_dead_letters

    settings = load_settings()
    report = republish_dead_letters(settings.kafka, settings.ingest, reason, dry_run=dry_run)
    for each, count in sorted(report.republished.items()):
        typer.echo(f"{plain(each, 40)}: {count:,} {'would be ' if dry_run else ''}published again")
    typer.echo(
        f"{report.republished.total():,} in all; {report.already:,} were published again before"
        + (f"; {report.unreadable:,} cannot be read" if report.unreadable else "")
    )


def _rehearse(jobs: "list[Job]", settings: "Settings", clock: "Clock") -> list[str]:
    """Print what each source would give; what is wrong with those that give nothing."""
    from bearometer.errors import BearometerError

    posts, rejected = 0, 0
    failures = []
    for job in jobs:
        try:
            more, reasons = rehearse(job.open(), settings.ingest, clock, Complaints(most=None))
        except BearometerError as error:
            failures.append(f"{job.name}: {error}")
            typer.echo(f"{job.name}: {plain(str(error), 2_000)}", err=True)
        else:
            posts, rejected = posts + more, rejected + reasons.total()
    typer.echo(f"{posts:,} posts would be published, {rejected:,} are rejected")
    return failures


def _publish(jobs: "list[Job]", settings: "Settings", clock: "Clock", *, once: bool) -> list[str]:
    """Run the sources; why those failed that did not recover from it."""
    from functools import partial

    from bearometer.source_base import FEEDS
    from bearometer.stopping import stop_on_signals
    from ingest.kafka import create_topics
    from ingest.ledger import Ledger
    from ingest.publisher import Publisher
    from ingest.runner import run_jobs
    from storage.database import check_database, connect
    from storage.posts import PostStore
    from storage.sources import SourceStore

    stop = stop_on_signals()
    engine = connect(settings.postgres)
    keeps_place = any(job.name != FEEDS for job in jobs)
    if keeps_place:
        try:
            check_database(engine)
        except Unavailable as error:
            log.warning("%s; sources that keep their place there wait for it, feeds do not", error)
    create_topics(settings.kafka)
    stored = partial(PostStore(engine).progress, settings.kafka.topic) if settings.ingest.place_after_store else None
    with Ledger(SourceStore(engine), clock, quiet=not keeps_place, stored=stored) as ledger:
        outcomes = run_jobs(
            jobs, lambda: Publisher(settings.kafka, settings.ingest), settings.ingest, clock, stop, ledger, once=once
        )
    engine.dispose()
    published, rejected = (sum(getattr(each, name) for each in outcomes) for name in ("published", "rejected"))
    typer.echo(f"{published:,} posts published, {rejected:,} rejected", err=True)
    return [f"{each.name}: {each.failure}" for each in outcomes if each.failure]


def _as_row(found: "FoundLetter") -> tuple[str, ...]:
    letter = found.letter
    return (
        f"{letter.failed_at:%Y-%m-%d %H:%M:%S}",
        plain(letter.reason, 20),
        plain(f"{letter.topic}/{letter.partition}/{letter.offset}", 60),
        "yes" if found.republished else "no",
        plain(letter.detail, 60),
        plain((letter.value or b"").decode("utf-8", "replace"), 60),
    )


def _as_json(found: "FoundLetter") -> str:
    import orjson

    letter = found.letter
    fields = {
        "failed_at": letter.failed_at,
        "reason": plain(letter.reason),
        "detail": plain(letter.detail),
        "topic": plain(letter.topic),
        "partition": letter.partition,
        "offset": letter.offset,
        "republished": found.republished,
        "value": plain((letter.value or b"").decode("utf-8", "replace"), 2_000),
    }
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z).decode()
