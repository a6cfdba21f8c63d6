import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from PIL import Image

from alerts.chart import CHART_HEIGHT, CHART_WIDTH, render_chart
from bearometer.alert import ChartPoint
from tests.sample_alerts import START, make_alert

WINDOW = (START - timedelta(hours=24), START)


def points() -> tuple[ChartPoint, ...]:
    evidence = make_alert().evidence
    assert evidence is not None
    return evidence.chart


def colours(png: bytes) -> set[object]:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    found = picture.getcolors(picture.width * picture.height)
    assert found is not None
    return {colour for count, colour in found if count > 100}


def test_the_chart_is_a_png_with_two_pixels_for_each_of_the_page() -> None:
    png = render_chart("HBRM", points(), WINDOW)
    assert png is not None
    picture = Image.open(io.BytesIO(png))
    assert (picture.format, picture.size) == ("PNG", (2 * CHART_WIDTH, 2 * CHART_HEIGHT))


def test_the_interval_of_the_alert_stands_out() -> None:
    strong, ground = (0xC0, 0x39, 0x2B), (0xFD, 0xF1, 0xD3)
    marked = render_chart("HBRM", points(), WINDOW)
    unmarked = render_chart("HBRM", points(), (START - timedelta(days=10), START - timedelta(days=9)))
    assert marked is not None
    assert unmarked is not None
    assert {strong, ground} <= colours(marked)
    assert strong not in colours(unmarked)


def test_the_usual_is_a_band_where_it_is_known() -> None:
    high = [ChartPoint(point.at, point.negative, point.expected, 2.5) for point in points()]
    some = [*points()[:-1], high[-1]]
    banded, plain, mixed = (render_chart("HBRM", each, WINDOW) for each in (high, points(), some))
    assert banded is not None
    assert plain is not None
    assert mixed is not None
    assert len(colours(banded)) > len(colours(plain))
    assert len({banded, plain, mixed}) == 3


def test_a_band_above_the_bars_is_inside_the_picture() -> None:
    low = [ChartPoint(START + timedelta(hours=n), 0, 0.1, 40.0) for n in range(24)]
    png = render_chart("HBRM", low, WINDOW)
    assert png is not None
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    middle = picture.getpixel((picture.width // 2, picture.height // 2))
    assert middle != (255, 255, 255)


def test_no_points_make_no_chart() -> None:
    assert render_chart("HBRM", (), WINDOW) is None


@pytest.mark.parametrize("symbol", ["$\\frac{1}{0}$", "$x", "名前", "<b>", "a\nb", "%s", "", "{}"])
def test_a_symbol_is_never_read_as_mathematics(symbol: str) -> None:
    assert render_chart(symbol, points(), WINDOW) is not None


@pytest.mark.parametrize("count", [1, 2, 5000])
def test_any_number_of_points_can_be_drawn(count: int) -> None:
    many = [ChartPoint(START - timedelta(minutes=5 * number), 0, 0.0) for number in range(count)]
    assert render_chart("HBRM", many, WINDOW) is not None


def test_the_same_alert_gives_the_same_picture_from_any_thread() -> None:
    with ThreadPoolExecutor(4) as threads:
        pictures = list(threads.map(lambda _: render_chart("HBRM", points(), WINDOW), range(8)))
    assert len(set(pictures)) == 1
