"""Pictures of an evaluation, as PNG bytes: how far probabilities can be believed, and what is taken for what."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.calibrate import Bin

__all__ = ["confusion_plot", "reliability_plot"]

_INK, _GRID, _IDEAL = "#1f2d3d", "#dddddd", "#9aa5b1"
_COLOURS = ("#1f4e79", "#c0392b", "#2e7d32", "#8e5ea2", "#b8860b", "#008b8b")


def reliability_plot(title: str, models: Mapping[str, Sequence[Bin]]) -> bytes:
    """Accuracy against confidence, a line for each model, with the share of the rows in each bin below.

    On the diagonal a model is right as often as it says (Guo et al. 2017, figure 1). Bins without rows are left out.
    """
    figure = Figure(figsize=(6.4, 5.2), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=_IDEAL, linestyle="--", linewidth=1, label="as it says")
    for number, (name, bins) in enumerate(models.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        used = [part for part in bins if part.rows]
        rows = sum(part.rows for part in used) or 1
        confidence = [part.confidence for part in used]
        accuracy = [part.accuracy for part in used]
        upper.plot(confidence, accuracy, marker="o", markersize=4, color=colour, linewidth=1.4, label=_plain(name))
        # Beside each other within the bin, so that none hides another.
        width = (1 / len(bins)) / (len(models) + 0.5) if bins else 0.05
        lower.bar(
            [part.low + (number + 0.75) * width for part in used],
            [part.rows / rows for part in used],
            width=width,
            color=colour,
        )
    upper.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    lower.set(xlabel="highest probability", ylabel="share of rows")
    upper.set_title(_ascii(title), fontsize=10, loc="left", parse_math=False)
    upper.legend(fontsize=8, frameon=False, loc="upper left")
    for axes in (upper, lower):
        _quiet(axes)
        axes.grid(linewidth=0.5, color=_GRID)
    return _png(canvas)


def confusion_plot(title: str, labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> bytes:
    """The confusion matrix as shares of each true label (a line), with the counts written in."""
    counts = np.asarray(confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = max(3.6, 1.6 + 0.42 * len(labels)) if len(labels) > 5 else 4.0
    figure = Figure(figsize=(size + 0.8, size), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    small = 6 if len(labels) > 5 else 9
    for line, row in enumerate(counts):
        for column, count in enumerate(row):
            if count:
                colour = "white" if shares[line, column] > 0.55 else _INK
                axes.text(column, line, f"{count:.0f}", ha="center", va="center", fontsize=small, color=colour)
    names = [_plain(label) for label in labels]
    axes.set_xticks(range(len(labels)), names, rotation=90 if len(labels) > 5 else 0, fontsize=small)
    axes.set_yticks(range(len(labels)), names, fontsize=small)
    axes.set_xlabel("label given", fontsize=8)
    axes.set_ylabel("true label", fontsize=8)
    axes.set_title(_ascii(title), fontsize=9, loc="left", parse_math=False)
    return _png(canvas)


def _quiet(axes: object) -> None:
    axes.tick_params(labelsize=8)  # type: ignore[attr-defined]
    axes.spines[["top", "right"]].set_visible(False)  # type: ignore[attr-defined]


def _ascii(text: str) -> str:
    """The font does not have every letter."""
    return "".join(character if character.isascii() and character.isprintable() else "?" for character in text)


def _plain(text: str) -> str:
    """Where mathematics cannot be turned off, dollar signs are escaped."""
    return _ascii(text).replace("$", r"\$")


def _png(canvas: FigureCanvasAgg) -> bytes:
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()
