"""From findings to looks: which window speaks, and for how many."""

from dataclasses import replace

import pytest

from alerts.detector import Finding, InWindow
from alerts.judge import judge
from alerts.rules import SCALES, Rule
from alerts.spike import Look
from alerts.watched import Seen
from bearometer.alert import Measure

COUNT = Rule("spike")
END = 400_000


def seen(negative: int, posts: int = 0, authors: int | None = None, sources: int = 1) -> Seen:
    by = negative if authors is None else authors
    return Seen(negative, max(posts, negative), by, sources, max(posts, by), sources)


def look(rule: Rule, found: dict[str, tuple[InWindow, Seen]], per_year: float = 0.001) -> Look:
    """`found` by scale, the strangest first."""
    finding = Finding(rule.measure, tuple(window for window, _ in found.values()), per_year)
    by_bins = {SCALES[scale]: each for scale, (_, each) in found.items()}
    return judge("ACME", rule, finding, by_bins.__getitem__, budget=0.05, end=END, warm=True)


def count(scale: str, number: float, expected: float, surprise: float) -> InWindow:
    return InWindow(scale, number, None, expected, surprise)


def test_the_spike_is_that_of_the_strangest_window_with_as_many_posts_as_the_rule_asks_for() -> None:
    found = {
        "5m": (count("5m", 3, 0.001, 15.0), seen(3)),
        "1h": (count("1h", 6, 0.01, 12.0), seen(6)),
        "24h": (count("24h", 9, 0.3, 4.0), seen(9)),
    }
    judged = look(COUNT, found)
    assert judged.over
    assert (judged.spike.negative, judged.spike.expected) == (6, 0.01)
    assert (judged.spike.end - judged.spike.start).total_seconds() == 3600
    assert not look(replace(COUNT, min_posts=10), found).over


def test_a_day_as_usual_lends_its_posts_to_no_burst_of_minutes() -> None:
    found = {
        "5m": (count("5m", 4, 0.01, 12.0), seen(4)),
        "24h": (count("24h", 6, 3.0, -0.4), seen(6)),
    }
    assert not look(COUNT, found).over
    assert look(replace(COUNT, min_posts=4), found).over


@pytest.mark.parametrize(
    ("each", "is_over"), [(seen(9, authors=2), False), (seen(9, authors=3), True), (seen(9, sources=1), True)]
)
def test_authors_are_asked_for_in_the_same_window(each: Seen, is_over: bool) -> None:
    assert look(COUNT, {"1h": (count("1h", 9, 0.1, 20.0), each)}).over == is_over


def test_sources_are_asked_for_where_the_rule_does() -> None:
    found = {"1h": (count("1h", 9, 0.1, 20.0), seen(9, sources=2))}
    assert look(replace(COUNT, min_sources=2), found).over
    assert not look(replace(COUNT, min_sources=3), found).over


def test_a_share_over_a_plain_threshold_counts_only_in_a_window_of_enough_posts() -> None:
    rule = replace(COUNT, measure=Measure.SHARE, at_least=0.6)
    few = {
        "5m": (InWindow("5m", 1.0, 1, 0.1, 1.0), seen(1, 1)),
        "24h": (InWindow("24h", 0.12, 100, 0.1, -1.0), seen(12, 100)),
    }
    assert not look(rule, few).over
    assert look(rule, few).quiet
    many = {
        "24h": (InWindow("24h", 0.5, 100, 0.1, 9.0), seen(50, 100)),
        "1h": (InWindow("1h", 0.7, 30, 0.1, 8.0), seen(21, 30)),
    }
    judged = look(rule, many)
    assert judged.over
    assert not judged.quiet
    assert (judged.spike.negative, judged.spike.posts) == (21, 30)


def test_a_plain_number_of_posts_is_over_whatever_was_expected() -> None:
    rule = replace(COUNT, at_least=50)
    found = {"24h": (count("24h", 60, 80.0, -1.0), seen(60))}
    assert look(rule, found, per_year=400.0).over
    assert not look(rule, {"24h": (count("24h", 49, 1.0, 30.0), seen(49))}, per_year=1e-9).over


def test_what_is_known_too_shortly_is_never_over() -> None:
    found = {"1h": (count("1h", 9, 0.1, 20.0), seen(9))}
    finding = Finding(Measure.COUNT, (found["1h"][0],), 1e-6)
    assert not judge("ACME", COUNT, finding, lambda _: found["1h"][1], budget=0.05, end=END, warm=False).over
