"""What the detector of one symbol says, and what it never does."""

import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detector import Detector, Finding
from alerts.rules import SCALES
from bearometer.alert import Measure

DAY = 288
START = 5_000_000
COUNTS = st.dictionaries(
    st.integers(0, 3 * DAY), st.tuples(st.integers(0, 6), st.integers(0, 30)).filter(any), max_size=15
)
"""By bin: negative mentions, and others."""


def watch(counts: dict[int, tuple[int, int]], last: int, *, every: bool = False) -> dict[int, dict[Measure, Finding]]:
    """What is found at the end of each bin that has something, or of every one, up to the last."""
    detector = Detector(START)
    found = {}
    for bin in range(last + 1) if every else sorted(counts):
        if bin <= last:
            if bin in counts:
                detector.add(START + bin, counts[bin][0], sum(counts[bin]))
            found[bin] = dict(detector.close(START + bin))
    return found


def regular(detector: Detector, first: int, until: int, negative: int, others: int) -> None:
    """The same in every bin from `first` to the one before `until`."""
    for bin in range(first, until):
        detector.add(bin, negative, negative + others)
        detector.close(bin)


@settings(max_examples=12, deadline=None)
@given(COUNTS, st.integers(0, 3 * DAY))
def test_what_comes_later_never_changes_what_was_found(counts: dict[int, tuple[int, int]], cut: int) -> None:
    longer = watch(counts, 3 * DAY)
    assert watch(counts, cut) == {bin: found for bin, found in longer.items() if bin <= cut}


@settings(max_examples=3, deadline=None)
@given(COUNTS)
def test_skipping_empty_bins_finds_exactly_what_closing_each_of_them_finds(counts: dict[int, tuple[int, int]]) -> None:
    last = max(counts, default=0)
    closed = watch(counts, last, every=True)
    assert watch(counts, last) == {bin: closed[bin] for bin in counts}


@settings(max_examples=8, deadline=None)
@given(COUNTS, st.randoms(use_true_random=False))
def test_the_order_and_the_cut_of_what_is_added_to_open_bins_do_not_matter(
    counts: dict[int, tuple[int, int]], chooser: object
) -> None:
    single = [(bin, negative) for bin, (bad, rest) in counts.items() for negative in [1] * bad + [0] * rest]
    chooser.shuffle(single)  # type: ignore[attr-defined]
    last = max(counts, default=0)
    one_by_one, at_once = Detector(START), Detector(START)
    for bin, negative in single:
        one_by_one.add(START + bin, negative, 1)
    for bin, (bad, rest) in counts.items():
        at_once.add(START + bin, bad, bad + rest)
    assert one_by_one.close(START + last) == at_once.close(START + last)


@settings(max_examples=8, deadline=None)
@given(COUNTS)
def test_every_number_that_is_found_is_finite_and_possible(counts: dict[int, tuple[int, int]]) -> None:
    for found in watch(counts, 3 * DAY).values():
        assert set(found) == {measure for measure in Measure if measure.is_of_posts}
        for measure, finding in found.items():
            assert sorted(window.scale for window in finding.windows) == sorted(SCALES)
            for window in finding.windows:
                assert all(math.isfinite(number) and number >= 0 for number in (window.seen, window.expected))
                assert (window.of is not None) == (measure is Measure.SHARE)
            assert finding.per_year > 0
            assert finding.measure is measure


@settings(max_examples=5, deadline=None)
@given(COUNTS)
def test_a_copy_through_bytes_goes_on_as_the_detector_does(counts: dict[int, tuple[int, int]]) -> None:
    detector = Detector(START)
    for bin, (bad, rest) in sorted(counts.items()):
        detector.add(START + bin, bad, bad + rest)
        detector.close(START + bin)
    copy = pickle.loads(pickle.dumps(detector))
    after = START + 7 * DAY
    for each in (detector, copy):
        each.add(after, 3, 5)
    assert copy.close(after) == detector.close(after)


def test_fifteen_in_a_day_are_news_of_a_symbol_that_has_one_in_ten_days() -> None:
    detector = Detector(START)
    for day in (2, 12, 22, 32):
        detector.add(START + day * DAY, 1, 2)
        detector.close(START + day * DAY)
    noon = START + 40 * DAY
    per_year = []
    for bin in range(noon, noon + 45, 3):
        detector.add(bin, 1, 1)
        per_year.append(detector.close(bin)[Measure.COUNT].per_year)
    assert per_year[0] > 1
    assert per_year[4] < 0.5
    assert per_year[-1] < 0.01


def test_a_symbol_that_nobody_has_ever_spoken_of_is_news_when_fifteen_do() -> None:
    detector = Detector(START)
    noon = START + 4 * DAY
    for bin in range(noon, noon + 15):
        detector.add(bin, 1, 1)
        found = detector.close(bin)
    assert found[Measure.COUNT].per_year < 0.05


def test_the_first_day_is_only_learned_from() -> None:
    detector = Detector(START)
    detector.add(START, 50, 50)
    detector.add(START + DAY - 1, 500, 500)
    assert detector.close(START + DAY - 1)[Measure.COUNT].per_year > 50_000


