"""The chart of an alert: negative mentions over time against what was expected, as PNG bytes."""

import io
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from alerts.wording import bar_length, bar_name
from bearometer.alert import ChartPoint

__all__ = ["CHART_HEIGHT", "CHART_WIDTH", "render_chart"]

CHART_WIDTH, CHART_HEIGHT = 700, 300
"""In CSS pixels; the picture has twice as many in both directions, for sharp screens."""
DPI = 100
SCALE = 2
MAX_BARS = 720
BAR_COLOUR, QUIET_COLOUR, MARK_COLOUR = "#c0392b", "#d9a19b", "#fdf1d3"
EXPECTED_COLOUR, BAND_COLOUR = "#1f4e79", "#a9c4e0"

_drawing = threading.Lock()
"""Matplotlib caches fonts and text sizes in module state without a lock of its own."""


def render_chart(symbol: str, points: Sequence[ChartPoint], highlight: tuple[datetime, datetime]) -> bytes | None:
    """Draw the latest points as bars against what was expected, on a UTC axis; None without points.

    What was expected is a line, and a band up to what is exceeded once in a hundred bars where that is known. Bars
    that overlap `highlight` are strong and stand on a tinted ground. The symbol is the only text from outside, and is
    not read as mathematics. Safe to call from several threads.
    """
    if not points:
        return None
    with _drawing:
        return _draw(symbol, sorted(points, key=lambda point: point.at)[-MAX_BARS:], highlight)


def _draw(symbol: str, points: Sequence[ChartPoint], highlight: tuple[datetime, datetime]) -> bytes:
    figure = Figure(figsize=(CHART_WIDTH / DPI, CHART_HEIGHT / DPI), dpi=DPI * SCALE, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    width = bar_length(points)
    ends = [point.at + width for point in points]
    start, end = highlight
    strong = [point.at < end and stop > start for point, stop in zip(points, ends, strict=True)]
    axes.axvspan(max(start, points[0].at), min(end, ends[-1]), color=MARK_COLOUR, zorder=0)  # type: ignore[arg-type]
    axes.bar(
        [point.at for point in points],  # type: ignore[arg-type]
        [point.negative for point in points],
        width=width * 0.9,  # type: ignore[arg-type]
        align="edge",
        color=[BAR_COLOUR if inside else QUIET_COLOUR for inside in strong],
        label="negative posts",
        zorder=2,
    )
    _draw_expected(axes, points, ends[-1])
    axes.set_xlim(points[0].at, ends[-1])  # type: ignore[arg-type]
    axes.set_ylim(bottom=0, top=1.15 * max(1.0, *(_top(point) for point in points)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    locator = AutoDateLocator(tz=UTC, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel(f"{points[0].at:%Y-%m-%d} to {ends[-1]:%Y-%m-%d}, UTC", fontsize=8, loc="right")
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", linewidth=0.5, color="#dddddd", zorder=1)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"{_ascii(symbol)}: negative posts per {bar_name(width)}"
    axes.set_title(title, fontsize=10, loc="left", parse_math=False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8, frameon=False)
    buffer = io.BytesIO()
    # Without the library's version and the date, the same alert gives the same bytes.
    canvas.print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _draw_expected(axes: Axes, points: Sequence[ChartPoint], end: datetime) -> None:
    steps, levels = [*(point.at for point in points), end], [*points, points[-1]]
    if any(point.high is not None for point in points):
        axes.fill_between(
            steps,  # type: ignore[arg-type]
            [point.expected if point.high is None else point.high for point in levels],
            step="post",
            color=BAND_COLOUR,
            alpha=0.6,
            linewidth=0,
            label="usual, 99 times in 100",
            zorder=1.5,
        )
    axes.step(
        steps,  # type: ignore[arg-type]
        [point.expected for point in levels],
        where="post",
        color=EXPECTED_COLOUR,
        linewidth=1.6,
        label="expected",
        zorder=3,
    )


def _top(point: ChartPoint) -> float:
    return max(point.negative, point.expected, point.high or 0.0)


def _ascii(symbol: str) -> str:
    """The built-in font has no glyphs for much else, and a symbol has no need of them."""
    return "".join(character if " " <= character <= "~" else "?" for character in symbol)
