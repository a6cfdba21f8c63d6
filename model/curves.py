"""How a training went, step by step: kept as it goes, and drawn."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from bearometer.clock import Clock, SystemClock
from model.events import EventFile
from model.recipe import EpochReport, Observer

__all__ = ["CURVES_FILE", "STEPS_FILE", "CurveLog", "draw_curves", "read_steps"]

STEPS_FILE = "steps.csv"
CURVES_FILE = "curves.png"


class CurveLog:
    """An observer that keeps each step in `steps.csv` and for TensorBoard, and tells the next observer.

    After a kill it appends: where a step is there twice, the later one holds.
    """

    def __init__(self, folder: Path, after: Observer | None = None, clock: Clock | None = None) -> None:
        """The folder is made; nothing is written before the first step."""
        self._folder, self._after, self._clock = folder, after, clock or SystemClock()
        self._events: EventFile | None = None
        self._step = 0

    def step(self, done: int, total: int, loss: float, learning_rate: float) -> None:
        """Keep a step; it is on disk when this returns."""
        if self._events is None:
            self._events = EventFile(self._folder, self._clock.now(), done)
        self._step = done
        with (self._folder / STEPS_FILE).open("a", newline="") as file:
            csv.writer(file).writerow([done, loss, learning_rate])
        self._events.add(self._clock.now(), done, {"train/loss": loss, "train/learning_rate": learning_rate})
        if self._after:
            self._after.step(done, total, loss, learning_rate)

    def epoch(self, report: EpochReport) -> None:
        """Keep an epoch's scores."""
        if self._events:
            scores = {
                f"development/{name}": value
                for name in report.scores.__slots__
                if (value := getattr(report.scores, name)) is not None
            }
            self._events.add(self._clock.now(), self._step, {"train/epoch_loss": report.loss, **scores})
        if self._after:
            self._after.epoch(report)

    def close(self) -> None:
        """Close the files."""
        if self._events:
            self._events.close()


def read_steps(folder: Path) -> list[tuple[int, float, float]]:
    """Step, loss and learning rate of each step that `CurveLog` kept, in order; empty when there are none."""
    path = folder / STEPS_FILE
    if not path.is_file():
        return []
    steps: dict[int, tuple[int, float, float]] = {}
    with path.open(newline="") as file:
        for row in csv.reader(file):
            with suppress(ValueError):  # a kill may have cut a line short
                number, loss, rate = row
                steps[int(number)] = (int(number), float(loss), float(rate))
    return [steps[number] for number in sorted(steps)]


def draw_curves(steps: Sequence[tuple[int, float, float]], history: Sequence[EpochReport], path: Path) -> None:
    """Draw loss and learning rate by step, and the development scores by epoch, as PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    if steps:
        numbers, losses, rates = (np.asarray(column) for column in zip(*steps, strict=True))
        left.plot(numbers, losses, color="0.8", linewidth=0.8, label="each step")
        width = max(1, len(numbers) // 40)
        smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
        left.plot(numbers[width - 1 :], smooth, color="tab:blue", label=f"mean of {width} steps")
        rate_axis = left.twinx()
        rate_axis.plot(numbers, rates, color="tab:orange", linestyle=":", linewidth=1)
        rate_axis.set_ylabel("learning rate (dotted)")
        left.legend()
    left.set(xlabel="step", ylabel="training loss of a row", title="training")
    for name, label in (
        ("text_macro_f1", "text: macro F1"),
        ("mention_accuracy", "mentions: accuracy"),
        ("topic_accuracy", "topics: accuracy"),
    ):
        points = [(each.epoch, value) for each in history if (value := getattr(each.scores, name)) is not None]
        if points:
            right.plot(*zip(*points, strict=True), marker="o", label=label)
    right.set(xlabel="epoch", title="development rows")
    right.set_xticks([each.epoch for each in history])
    if right.lines:
        right.legend()
    figure.savefig(path, dpi=110)
