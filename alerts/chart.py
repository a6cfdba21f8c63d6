"""The chart of an alert: negative mentions over time against what was expected, as PNG bytes."""

import io
import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bearometer.alert import ChartPoint

__all__ = ["CHART_HEIGHT", "CHART_WIDTH", "render_chart"]

CHART_WIDTH, CHART_HEIGHT = 700, 300
"""In CSS pixels; the picture has twice as many in both directions, for sharp screens."""
DPI = 100
SCALE = 2
MAX_BARS = 720
BAR_COLOUR, QUIET_COLOUR, EXPECTED_COLOUR, MARK_COLOUR = "#c0392b", "#d9a19b", "#1f4e79", "#fdf1d3"

_drawing = threading.Lock()
"""Matplotlib caches fonts and text sizes in module state without a lock of its own."""


def render_chart(symbol: str, points: Sequence[ChartPoint], highlight: tuple[datetime, datetime]) -> bytes | None:
    """Draw the latest points as bars and their expectation as a line, on a UTC axis; None without points.

    Bars that overlap `highlight` are strong and stand on a tinted ground. The symbol is the only text from
    outside, and is not read as mathematics. Safe to call from several threads.
    """
    if not points:
        return None
    with _drawing:
        return _draw(symbol, sorted(points, key=lambda point: point.at)[-MAX_BARS:], highlight)


def _draw(symbol: str, points: Sequence[ChartPoint], highlight: tuple[datetime, datetime]) -> bytes:
    figure = Figure(figsize=(CHART_WIDTH / DPI, CHART_HEIGHT / DPI), dpi=DPI * SCALE, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    width = _interval(points)
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
    axes.step(
        [*(point.at for point in points), ends[-1]],  # type: ignore[arg-type]
        [*(point.expected for point in points), points[-1].expected],
        where="post",
        color=EXPECTED_COLOUR,
        linewidth=1.6,
        label="expected",
        zorder=3,
    )
    axes.set_xlim(points[0].at, ends[-1])  # type: ignore[arg-type]
    axes.set_ylim(bottom=0, top=max(1.0, *(max(point.negative, point.expected) for point in points)) * 1.15)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    locator = AutoDateLocator(tz=UTC, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel(f"{points[0].at:%Y-%m-%d} to {ends[-1]:%Y-%m-%d}, UTC", fontsize=8, loc="right")
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", linewidth=0.5, color="#dddddd", zorder=1)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"{_ascii(symbol)}: negative posts per {_interval_name(width)}"
    axes.set_title(title, fontsize=10, loc="left", parse_math=False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8, frameon=False)
    buffer = io.BytesIO()
    # Without the library's version and the date, the same alert gives the same bytes.
    canvas.print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _interval(points: Sequence[ChartPoint]) -> timedelta:
    gaps = [after.at - before.at for before, after in itertools.pairwise(points) if after.at > before.at]
    return min(gaps, default=timedelta(hours=1))


def _interval_name(width: timedelta) -> str:
    minutes = max(1, round(width.total_seconds() / 60))
    if minutes % (24 * 60) == 0:
        return "day" if minutes == 24 * 60 else f"{minutes // (24 * 60)} days"
    if minutes % 60 == 0:
        return "hour" if minutes == 60 else f"{minutes // 60} hours"
    return "minute" if minutes == 1 else f"{minutes} minutes"


def _ascii(symbol: str) -> str:
    """The built-in font has no glyphs for much else, and a symbol has no need of them."""
    return "".join(character if " " <= character <= "~" else "?" for character in symbol)
