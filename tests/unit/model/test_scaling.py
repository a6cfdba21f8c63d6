import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.scaling import AS_TRAINED, Scaling

ROWS = st.lists(st.floats(-50, 50), min_size=2, max_size=5)
NUMBERS = st.floats(0.2, 5)


def test_untouched_logits_become_their_softmax() -> None:
    row = np.log([[0.2, 0.3, 0.5]])
    assert AS_TRAINED.probabilities(row).tolist() == [pytest.approx([0.2, 0.3, 0.5])]


@given(ROWS, st.floats(0.1, 10))
def test_a_high_temperature_makes_an_answer_less_sure_and_not_another(row: list[float], temperature: float) -> None:
    plain, tempered = (each.probabilities(np.array([row]))[0] for each in (AS_TRAINED, Scaling(temperature)))
    assert tempered[plain.argmax()] == pytest.approx(tempered.max())
    more, less = (plain, tempered) if temperature >= 1 else (tempered, plain)
    assert more.max() >= less.max() - 1e-9


def test_an_exponent_above_1_makes_the_doubtful_more_so_and_the_plain_plainer() -> None:
    doubtful, plain = np.array([[0.5, 0.0]]), np.array([[3.0, 0.0]])
    bent = Scaling(1.0, 1.5)
    assert bent.probabilities(doubtful)[0, 0] < AS_TRAINED.probabilities(doubtful)[0, 0]
    assert bent.probabilities(plain)[0, 0] > AS_TRAINED.probabilities(plain)[0, 0]


@given(ROWS, NUMBERS, NUMBERS)
def test_no_scaling_changes_the_order_of_the_answers(row: list[float], temperature: float, exponent: float) -> None:
    scaled = Scaling(temperature, exponent).probabilities(np.array([row]))[0]
    assert (np.diff(scaled[np.argsort(row)]) >= -1e-12).all()
    assert scaled.sum() == pytest.approx(1)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5), *[st.floats(0.5, 2)] * 4)
def test_one_scaling_after_another_is_one_scaling(row: list[float], t1: float, e1: float, t2: float, e2: float) -> None:
    first, second = Scaling(t1, e1), Scaling(t2, e2)
    in_two_steps = second.probabilities(np.log(first.probabilities(np.array([row]))))
    assert second.after(first).probabilities(np.array([row])) == pytest.approx(in_two_steps, abs=1e-6)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_nan_and_harms_no_other(number: float) -> None:
    scaled = Scaling(0.5, 1.5).probabilities(np.array([[0.0, number], [0.0, 1.0]]))
    assert np.isnan(scaled[0]).all()
    assert np.isfinite(scaled[1]).all()
