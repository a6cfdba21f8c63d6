"""Progress bars of the commands about the classifier; on standard error, bars on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from model.recipe import EpochReport, Observer, Scores

__all__ = ["bytes_progress", "rows_progress", "scores_table", "training_progress"]


@contextmanager
def training_progress(title: str = "training") -> Iterator[Observer]:
    """A bar over the steps on a terminal, with the time left, and a line per epoch; on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]}")),
        *(TimeRemainingColumn(), TextColumn("left")),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield _TrainingProgress(progress, title, lambda line: console.print(line, soft_wrap=True, highlight=False))


class _TrainingProgress:
    """Shows the steps as a bar and each epoch as a line."""

    def __init__(self, progress: Progress, title: str, show: Callable[[str], None]) -> None:
        self._progress, self._title, self._show = progress, title, show
        self._task = progress.add_task(title, total=None, loss="-")
        self._begun = False

    def step(self, done: int, total: int, loss: float, learning_rate: float) -> None:
        """Move the bar."""
        if not self._begun:  # what was done before a kill says nothing about the time left
            self._progress.reset(self._task, total=total, completed=done - 1)
            self._begun = True
        self._progress.update(self._task, completed=done, total=total, loss=f"{loss:.3f}")

    def epoch(self, report: EpochReport) -> None:
        """Print an epoch's line."""
        measured = "".join(
            f", {label} {value:.4f}"
            for label, value in (
                ("text macro F1", report.scores.text_macro_f1),
                ("mention accuracy", report.scores.mention_accuracy),
                ("topic accuracy", report.scores.topic_accuracy),
            )
            if value is not None
        )
        self._show(f"{self._title}, epoch {report.epoch}: loss {report.loss:.4f}{measured}, {report.seconds:.0f} s")


def scores_table(title: str, columns: Mapping[str, Scores]) -> Table:
    """The development scores of several models side by side, all three tasks; what was not measured is left out."""
    from dataclasses import asdict

    from rich.table import Table

    table = Table(title=title)
    table.add_column("measure")
    for name in columns:
        table.add_column(name, justify="right")
    figures = {name: asdict(scores) for name, scores in columns.items()}
    names = [name for name in next(iter(figures.values())) if any(each[name] is not None for each in figures.values())]
    for name, following in zip(names, [*names[1:], ""], strict=True):
        values = ("" if each[name] is None else f"{each[name]:.4f}" for each in figures.values())
        task, _, rest = name.partition("_")
        label = f"{task} {rest.replace('_', ' ').replace('f1', 'F1')}"
        table.add_row(label, *values, end_section=not following.startswith(task))
    return table


@contextmanager
def rows_progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar over rows on a terminal; call what it gives with how many more are done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda rows: progress.advance(task, rows)


@contextmanager
def bytes_progress(path: Path | None) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """A bar over the input's bytes on a terminal, and a way to print lines on standard error beside it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, soft_wrap=True)
    columns = (TextColumn("scoring"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("scoring", total=path.stat().st_size if path else None)

        def complain(problem: str) -> None:
            console.print(problem, markup=False, highlight=False, emoji=False)

        yield lambda size: progress.advance(task, size), complain
