"""Streams in which nothing happens, and the alarms that they bring."""

import pytest

from alerts.simulate import Realised, Stream, draw, realise, simulate, table
from bearometer.alert import Measure

SPARSE = Stream(2.0)


def test_a_stream_is_the_same_for_the_same_seed_and_a_longer_one_goes_on() -> None:
    stream = Stream(40.0, dispersion=0.3, is_hourly=True)
    short, longer = list(draw(stream, 5, 7)), list(draw(stream, 9, 7))
    assert longer[: len(short)] == short
    assert short != list(draw(stream, 5, 8))
    assert [bin for bin, _ in longer] == sorted({bin for bin, _ in longer})


@pytest.mark.parametrize("stream", [Stream(30.0), Stream(30.0, 0.3), Stream(30.0, 0.3, is_hourly=True)])
def test_a_stream_has_its_mean_and_its_daily_rhythm(stream: Stream) -> None:
    counts = list(draw(stream, 400, 1))
    assert sum(count for _, count in counts) / 400 == pytest.approx(30, rel=0.1)
    busy = sum(count for bin, count in counts if 48 <= bin % 288 < 96)
    quiet = sum(count for bin, count in counts if 192 <= bin % 288 < 240)
    assert busy / quiet == pytest.approx(8, rel=0.25)


def test_two_posts_a_day_keep_to_the_budget_within_a_factor_of_two() -> None:
    year = realise(SPARSE, 1.0, budgets=(52.0, 12.0), seed=3)
    assert [each.budget for each in year] == [52.0, 12.0]
    for each in year:
        assert each.is_kept, each
        assert 0 < each.per_year <= 2 * each.budget


def test_the_share_of_a_sparse_stream_keeps_to_the_budget_too() -> None:
    (found,) = realise(Stream(6.0), 0.5, budgets=(26.0,), measure=Measure.SHARE, seed=3)
    assert found.measure is Measure.SHARE
    assert found.per_year <= 2 * found.budget


def test_a_promise_is_broken_only_where_chance_cannot_excuse_it() -> None:
    def kept(alarms: int, years: float) -> bool:
        return Realised(SPARSE, Measure.COUNT, 2.0, years, alarms).is_kept

    assert kept(0, 1.0)
    assert not kept(0, 10.0)
    assert kept(40, 10.0)
    assert not kept(80, 10.0)


def test_the_table_has_a_line_for_each_stream() -> None:
    lines = list(table(simulate([SPARSE, Stream(5.0, 0.3, is_hourly=True)], 0.2, budgets=(52.0,))))
    assert lines[0].split() == ["a", "day", "dispersion", "years", "promised", "52"]
    assert lines[1].startswith("      2  Poisson ")
    assert lines[2].startswith("      5  0.3 by hour ")
    assert len(lines) == 3


def test_broken_promises_are_marked() -> None:
    row = [Realised(SPARSE, Measure.COUNT, 52.0, 1.0, 500), Realised(SPARSE, Measure.COUNT, 12.0, 1.0, 11)]
    assert list(table([row]))[1].split()[-2:] == ["500.00*", "11.00"]
