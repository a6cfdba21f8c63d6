"""`bearometer migrate`, `sql`, `windows`, `rebuild-windows`: the two stores, looked at and looked after."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bearometer.errors import Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from datetime import datetime

    from bearometer.window import Window

__all__ = ["migrate", "rebuild_windows", "register", "sql", "windows"]

Format = Literal["table", "csv", "json", "parquet"]
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".txt": "table",
}
SHOWN_ROWS = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("migrate")(migrate)
    app.command("sql")(sql)
    app.command("windows")(windows)
    app.command("rebuild-windows")(rebuild_windows)


def migrate() -> None:
    """Make the tables and views in Postgres, or bring them up to date.

    Run it once before the first start and once after each update; running it again, or on several machines at once,
    does no harm. The database itself must exist.

    Example: BEAROMETER_POSTGRES__URL=postgresql://bearometer:…@db/bearometer bearometer migrate
    """
    from bearometer.settings import load_settings
    from storage.database import connect
    from storage.migrate import migrate as run_migrations

    before, after = run_migrations(connect(load_settings().postgres))
    typer.echo(f"the schema is at {after}" + ("" if before == after else f"; it was at {before or 'nothing'}"))


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; `-` reads it from standard input.")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="How to write it; by the file's ending when missing.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Write this many rows at most; 0: all. A table shows 100.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that the database may take.")] = 60.0,
    spreadsheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="In CSV, put an apostrophe before text that could be taken for a formula."),
    ] = False,
) -> None:
    """Ask Postgres with SQL of your own; it can only read.

    Views to begin with: sentiment_by_minute, sentiment_by_hour, sentiment_by_day, negative_posts, alert_history.
    docs/sql.md has an example of each. Posts are other people's text: do not open a CSV of them in a spreadsheet
    without --spreadsheet.

    Example: bearometer sql "SELECT day, posts, negative FROM sentiment_by_day WHERE symbol = 'WMT' ORDER BY day"

    Example: bearometer sql "SELECT * FROM negative_posts" --output negative.parquet
    """
    from bearometer.settings import load_settings
    from storage.sql import write_query

    chosen = format_ or (SUFFIXES.get(output.suffix.lower()) if output else "table")
    if chosen is None:
        message = f"--output ends in {plain(output.suffix) if output else ''!r}; say the --format"
        raise Misconfigured(message)
    if chosen == "parquet" and output is None:
        message = "Parquet is not for the terminal: name a file with --output"
        raise Misconfigured(message)
    rows = SHOWN_ROWS if limit is None and chosen == "table" else limit or None
    question = sys.stdin.read() if query == "-" else query
    settings = load_settings().postgres
    if output is None:
        sys.stdout.flush()
        more = write_query(
            settings, question, chosen, sys.stdout.buffer, limit=rows, timeout_seconds=timeout, spreadsheet=spreadsheet
        )
        sys.stdout.flush()
    else:
        # Under another name until it is whole: an error leaves no half file, and an old one as it was.
        part = output.with_name(f".{output.name}.part")
        try:
            with part.open("wb") as file:
                more = write_query(
                    settings, question, chosen, file, limit=rows, timeout_seconds=timeout, spreadsheet=spreadsheet
                )
            part.replace(output)
        except OSError as error:
            message = f"{plain(str(output))} cannot be written: {error.strerror or error}"
            raise Misconfigured(message) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    if more:
        typer.echo(f"the first {rows} rows; all of them: --limit 0", err=True)


def windows(
    symbol: Annotated[str, typer.Argument(help="A ticker symbol such as WMT; `*` for the market.")],
    at: Annotated[
        str | None, typer.Option(help="End of the windows, ISO 8601, UTC unless it says otherwise.", metavar="TIME")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object for each window.")] = False,
) -> None:
    """Show what was said of a symbol in the last 1m, 5m, 15m, 1h and 24h, by the posts' own times.

    Without --at the windows end with the newest minute that anything was said of the symbol in. Redis keeps a minute
    for two days after its last post was stored; for older ones ask `bearometer sql`.

    Example: bearometer windows WMT --at 2015-10-14T21:00
    """
    from datetime import timedelta

    from bearometer.post import MARKET
    from bearometer.settings import load_settings
    from bearometer.window import WINDOWS
    from storage.windows import WindowStore

    store = WindowStore(load_settings().redis)
    name = symbol.upper().removeprefix("$")
    end = None if at is None else _parse_time(at)
    if end is None:
        newest = store.symbols()
        last = newest.get(name) or newest.get(MARKET)
        if last is None:
            typer.echo("no windows: nothing was stored within the last two days", err=True)
            return
        end = last + timedelta(minutes=1)
    found = {length: store.window(name, WINDOWS[length], end) for length in WINDOWS}
    if json_:
        _print_json(found)
    else:
        _print_table(name, end, found)


def rebuild_windows() -> None:
    """Give Redis back the windows of the last two days, from Postgres.

    For a Redis that was emptied, restarted or replaced. The stream workers do it by themselves when they find it so;
    running it at any time, beside them, does no harm: what is there is not counted again.

    Example: bearometer rebuild-windows
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings
    from storage.database import open_database
    from storage.posts import PostStore
    from storage.windows import WindowStore

    settings = load_settings()
    store = WindowStore(settings.redis)
    engine = open_database(settings.postgres)
    store.check()
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} posts counted"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("rebuild", total=None)
        count = store.rebuild(PostStore(engine), SystemClock(), lambda done: bar.update(task, completed=done))
    typer.echo(f"the windows are complete: {count:,} posts counted")


def _parse_time(text: str) -> "datetime":
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"--at is {plain(text, 40)!r}; it must be a time such as 2015-10-14T21:00"
        raise Misconfigured(message) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print_json(found: "dict[str, Window]") -> None:
    import orjson

    for length, window in found.items():
        fields = {"window": length, "symbol": window.symbol, "start": window.start, "end": window.end}
        counts = ("negative", "neutral", "positive", "posts", "mean_score", "distinct_authors", "distinct_texts")
        fields |= {name: getattr(window, name) for name in counts}
        typer.echo(orjson.dumps(fields, option=orjson.OPT_UTC_Z).decode())


def _print_table(symbol: str, end: "datetime", found: "dict[str, Window]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    typer.echo(f"{plain(symbol)} up to {end:%Y-%m-%d %H:%M} UTC")
    table = Table("window", box=None, header_style="bold", pad_edge=False)
    for name in ("posts", "negative", "neutral", "positive", "mean score", "authors", "texts"):
        table.add_column(name, justify="right")
    for length, window in found.items():
        score = window.mean_score
        counts = (window.posts, window.negative, window.neutral, window.positive)
        table.add_row(
            Text(length),
            *(f"{count:,}" for count in counts),
            "" if score is None else f"{score:+.2f}",
            f"{window.distinct_authors:,}",
            f"{window.distinct_texts:,}",
        )
    Console().print(table)
