import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Failed, Misconfigured
from bearometer.mention import Sentiment
from bearometer.topics import TOPICS
from model.calibrate import MIN_ROWS, calibrate_folder, ece, fit_heads, fit_scaling, fit_temperature, reliability
from model.classifier import Judgement
from model.dataset import Example
from model.scaling import AS_TRAINED, Scaling


def overconfident(rows: int, factor: float, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """Logits whose labels are drawn from their softmax, then sharpened by a factor."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (rows, 3))
    probabilities = AS_TRAINED.probabilities(logits)
    labels = [int(random.choice(3, p=row)) for row in probabilities]
    return logits * factor, labels


def test_the_expected_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    # By hand, five bins. Two rows at 0.9, one right: gap 0.4. Two rows at 0.5, both right: gap 0.5.
    probabilities = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    assert ece(probabilities, [0, 1, 0, 0], bins=5) == pytest.approx((2 * 0.4 + 2 * 0.5) / 4)


def test_a_bin_holds_its_upper_edge_and_not_its_lower_one() -> None:
    bins = reliability(np.array([[0.6, 0.4], [0.8, 0.2], [1.0, 0.0]]), [0, 0, 0], bins=5)
    assert [part.rows for part in bins] == [0, 0, 1, 1, 1]
    assert [part.high for part in bins] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@given(st.integers(0, 1000), st.integers(1, 60), st.sampled_from([1, 5, 15]))
def test_every_row_is_in_exactly_one_bin_and_the_error_is_a_share(seed: int, rows: int, bins: int) -> None:
    logits, labels = overconfident(rows, 2.0, seed)
    probabilities = AS_TRAINED.probabilities(logits)
    assert sum(part.rows for part in reliability(probabilities, labels, bins)) == rows
    assert 0 <= ece(probabilities, labels, bins) <= 1


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_a_sharpening(factor: float) -> None:
    logits, labels = overconfident(20_000, factor)
    assert fit_temperature(logits, labels) == pytest.approx(factor, rel=0.05)


def test_probabilities_do_as_well_as_logits() -> None:
    logits, labels = overconfident(500, 2.0)
    log_probabilities = np.log(AS_TRAINED.probabilities(logits))
    assert fit_temperature(log_probabilities, labels) == pytest.approx(fit_temperature(logits, labels), rel=1e-6)


def test_calibration_lowers_the_error_of_a_model_that_is_too_sure_also_on_rows_it_was_not_fitted_on() -> None:
    logits, labels = overconfident(8_000, 3.0)
    temperature = fit_temperature(logits[:4_000], labels[:4_000])
    assert ece(AS_TRAINED.probabilities(logits[4_000:]), labels[4_000:]) > 0.15
    assert ece(Scaling(temperature).probabilities(logits[4_000:]), labels[4_000:]) < 0.03


def test_what_a_temperature_cannot_mend_an_exponent_does_also_on_rows_it_was_not_fitted_on() -> None:
    """As a model answers that learnt from smoothed labels: too sure of the doubtful, not sure enough of the plain."""
    logits = overconfident(16_000, 2.0)[0]
    right = Scaling(1.0, 2.0).probabilities(logits)
    labels = list((np.random.default_rng(1).random((len(right), 1)) > right.cumsum(axis=1)).sum(axis=1).clip(0, 2))
    said = AS_TRAINED.probabilities(logits)
    scaling = fit_scaling(said[:8_000], labels[:8_000])
    assert scaling.exponent == pytest.approx(2.0, rel=0.1)
    only = Scaling(fit_temperature(logits[:8_000], labels[:8_000]))
    assert ece(scaling.probabilities(logits[8_000:]), labels[8_000:]) < 0.015
    assert ece(only.probabilities(logits[8_000:]), labels[8_000:]) > 0.03


def test_the_exponent_stays_1_where_a_temperature_is_enough() -> None:
    logits, labels = overconfident(2_000, 3.0)
    scaling = fit_scaling(AS_TRAINED.probabilities(logits), labels)
    assert scaling.exponent == 1.0
    assert scaling.temperature == pytest.approx(3.0, rel=0.1)


def test_answers_that_are_all_right_or_all_wrong_give_a_temperature_at_the_bounds() -> None:
    logits = np.array([[5.0, 0.0, 0.0]] * 40)
    assert fit_temperature(logits, [0] * 40) == 0.05
    assert fit_temperature(logits, [1] * 40) == 20.0


def test_no_temperature_comes_from_nothing_or_from_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="needs finite logits"):
        fit_temperature(np.empty((0, 3)), [])
    with pytest.raises(ValueError, match="needs finite logits"):
        fit_temperature(np.array([[np.nan, 0.0, 0.0]]), [0])


def sure_answers(rows: int) -> tuple[list[Judgement | None], list[Example]]:
    """Every answer says 98% positive; two in three are, of the text and of its first mention."""
    sentiment = Sentiment(0.01, 0.01, 0.98)
    topics = {topic: 0.905 if topic == "IPO" else 0.005 for topic in TOPICS}
    judgements: list[Judgement | None] = [
        Judgement(sentiment, (sentiment, sentiment), (True, False), topics) for _ in range(rows)
    ]
    examples = [
        Example("Quillmark wins", 2 if place % 3 else 0, (("Quillmark", 2 if place % 3 else 0), ("TERN", 0)), 11)
        for place in range(rows)
    ]
    return judgements, examples


def test_each_head_is_fitted_on_its_own_labels() -> None:
    fitted = fit_heads(*sure_answers(60))
    assert fitted["text"].temperature == pytest.approx(fitted["mention"].temperature)
    assert fitted["text"].temperature > 2
    assert fitted["text"].ece_after < 0.02 < fitted["text"].ece_before
    assert fitted["topic"].temperature == 0.05, "all topics were right"


def test_a_mention_that_the_text_does_not_name_says_nothing_about_its_head() -> None:
    assert fit_heads(*sure_answers(60))["mention"].rows == 60


def test_a_head_with_few_rows_or_no_labels_is_left_alone() -> None:
    sure = Judgement(Sentiment(0.01, 0.01, 0.98))
    examples = [Example("Quillmark wins", 2 if place % 3 else 0) for place in range(MIN_ROWS)]
    assert list(fit_heads([sure] * MIN_ROWS, examples)) == ["text"]
    assert fit_heads([sure] * (MIN_ROWS - 1) + [None], examples) == {}
    assert fit_heads([sure] * MIN_ROWS, [Example("Quillmark wins"), *examples[1:]]) == {}


def card_of(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "bearometer.json").read_text()))


def test_the_card_keeps_the_temperatures_beside_what_it_held(tmp_path: Path) -> None:
    (tmp_path / "bearometer.json").write_text('{"name": "little", "temperatures": {"text": 2.0}, "topics": []}')
    os.chmod(tmp_path / "bearometer.json", 0o640)
    fitted = calibrate_folder(tmp_path, *sure_answers(60))
    card = card_of(tmp_path)
    assert card["name"] == "little"
    assert card["temperatures"] == {
        "text": pytest.approx(2 * fitted["mention"].temperature, abs=1e-3),
        "mention": fitted["mention"].temperature,
        "topic": 0.05,
    }
    assert stat.S_IMODE((tmp_path / "bearometer.json").stat().st_mode) == 0o640
    assert [file.name for file in tmp_path.iterdir()] == ["bearometer.json"]


def test_calibrating_what_is_calibrated_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bearometer.json").write_text("{}")
    judgements, examples = sure_answers(60)
    first = calibrate_folder(tmp_path, judgements, examples)["text"].temperature
    row = Scaling(first).probabilities(np.log([[0.01, 0.01, 0.98]]))[0]
    cooled = Judgement(Sentiment(*(float(part) for part in row)))
    second = calibrate_folder(tmp_path, [cooled] * 60, [Example(each.text, each.label) for each in examples])["text"]
    assert second.temperature == pytest.approx(first, abs=1e-3)


def test_a_folder_whose_answers_are_all_right_can_be_calibrated_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "bearometer.json").write_text("{}")
    examples = [Example("Quillmark wins", 2)] * 40
    for _ in range(6):
        calibrate_folder(tmp_path, [Judgement(Sentiment(0.1, 0.1, 0.8))] * 40, examples)
    temperatures = card_of(tmp_path)["temperatures"]
    assert isinstance(temperatures, dict) and temperatures["text"] > 0


def test_a_folder_that_cannot_be_calibrated_says_why_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        calibrate_folder(tmp_path, *sure_answers(60))
    (tmp_path / "bearometer.json").write_text("{}")
    with pytest.raises(Failed, match="no head has 30 labelled rows"):
        calibrate_folder(tmp_path, *sure_answers(3))
    assert card_of(tmp_path) == {}