def test_what_is_usual_is_nothing_to_speak_of() -> None:
    detector = Detector(START)
    regular(detector, START, START + 3 * DAY, 2, 8)
    for finding in detector.close(START + 3 * DAY - 1).values():
        assert finding.per_year > 50
        assert finding.strangest.seen == pytest.approx(finding.strangest.expected, rel=0.1)
    assert detector.expected(START + 3 * DAY - 1, "1h")[0] == pytest.approx(24, rel=0.05)
    assert 24 < detector.expected(START + 3 * DAY - 1, "1h")[1] < 24 * 4


def test_more_negative_ones_among_as_many_posts_are_found_in_count_and_share_and_not_in_volume() -> None:
    detector = Detector(START)
    regular(detector, START, START + 3 * DAY, 1, 9)
    regular(detector, START + 3 * DAY, START + 3 * DAY + 24, 5, 5)
    found = detector.close(START + 3 * DAY + 23)
    assert found[Measure.COUNT].per_year < 20
    assert found[Measure.SHARE].per_year < 20
    assert found[Measure.VOLUME].per_year > 50
    assert found[Measure.SHARE].strangest.seen == pytest.approx(0.5, abs=0.3)
    assert found[Measure.SHARE].strangest.expected == pytest.approx(0.1, abs=0.02)


def test_more_of_the_same_is_volume_and_count_and_not_share() -> None:
    detector = Detector(START)
    regular(detector, START, START + 3 * DAY, 1, 9)
    regular(detector, START + 3 * DAY, START + 3 * DAY + 24, 5, 45)
    found = detector.close(START + 3 * DAY + 23)
    assert found[Measure.VOLUME].per_year < 20
    assert found[Measure.COUNT].per_year < 20
    assert found[Measure.SHARE].per_year > 50


def test_a_burst_does_not_teach_the_baseline_and_a_new_normal_does() -> None:
    detector = Detector(START)
    regular(detector, START, START + 3 * DAY, 2, 0)
    usual = detector.expected(START + 3 * DAY, "24h")[0]
    at = START + 3 * DAY
    regular(detector, at, at + DAY // 2, 40, 0)
    assert detector.expected(at + DAY // 2, "24h")[0] < 1.3 * usual
    regular(detector, at + DAY // 2, at + 9 * DAY, 40, 0)
    assert detector.expected(at + 9 * DAY, "24h")[0] > 5 * usual


def test_a_late_mention_counts_in_the_windows_that_still_hold_it() -> None:
    detector = Detector(START)
    regular(detector, START, START + 2 * DAY, 1, 1)
    last = START + 2 * DAY - 1
    before = detector.close(last, ("6h",))[Measure.COUNT].strangest.seen
    detector.add(last - 50, 20, 20)
    detector.add(last - 100, 30, 30)
    detector.add(last - DAY, 40, 40)
    assert detector.close(last, ("6h",))[Measure.COUNT].strangest.seen == before + 20
    assert detector.close(last, ("24h",))[Measure.COUNT].strangest.seen == DAY + 50
    assert detector.close(last + DAY, ("24h",))[Measure.COUNT].strangest.seen == 0


def test_the_hours_of_the_day_are_learned() -> None:
    detector = Detector(START - START % DAY)
    first = START - START % DAY
    for day in range(10):
        regular(detector, first + day * DAY + 144, first + day * DAY + 216, 4, 0)
    night, noon = first + 10 * DAY + 35, first + 10 * DAY + 179
    detector.add(night, 1, 1)
    detector.close(night)
    assert detector.expected(noon, "1h")[0] > 3 * detector.expected(night, "1h")[0]


def test_only_the_measures_and_scales_that_are_asked_for_are_looked_at() -> None:
    detector = Detector(START, measures=(Measure.VOLUME,))
    detector.add(START, 1, 3)
    found = detector.close(START, ("1h",))
    assert list(found) == [Measure.VOLUME]
    assert (found[Measure.VOLUME].strangest.scale, found[Measure.VOLUME].strangest.seen) == ("1h", 3)


def test_bins_must_ascend_and_scales_must_be_known() -> None:
    detector = Detector(START)
    detector.close(START + 5)
    with pytest.raises(ValueError, match="comes after"):
        detector.close(START + 4)
    with pytest.raises(ValueError, match="'2h' is no scale; there are 5m, 1h, 6h, 24h"):
        detector.close(START + 6, ("2h",))
    with pytest.raises(ValueError, match="must be a scale"):
        detector.close(START + 6, ())


def test_a_single_post_about_a_silent_symbol_is_not_called_much_rarer_than_it_is() -> None:
    detector = Detector(START, measures=(Measure.COUNT,))
    every = 20 * DAY
    rates = []
    for bin in range(every, 2 * 365 * DAY, every):
        detector.add(START + bin, 1, 1)
        rates.append(detector.close(START + bin)[Measure.COUNT].per_year)
    assert 365 / 20 / 6 < rates[-1] < 365 / 20, "such a post comes 18 times a year"
