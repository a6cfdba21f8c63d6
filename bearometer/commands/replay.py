"""`bearometer replay`: a file of posts through the monitor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.rehearse import Complaints, rehearse
from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from collections import Counter

    from bearometer.alert import Alert
    from bearometer.clock import Clock
    from bearometer.errors import Reason
    from bearometer.replay import ReplaySummary
    from bearometer.settings import Settings
    from ingest.replay import ReplaySource

__all__ = ["register", "replay"]

_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    file: Annotated[Path, typer.Argument(help="JSONL, JSONL.gz, CSV or CSV.gz, one post a row.")],
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Start servers and workers of its own, and stop them at the end.")
    ] = False,
    speed: Annotated[str, typer.Option(help="1: as it happened; 60: an hour in a minute; max: at once.")] = "max",
    mapping: Annotated[
        str, typer.Option("--map", help="What the file calls our fields, as ours=theirs,…", metavar="OURS=THEIRS,…")
    ] = "",
    source: Annotated[
        str | None, typer.Option(help="First half of the posts' ids; the file's name when missing.")
    ] = None,
    sort: Annotated[bool, typer.Option("--sort", help="Read it all first and put it in order of time.")] = False,
    summary: Annotated[
        Path | None, typer.Option(help="Wait until all was handled, and write what came of it here, as JSON.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Keep the stores here; a second run over it changes no count.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up at the end, until Ctrl-C.")] = False,
    workers: Annotated[int, typer.Option(help="Stream workers to start.", min=1, max=64)] = 1,
    notify: Annotated[
        bool, typer.Option("--notify", help="With --embedded: tell people too, by the Slack and mail settings.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check the file; publish nothing.")] = False,
) -> None:
    """Publish the posts of a file as if they were written now, in their own order and at a chosen speed.

    A row needs `id`, `created_at` (ISO 8601, or seconds since 1970) and `text`; it may have `lang`, `author`,
    `followers`, `retweets`, `symbols` and `url`. Other names are mapped: --map text=body,created_at=date.
    A row that cannot be read is reported with its line number, and the rest goes on.

    Without --embedded the posts go to the configured broker, and workers started elsewhere take them.

    Example: bearometer replay posts.jsonl.gz --embedded --summary summary.json
    """
    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings
    from ingest.replay import ReplaySource
    from ingest.rows import parse_field_map

    settings, clock = load_settings(), SystemClock()
    replayed = ReplaySource(
        file,
        settings.ingest,
        clock,
        name=source,
        speed=_parse_speed(speed),
        field_map=parse_field_map(mapping),
        sort=sort,
    )
    if dry_run:
        posts, reasons = rehearse(replayed, settings.ingest, clock, Complaints(), shown=_SHOWN)
        typer.echo(f"{posts:,} posts can be published; {reasons.total():,} rows are rejected{_describe(reasons)}")
    elif embedded:
        _replay_embedded(replayed, clock, summary=summary, run_dir=run_dir, keep=keep, workers=workers, notify=notify)
    else:
        _replay_to_broker(replayed, settings, clock, summary)
    if replayed.truncated:
        raise Failed(replayed.truncated)


def _parse_speed(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        message = f"`--speed` is {plain(speed, 40)}; it must be a number above 0, or max"
        raise Misconfigured(message)
    return factor


def _describe(reasons: "Counter[Reason]") -> str:
    return f" ({', '.join(f'{reason}: {count:,}' for reason, count in reasons.items())})" if reasons else ""


def _replay_embedded(
    source: "ReplaySource",
    clock: "Clock",
    *,
    summary: Path | None,
    run_dir: Path | None,
    keep: bool,
    workers: int,
    notify: bool,
) -> None:
    from bearometer.bars import show_bars
    from bearometer.replay import replay_through
    from bearometer.stack import leave_up, open_run_dir, start_stack

    with (
        open_run_dir(run_dir, keep=keep) as folder,
        start_stack(folder, clock, stream_workers=workers, durable=run_dir is not None, notify=notify) as stack,
    ):
        with show_bars() as bars:
            result = replay_through(
                source, stack.settings, stack.stores, clock, bars, pause=stack.wait, on_rejected=Complaints()
            )
        _finish(result, summary)
        if keep:
            leave_up(stack)


def _replay_to_broker(source: "ReplaySource", settings: "Settings", clock: "Clock", summary: Path | None) -> None:
    from bearometer.bars import show_bars
    from bearometer.replay import publish_source, replay_through, show_reading
    from ingest.kafka import create_topics
    from storage.alerts import AlertStore
    from storage.database import open_database
    from storage.posts import PostStore

    create_topics(settings.kafka)
    with show_bars() as bars:
        if summary is None:
            report = publish_source(
                source,
                settings,
                clock,
                show_reading(source, bars),
                Complaints(),
                shared=True,
            ).report
            typer.echo(f"published {report.published:,} of {report.read:,} rows{_describe(report.reasons)}")
            return
        engine = open_database(settings.postgres)
        result = replay_through(
            source,
            settings,
            (PostStore(engine), AlertStore(engine)),
            clock,
            bars,
            pause=clock.sleep,
            on_rejected=Complaints(),
            shared=True,
        )
    _finish(result, summary)


def _finish(result: "ReplaySummary", summary: Path | None) -> None:
    if summary is not None:
        summary.write_bytes(result.to_json())
    report, stored = result.report, result.stored
    typer.echo(f"read {report.read:,} rows, rejected {report.rejected:,}{_describe(report.reasons)}")
    typer.echo(
        f"stored {stored.posts:,} posts with {stored.mentions:,} mentions, which tell {stored.stories:,} stories; "
        f"{stored.spam:,} are spam, {stored.unscored:,} in other languages; {result.dead:,} dead letters"
    )
    typer.echo(
        f"{result.seconds:.1f} s from the first row to the last message: {report.read / result.seconds:.0f} rows/s"
    )
    first, seen_before = report.first_published_at, result.seen_before
    if first is not None and seen_before is not None and first < seen_before:
        typer.echo(f"alerts had been looked for up to {seen_before:%Y-%m-%d %H:%M} UTC: older posts bring no new ones")
    if report.out_of_order:
        typer.echo(
            f"{report.out_of_order:,} rows are older than one before them: --sort lets alerts see each in its time"
        )
    typer.echo(f"{len(result.alerts)} alerts" + (":" if result.alerts else ""))
    for alert in result.alerts:
        typer.echo(f"  {_describe_alert(alert)}")


def _describe_alert(alert: "Alert") -> str:
    from alerts.headline import one_story, rareness, seen
    from alerts.message import time_utc

    end = f"until {time_utc(alert.resolved_at)}" if alert.resolved_at else "still firing"
    copies = one_story(alert)
    return (
        f"{plain(alert.symbol, 20)} from {time_utc(alert.started_at)} {end}: "
        f"{seen(alert.peak)}; {rareness(alert.peak)}{f'; {copies}' if copies else ''}"
    )
