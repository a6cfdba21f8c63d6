"""Progress bars of the commands about the classifier; on standard error, bars on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.recipe import EpochReport, Observer

__all__ = ["bytes_progress", "rows_progress", "training_progress"]


@contextmanager
def training_progress() -> Iterator[Observer]:
    """A bar over the steps on a terminal, and a line per epoch, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=None)

        def on_step(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield _TrainingProgress(on_step, lambda line: console.print(line, soft_wrap=True))


class _TrainingProgress:
    """Shows the steps as a bar and each epoch as a line."""

    def __init__(self, on_step: Callable[[int, int], None], show: Callable[[str], None]) -> None:
        self.step = on_step
        self._show = show

    def epoch(self, report: EpochReport) -> None:
        """Print an epoch's line."""
        self._show(
            f"epoch {report.epoch}: loss {report.loss:.4f}, development accuracy {report.accuracy:.4f}, "
            f"macro F1 {report.macro_f1:.4f}, weighted F1 {report.weighted_f1:.4f}, {report.seconds:.0f} s"
        )


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
