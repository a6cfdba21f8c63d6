"""Progress of long work on a terminal; a line at the start and end of each part elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

__all__ = ["Bars", "show_bars"]


class Bars:
    """One bar per part of the work, made when the part is first heard of."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console = console
        self._progress = progress
        self._parts: dict[str, int] = {}
        self._shares: dict[str, float] = {}

    def set(self, part: str, share: float, note: str = "") -> None:
        """Say that `share` (0 to 1) of a part is done."""
        share = min(1.0, max(0.0, share))
        if self._progress is None:
            self._say(part, share, note)
            return
        if part not in self._parts:
            self._parts[part] = self._progress.add_task(part, total=1.0, note="")
        self._progress.update(self._parts[part], completed=share, note=note)  # type: ignore[arg-type]

    def _say(self, part: str, share: float, note: str) -> None:
        before = self._shares.get(part)
        self._shares[part] = share
        if before is None or (share >= 1.0 > before):
            self._console.print(f"{part}: {'done' if share >= 1.0 else 'started'} {note}".rstrip(), markup=False)


@contextmanager
def show_bars() -> Iterator[Bars]:
    """Bars on standard error, taken down at the end."""
    console = Console(stderr=True, highlight=False)
    if not sys.stderr.isatty():
        yield Bars(console, None)
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(console, progress)
