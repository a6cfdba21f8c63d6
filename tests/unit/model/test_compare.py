import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import binomtest

from model.compare import compare, mcnemar, spread, wilson
from model.metrics import measure
from tests.unit.model.rules import answers


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(wins: int, losses: int) -> None:
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(expected, rel=1e-9)


@example(0, 243)  # where rounding once put the low end above the share
@given(st.integers(0, 500), st.integers(1, 500))
def test_the_share_s_interval_is_wilson_s(hits: int, more: int) -> None:
    found = wilson(hits, hits + more)
    expected = binomtest(hits, hits + more).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_of_no_rows_nothing_is_known() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)


def noisy(rows: int, share_right: float, seed: int) -> tuple[list[int], list[int]]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, rows)
    predicted = np.where(random.random(rows) < share_right, truth, (truth + 1) % 3)
    return truth.tolist(), predicted.tolist()


def test_the_figures_are_those_that_measure_gives() -> None:
    truth, predicted = noisy(300, 0.7, 1)
    expected = measure(truth, predicted)
    found = spread(answers(truth, predicted))
    for name in ("accuracy", "macro_f1", "weighted_f1"):
        assert found[name].value == pytest.approx(getattr(expected, name))
        assert found[name].low < found[name].value < found[name].high


def test_the_interval_of_an_accuracy_is_about_the_binomial_one() -> None:
    truth, predicted = noisy(1_000, 0.8, 2)
    found = spread(answers(truth, predicted))["accuracy"]
    error = stats.norm.ppf(0.975) * np.sqrt(found.value * (1 - found.value) / 1_000)
    assert found.high - found.low == pytest.approx(2 * error, rel=0.1)


def test_a_better_model_is_clearly_better_and_the_other_way_round() -> None:
    truth, good = noisy(500, 0.9, 3)
    bad = [
        (label + 1) % 3 if row % 3 == 0 else given for row, (label, given) in enumerate(zip(truth, good, strict=True))
    ]
    there, back = compare(answers(truth, good), answers(truth, bad)), compare(answers(truth, bad), answers(truth, good))
    assert there.accuracy.low > 0
    assert there.accuracy.is_clear and back.accuracy.is_clear
    assert back.accuracy.value == pytest.approx(-there.accuracy.value)
    assert (back.only_first_right, back.only_second_right) == (there.only_second_right, there.only_first_right)
    assert there.only_first_right - there.only_second_right == round(500 * there.accuracy.value)
    assert there.p_value == back.p_value < 1e-6


def test_a_model_is_no_better_than_itself() -> None:
    truth, predicted = noisy(100, 0.7, 4)
    found = compare(answers(truth, predicted), answers(truth, predicted))
    assert (found.accuracy.value, found.accuracy.low, found.accuracy.high) == (0, 0, 0)
    assert not found.accuracy.is_clear
    assert found.p_value == 1


def test_mentions_of_one_text_are_drawn_together() -> None:
    # Ten texts; within one, all ten mentions are right or all wrong: there are but ten independent answers.
    rows = [row for row in range(10) for _ in range(10)]
    truth = [0] * 100
    predicted = [row % 2 for row in rows]
    together = spread(answers(truth, predicted, rows))["accuracy"]
    alone = spread(answers(truth, predicted))["accuracy"]
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_answers_to_different_rows_are_not_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(answers([0, 1], [0, 1]), answers([0, 2], [0, 1]))
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(answers([0, 1], [0, 1]), answers([0, 1], [0, 1], [0, 1]))


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, predicted = noisy(50, 0.7, 5)
    assert spread(answers(truth, predicted), seed=1) == spread(answers(truth, predicted), seed=1)
    assert spread(answers(truth, predicted), seed=1) != spread(answers(truth, predicted), seed=2)
