"""`bearometer migrate`, `sql`, `windows`, `rebuild-windows`: the two stores, looked at and looked after."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bearometer.commands.answer_file import SUFFIXES, Format, write_answer
from bearometer.commands.windows import windows
from bearometer.errors import Misconfigured
from bearometer.terminal import plain

__all__ = ["migrate", "rebuild_windows", "register", "sql"]

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

    Views to begin with: sentiment_by_minute, sentiment_by_hour, sentiment_by_day and topics_by_minute, topics_by_hour,
    topics_by_day; stories and stories_of(symbol, since, until); negative_posts, spam_posts, unscored_posts,
    alert_history. docs/sql.md has an example of each. Posts are other people's text: do not open a CSV of them in a
    spreadsheet without --spreadsheet.

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
        more = write_answer(
            settings, question, chosen, output, limit=rows, timeout_seconds=timeout, spreadsheet=spreadsheet
        )
    if more:
        typer.echo(f"the first {rows} rows; all of them: --limit 0", err=True)


def rebuild_windows() -> None:
    """Give Redis back the windows and the stories of the last two days, from Postgres.

    For a Redis that was emptied, restarted or replaced. The stream workers do it by themselves when they find it so;
    running it at any time, beside them, does no harm: what is there is not counted again. Spam is read too, for the
    stories that it tells, and counted in no window.

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
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} posts read"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("rebuild", total=None)
        count = store.rebuild(PostStore(engine), SystemClock(), lambda done: bar.update(task, completed=done))
    typer.echo(f"the windows are complete: {count:,} posts read")
