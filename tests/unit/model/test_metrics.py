from dataclasses import astuple

import pytest

from bearometer.mention import LABELS
from model.metrics import measure


def test_known_answers_give_known_figures() -> None:
    # Worked by hand. True 0: two of three found, and one 0 given too many: precision 2/3, recall 2/3.
    # True 1: one of one found, one given too many: precision 1/2, recall 1. True 2: one of two found, all right.
    metrics = measure([0, 0, 0, 1, 2, 2], [0, 0, 1, 1, 2, 0])
    figures = [astuple(metrics.per_class[label]) for label in LABELS]
    assert metrics.confusion == ((2, 1, 0), (0, 1, 0), (1, 0, 1))
    assert metrics.accuracy == pytest.approx(4 / 6)
    assert figures[0] == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert figures[1] == pytest.approx((1 / 2, 1, 2 / 3, 1))
    assert figures[2] == pytest.approx((1, 1 / 2, 2 / 3, 2))
    assert metrics.macro_f1 == pytest.approx(2 / 3)
    assert metrics.weighted_f1 == pytest.approx(2 / 3)


def test_weighted_f1_follows_the_rows_and_macro_f1_does_not() -> None:
    metrics = measure([0, 0, 0, 0, 1], [0, 0, 0, 0, 0])
    # F1 of label 0: 2·4 / (5 + 4); the others are 0.
    assert metrics.macro_f1 == pytest.approx(8 / 9 / 3)
    assert metrics.weighted_f1 == pytest.approx(8 / 9 * 4 / 5)


def test_perfect_answers_score_one_on_the_labels_that_occur() -> None:
    metrics = measure([0, 1, 2], [0, 1, 2])
    assert (metrics.accuracy, metrics.macro_f1, metrics.weighted_f1) == (1, 1, 1)


def test_nothing_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        measure([], [])
    with pytest.raises(ValueError, match="cannot be compared"):
        measure([1], [1, 2])
