"""`bearometer ingest` and `bearometer dead`: feeds onto the topic, and messages that could not be used."""

import logging
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bearometer.commands.rehearse import Complaints, rehearse
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.clock import Clock
    from bearometer.settings import Settings
    from ingest.dead_letters import FoundLetter
    from ingest.rss import RssSource
    from ingest.worker import IngestReport

__all__ = ["dead_list", "dead_republish", "ingest", "register"]

log = logging.getLogger(__name__)

_REPORT_SECONDS = 60.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest")(ingest)
    dead = typer.Typer(help="Messages that could not be used: list them, publish them again.", no_args_is_help=True)
    dead.command("list")(dead_list)
    dead.command("republish")(dead_republish)
    app.add_typer(dead, name="dead")


def ingest(
    once: Annotated[bool, typer.Option("--once", help="Fetch each feed once, publish, and exit.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Fetch each feed once, print what would be published; no broker needed.")
    ] = False,
) -> None:
    """Fetch the configured feeds and publish what is new, until Ctrl-C or SIGTERM.

    Feeds stand in the settings file:

        [[ingest.feeds]]
        url = "https://example.com/news.rss"
        symbols = ["ACME"]

    Each is asked every `interval_seconds`, more rarely after an error or when it asks for that. While the broker
    is away, nothing is lost: the feeds wait.

    Example: bearometer --config bearometer.toml ingest --dry-run
    """
    from bearometer.clock import SystemClock
    from bearometer.logs import start_logging
    from bearometer.settings import load_settings
    from ingest.rss import RssSource

    settings, clock = load_settings(), SystemClock()
    start_logging(settings.log_level)
    source = RssSource(settings.ingest, clock, once=once or dry_run)
    if dry_run:
        posts, reasons = rehearse(source, settings.ingest, clock, Complaints(most=None))
        typer.echo(f"{posts:,} posts would be published, {reasons.total():,} are rejected")
    else:
        _publish(source, settings, clock)
    if source.once and len(source.failed) == len(settings.ingest.feeds):
        from bearometer.errors import Failed

        message = f"no feed could be fetched: {'; '.join(source.failed)}"
        raise Failed(message)


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


def _publish(source: "RssSource", settings: "Settings", clock: "Clock") -> None:
    from bearometer.stopping import stop_on_signals
    from ingest.kafka import create_topics
    from ingest.publisher import Publisher
    from ingest.worker import run_ingest

    stop = stop_on_signals()
    create_topics(settings.kafka)
    told_at = clock.monotonic()

    def tell(report: "IngestReport") -> None:
        nonlocal told_at
        if clock.monotonic() - told_at >= _REPORT_SECONDS:
            told_at = clock.monotonic()
            log.info("%d posts published, %d rejected so far", report.published, report.rejected)

    with Publisher(settings.kafka, settings.ingest) as publisher:
        report = run_ingest(source, publisher, settings.ingest, clock, tell, stop)
    typer.echo(f"{report.published:,} posts published, {report.rejected:,} rejected", err=True)


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
