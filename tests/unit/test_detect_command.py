"""`bearometer detect` as a person runs it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bearometer.commands.detect import register
from bearometer.errors import Failed, Misconfigured

START = datetime.fromisoformat("2026-03-02 00:02:53")
DAY = 288


def run(*arguments: str, standard_input: str | None = None) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["detect", *arguments], input=standard_input)


def series(days: float, bursts: tuple[float, ...] = (), step: int = 300) -> str:
    """Four a row, every third row five, and bursts of an hour that begin at these days."""
    lines = ["timestamp,value"]
    for row in range(round(days * DAY)):
        value = 4 + (row % 3 == 0)
        if any(0 <= row - burst * DAY < 12 for burst in bursts):
            value = 90
        lines.append(f"{START + timedelta(seconds=row * step)},{value}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scored(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


def alarms(path: Path) -> list[int]:
    return [row for row, cells in enumerate(scored(path)[1:]) if float(cells[2]) >= 0.5]


def test_a_burst_gets_one_alarm_and_every_row_a_score(folder: Path) -> None:
    (folder / "in.csv").write_text(series(4, bursts=(2.5, 3.75)))
    done = run("in.csv", "out.csv")
    assert done.exit_code == 0, done.exception
    assert done.stderr == f"{4 * DAY:,} rows, 2 alarms\n"
    rows = scored(folder / "out.csv")
    assert rows[0] == ["timestamp", "value", "anomaly_score"]
    assert [",".join(row[:2]) for row in rows] == (folder / "in.csv").read_text().splitlines()
    assert all(0 <= float(row[2]) <= 1 for row in rows[1:])
    first, second = alarms(folder / "out.csv")
    assert 2.5 * DAY <= first < 2.5 * DAY + 12
    assert 3.75 * DAY <= second < 3.75 * DAY + 12
    assert [path.name for path in folder.iterdir()] == ["in.csv", "out.csv"] or len(list(folder.iterdir())) == 2


def test_a_longer_file_never_changes_what_was_said_of_earlier_rows(folder: Path) -> None:
    whole = series(3, bursts=(2.0, 2.6))
    (folder / "whole.csv").write_text(whole)
    (folder / "start.csv").write_text("".join(whole.splitlines(keepends=True)[: 2 * DAY + 6]))
    assert run("whole.csv", "a.csv").exit_code == run("start.csv", "b.csv").exit_code == 0
    assert (folder / "a.csv").read_text().startswith((folder / "b.csv").read_text())


def test_it_reads_standard_input_and_writes_standard_output(folder: Path) -> None:
    done = run("-", "-", standard_input="timestamp,value\n2026-03-02T00:00:00Z,3\n2026-03-02T00:05:00Z,0\n")
    assert done.stdout == (
        "timestamp,value,anomaly_score\n2026-03-02T00:00:00Z,3,0.0002\n2026-03-02T00:05:00Z,0,0.0002\n"
    )
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("", "in.csv, line 1: it must be `timestamp,value`"),
        ("time,count\n", "in.csv, line 1: it must be `timestamp,value`"),
        ("timestamp,value\n2026-03-02 00:00:00,x\n", "in.csv, line 2: `x` is no count from 0 to 1,000,000,000"),
        ("timestamp,value\n2026-03-02 00:00:00,-1\n", "line 2: `-1` is no count"),
        ("timestamp,value\n2026-03-02 00:00:00,nan\n", "line 2: `nan` is no count"),
        ("timestamp,value\n2026-03-02 00:00:00,1\n\nnoon,1\n", "line 4: `noon` is no time such as"),
        ("timestamp,value\n2026-03-02 00:00:00\n", "line 2: there are 2 columns, timestamp and value; this row has 1"),
        (
            "timestamp,value\n2026-03-02 00:05:00,1\n2026-03-02 00:00:00,1\n",
            "line 3: `2026-03-02 00:00:00` is before the row above it",
        ),
        (series(0.05, step=3600), "line 4: rows come 3,600 seconds apart; a count for every 300 seconds is needed"),
        ('timestamp,value\n"2026', "in.csv, line "),
        ("timestamp,value\n2026-03-02 00:00:00,\x1b[31m\n", "line 2: `[31m` is no count"),
    ],
)
def test_a_bad_row_is_one_line_with_its_number_and_leaves_the_old_file_as_it_was(
    folder: Path, rows: str, problem: str
) -> None:
    (folder / "in.csv").write_text(rows)
    (folder / "out.csv").write_text("old")
    done = run("in.csv", "out.csv")
    assert isinstance(done.exception, Failed)
    assert problem in str(done.exception)
    assert "\n" not in str(done.exception)
    assert (folder / "out.csv").read_text() == "old"
    assert len(list(folder.iterdir())) == 2


def test_bytes_that_are_no_text_are_one_line(folder: Path) -> None:
    (folder / "in.csv").write_bytes(b"timestamp,value\n\xff\xfe,1\n")
    done = run("in.csv", "out.csv")
    assert isinstance(done.exception, Failed)
    assert not (folder / "out.csv").exists()


@pytest.mark.parametrize("budget", ["0", "-1", "often", "1/day", "nan", "1e9"])
def test_a_budget_that_is_none_is_refused(folder: Path, budget: str) -> None:
    (folder / "in.csv").write_text(series(0.1))
    done = run("in.csv", "out.csv", f"--budget={budget}")
    assert isinstance(done.exception, Misconfigured)
    assert "it must be a number above 0, as 3/month, 0.5/week or 2/year" in str(done.exception)


@pytest.mark.parametrize(("budget", "same"), [("12", "12/year"), ("1/month", "12/year"), ("1/week", "52.178571/year")])
def test_a_budget_has_a_unit_and_is_a_year_s_without(folder: Path, budget: str, same: str) -> None:
    rows = "timestamp,value\n2026-03-02 00:00:00,3\n"
    assert run("-", "-", "--budget", budget, standard_input=rows).stdout == (
        run("-", "-", "--budget", same, standard_input=rows).stdout
    )


def test_files_that_cannot_be_read_or_written_are_refused(folder: Path) -> None:
    (folder / "in.csv").write_text(series(0.1))
    assert "none.csv cannot be read" in str(run("none.csv", "out.csv").exception)
    assert "no/out.csv cannot be written" in str(run("in.csv", "no/out.csv").exception)
    assert "in.csv is the input" in str(run("in.csv", "./in.csv").exception)
