"""`bearometer detect`: the detector on a bare series of counts, CSV in and out."""

from __future__ import annotations

import csv
import math
import re
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain
from bearometer.whole_file import written_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["register"]

BIN_SECONDS = 300
FARTHEST = 2 * BIN_SECONDS
"""Seconds between rows that are all farther apart than this are not a series of five minutes."""
ROWS_TO_TELL = 3
COLUMNS = 2
MOST = 1e9
PER_YEAR = {"week": 365.25 / 7, "month": 12.0, "year": 1.0}
BAR_BYTES = 1_000_000
"""Files up to this take a few seconds, and get no bar."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("detect")(detect)


def detect(
    input_path: Annotated[str, typer.Argument(metavar="IN.csv", help="timestamp,value; - for standard input.")],
    output_path: Annotated[str, typer.Argument(metavar="OUT.csv", help="What to write; - for standard output.")],
    budget: Annotated[
        str, typer.Option(metavar="N[/week|/month|/year]", help="False alarms that you can live with.")
    ] = "0.5/week",
) -> None:
    """Find bursts in a series of counts per five minutes: timestamp,value in, timestamp,value,anomaly_score out.

    A score of 0.5 or more is an alarm, and one event has one: the day after it has no other. Each row is judged by the
    rows before it alone, so a longer file never changes what was said of an earlier row. The first day has no alarms;
    after two weeks levels and hours of the day are known well.

    The budget is how many alarms the series' own past would bring by chance. The default, one in two weeks, is for
    somebody who looks at a screen; to be woken by it, take 1/year. Timestamps are ISO 8601, UTC where they name no
    zone, and ascending; five minutes without a row count as 0.

    Example: bearometer detect mentions.csv scored.csv --budget 1/month
    """
    per_year = _per_year(budget)
    source = None if input_path == "-" else Path(input_path)
    target = None if output_path == "-" else Path(output_path)
    if source is not None and target is not None and target.exists() and source.exists() and target.samefile(source):
        message = f"{plain(output_path)} is the input"
        raise Misconfigured(message)
    with ExitStack() as stack:
        lines, size = _open(source, stack)
        file: IO[str] = sys.stdout
        if target is not None:
            part = stack.enter_context(written_whole(target))
            file = stack.enter_context(part.open("w", encoding="utf-8", newline=""))
        rows, alarms = _score(lines, input_path, file, per_year, stack.enter_context(_bar(size)))
    typer.echo(f"{rows:,} rows, {alarms} alarm{'' if alarms == 1 else 's'}", err=True)


def _score(
    lines: IO[str], name: str, file: IO[str], per_year: float, progress: Callable[[int], None]
) -> tuple[int, int]:
    from alerts.series import ALARM, SeriesWatch

    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("timestamp", "value", "anomaly_score"))
    watch = None
    rows = alarms = 0
    for timestamp, value, at, count in _rows(lines, name):
        bin = int(at // BIN_SECONDS)
        watch = watch or SeriesWatch(bin, per_year)
        score = watch.score(bin, count)
        writer.writerow((timestamp, value, f"{score:.4f}"))
        rows += 1
        alarms += score >= ALARM
        progress(len(timestamp) + len(value) + 2)
    return rows, alarms


def _rows(lines: IO[str], name: str) -> Iterator[tuple[str, str, float, float]]:
    """Of each row its two texts, its seconds since 1970 and its count; Failed, naming the line, when one is bad."""
    reader = csv.reader(lines, strict=True)
    times: list[float] = []
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if header[:2] != ["timestamp", "value"]:
            message = f"{plain(name)}, line 1: it must be `timestamp,value`"
            raise Failed(message)
        for row in reader:
            if not row:
                continue
            at, count = _read(row)
            if times and at < times[-1]:
                message = f"`{plain(row[0], 50)}` is before the row above it"
                raise ValueError(message)
            if len(times) < ROWS_TO_TELL:
                times.append(at)
                gaps = [later - earlier for earlier, later in pairwise(times)]
                if len(times) == ROWS_TO_TELL and min(gaps) > FARTHEST:
                    message = f"rows come {min(gaps):,.0f} seconds apart; a count for every 300 seconds is needed"
                    raise ValueError(message)
            times[-1] = at
            yield row[0], row[1], at, count
    except (ValueError, csv.Error) as error:
        message = f"{plain(name)}, line {max(1, reader.line_num)}: {error}"
        raise Failed(message) from None


def _read(row: list[str]) -> tuple[float, float]:
    """A row's seconds since 1970 and its count; ValueError, for the reader, when it has none."""
    if len(row) < COLUMNS:
        message = f"there are {COLUMNS} columns, timestamp and value; this row has {len(row)}"
        raise ValueError(message)
    timestamp, value = row[0].strip(), row[1].strip()
    try:
        at = datetime.fromisoformat(timestamp)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        message = f"`{plain(timestamp, 50)}` is no time such as 2026-03-01 14:05:00"
        raise ValueError(message) from None
    try:
        count = float(value)
    except ValueError:
        count = math.nan
    if not 0 <= count <= MOST:
        message = f"`{plain(value, 50)}` is no count from 0 to {MOST:,.0f}"
        raise ValueError(message)
    return seconds, count


def _per_year(budget: str) -> float:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)(?:/(week|month|year))?", budget.strip())
    per_year = float(found[1]) * PER_YEAR[found[2] or "year"] if found else 0.0
    if per_year <= 0:
        message = f"--budget is {plain(budget, 50)}; it must be a number above 0, as 3/month, 0.5/week or 2/year"
        raise Misconfigured(message)
    return per_year


def _open(path: Path | None, stack: ExitStack) -> tuple[IO[str], int | None]:
    """The lines, and how many bytes there are where that is known."""
    if path is None:
        return sys.stdin, None
    try:
        return stack.enter_context(path.open(encoding="utf-8-sig", newline="")), path.stat().st_size
    except OSError as error:
        message = f"{plain(str(path))} cannot be read: {error.strerror or error}"
        raise Misconfigured(message) from error


@contextmanager
def _bar(size: int | None) -> Iterator[Callable[[int], None]]:
    """A bar over the input's bytes, where it is long and standard error is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    is_shown = console.is_terminal and size is not None and size > BAR_BYTES
    with Progress(console=console, disable=not is_shown, transient=True) as progress:
        task = progress.add_task("detecting", total=size)
        yield lambda characters: progress.advance(task, characters)
