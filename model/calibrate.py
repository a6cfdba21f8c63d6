"""Whether a model's probabilities are what they say: expected calibration error, and scalings that mend it."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from bearometer.errors import Failed, Misconfigured
from bearometer.topics import TOPICS
from model.classifier import Judgement
from model.dataset import Example
from model.folder import CARD_FILE
from model.scaling import Scaling

__all__ = [
    "BINS",
    "Bin",
    "HeadCalibration",
    "calibrate_folder",
    "ece",
    "fit_heads",
    "fit_scaling",
    "fit_temperature",
    "reliability",
]

Floats = npt.NDArray[np.floating[Any]]

BINS = 15
"""As in Guo et al. 2017."""
COLDEST, HOTTEST = 0.05, 20.0
"""A temperature stays between these: on rows that are all right, colder is better without an end."""
MIN_ROWS = 30
"""With fewer labelled rows a head keeps the scaling that it has."""
EXPONENTS = tuple(1.05**step for step in range(-20, 29))
"""From 0.38 to 3.9."""
MUCH_LIKELIER = 6.63
"""Twice the gain in log-likelihood that an exponent must bring: the chi-squared test's at 1%, one degree of freedom."""
LEAST, MOST = 0.001, 1000.0
"""Of both numbers of a scaling, after many calibrations."""
TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Bin:
    """The rows whose highest probability lies above `low` and at or below `high`."""

    low: float
    high: float
    rows: int
    confidence: float
    """Mean of the highest probability; 0 without rows."""
    accuracy: float


@dataclass(frozen=True, slots=True)
class HeadCalibration:
    """What fitting did to one of the model's heads, measured on the rows that it was fitted on."""

    temperature: float
    """What the logits are divided by from now on."""
    exponent: float
    """See `model.scaling`."""
    rows: int
    ece_before: float
    ece_after: float


def reliability(probabilities: Floats, labels: Sequence[int], bins: int = BINS) -> tuple[Bin, ...]:
    """Sort rows [N, K] into bins of equal width by their highest probability, and count how often that was right."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == np.asarray(labels)
    # A bin is open below and closed above, so that a probability of 1 falls into the last one.
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return tuple(
        Bin(
            low=place / bins,
            high=(place + 1) / bins,
            rows=int(inside.sum()),
            confidence=float(confidence[inside].mean()) if inside.any() else 0.0,
            accuracy=float(right[inside].mean()) if inside.any() else 0.0,
        )
        for place in range(bins)
        for inside in [places == place]
    )


def ece(probabilities: Floats, labels: Sequence[int], bins: int = BINS) -> float:
    """Expected calibration error: the bins' gaps between confidence and accuracy, weighted by their rows.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3 (https://arxiv.org/abs/1706.04599).
    `probabilities` is [N, K] with N > 0; a label is a column's place.
    """
    parts = reliability(probabilities, labels, bins)
    rows = sum(part.rows for part in parts)
    return sum(part.rows * abs(part.accuracy - part.confidence) for part in parts) / rows


def fit_temperature(logits: Floats, labels: Sequence[int]) -> float:
    """The temperature by which logits [N, K] must be divided so that the labels are the likeliest; from 0.05 to 20.

    Logarithms of probabilities do as well: they differ from logits by one number a row. (Guo et al. 2017, section
    4.2.) The loss is convex in the inverse of the temperature: its slope has one root, found by bisection. Raises
    ValueError without rows, or when a number is not finite.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or not len(logits) or len(logits) != len(labels) or not np.isfinite(logits).all():
        message = f"a temperature needs finite logits and a label for each row; got {logits.shape} and {len(labels)}"
        raise ValueError(message)
    logits = logits - logits.max(axis=1, keepdims=True)
    stated = float(logits[np.arange(len(logits)), np.asarray(labels)].mean())

    def slope(inverse: float) -> float:
        """Of the mean negative log-likelihood, by the inverse temperature."""
        weights = np.exp(logits * inverse)
        return float(((weights * logits).sum(axis=1) / weights.sum(axis=1)).mean()) - stated

    low, high = 1 / HOTTEST, 1 / COLDEST
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def fit_scaling(probabilities: Floats, labels: Sequence[int]) -> Scaling:
    """The scaling of the logarithms of probabilities [N, K] that makes the labels the likeliest.

    The exponent is 1 unless another makes them much likelier, and the calibration error no larger. Raises what
    `fit_temperature` does.
    """
    logs = _logs(probabilities)
    gaps = logs.max(axis=1, keepdims=True) - logs
    fitted = [Scaling(fit_temperature(-(gaps**exponent), labels), exponent) for exponent in EXPONENTS]
    likelihoods = {scaling: _likelihood(scaling, logs, labels) for scaling in fitted}
    plain, best = fitted[EXPONENTS.index(1.0)], max(fitted, key=likelihoods.__getitem__)
    gain = likelihoods[best] - likelihoods[plain]
    errors = [ece(scaling.probabilities(logs), labels) for scaling in (best, plain)]
    return best if 2 * gain >= MUCH_LIKELIER and errors[0] <= errors[1] else plain


def _likelihood(scaling: Scaling, logs: npt.NDArray[np.float64], labels: Sequence[int]) -> float:
    """Logarithm of the probability of all labels."""
    stated = scaling.probabilities(logs)[np.arange(len(logs)), np.asarray(labels)]
    return float(np.log(np.maximum(stated, TINY)).sum())


def _logs(probabilities: Floats) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), TINY))
    return result


def fit_heads(judgements: Sequence[Judgement | None], examples: Sequence[Example]) -> dict[str, HeadCalibration]:
    """Fit `text`, `mention` and `topic` on what a classifier said of labelled rows, asked for their mentions in order.

    The scalings are of the judgements' logarithms, so they come after those that made the judgements. A head without
    30 labelled rows is left out; a mention that its text does not name says nothing about the mentions' head.
    """
    fitted: dict[str, HeadCalibration] = {}
    for head, pairs in _answers(judgements, examples).items():
        if len(pairs) < MIN_ROWS:
            continue
        probabilities, labels = np.asarray([row for row, _ in pairs]), [label for _, label in pairs]
        scaling = fit_scaling(probabilities, labels)
        fitted[head] = HeadCalibration(
            scaling.temperature,
            scaling.exponent,
            len(pairs),
            ece_before=ece(probabilities, labels),
            ece_after=ece(scaling.probabilities(_logs(probabilities)), labels),
        )
    return fitted


def calibrate_folder(
    path: Path, judgements: Sequence[Judgement | None], examples: Sequence[Example]
) -> dict[str, HeadCalibration]:
    """Fit a folder's heads on its own judgements of the development split, and write the scalings into its card.

    The judgements are made with the scalings that the card has; what is fitted comes after those, so that a second
    call changes nothing. The card is replaced in one step. Gives the scalings as they stand in the card. Raises
    Misconfigured when the folder has no card or cannot be written to, Failed when no head has enough labelled rows.
    """
    card = _read_card(path / CARD_FILE)
    fitted = fit_heads(judgements, examples)
    if not fitted:
        message = f"{path} cannot be calibrated: no head has {MIN_ROWS} labelled rows"
        raise Failed(message)
    temperatures, exponents = card.get("temperatures") or {}, card.get("exponents") or {}
    result = {}
    for head, part in fitted.items():
        first = Scaling(float(temperatures.get(head, 1.0)), float(exponents.get(head, 1.0)))
        both = Scaling(part.temperature, part.exponent).after(first)
        temperature, exponent = (_rounded(number) for number in (both.temperature, both.exponent))
        result[head] = replace(part, temperature=temperature, exponent=exponent)
    card["temperatures"] = {**temperatures, **{head: part.temperature for head, part in result.items()}}
    card["exponents"] = {**exponents, **{head: part.exponent for head, part in result.items()}}
    notes: Mapping[str, Any] = card.get("calibration") or {}
    card["calibration"] = {**notes, **{head: asdict(part) for head, part in result.items()}}
    _replace(path / CARD_FILE, orjson.dumps(card, option=orjson.OPT_INDENT_2))
    return result


def _rounded(number: float) -> float:
    """Six digits, and within what can be read again: rows that are all right would make it colder at each call."""
    return float(f"{min(MOST, max(LEAST, number)):.6g}")


def _answers(
    judgements: Sequence[Judgement | None], examples: Sequence[Example]
) -> dict[str, list[tuple[tuple[float, ...], int]]]:
    """For each head, the probabilities of each labelled row and its label."""
    pairs: dict[str, list[tuple[tuple[float, ...], int]]] = {"text": [], "mention": [], "topic": []}
    for judgement, example in zip(judgements, examples, strict=True):
        if judgement is not None:
            for head, row, label in _heads(judgement, example):
                pairs[head].append((row, label))
    return pairs


def _heads(judgement: Judgement, example: Example) -> Iterator[tuple[str, tuple[float, ...], int]]:
    if example.label is not None:
        whole = judgement.sentiment
        yield "text", (whole.negative, whole.neutral, whole.positive), example.label
    if example.topic is not None and judgement.topics:
        yield "topic", tuple(judgement.topics.get(topic, 0.0) for topic in TOPICS), example.topic
    if judgement.found:
        for (_, label), part, found in zip(example.mentions, judgement.entities, judgement.found, strict=True):
            if label is not None and found:
                yield "mention", (part.negative, part.neutral, part.positive), label


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        message = f"scalings are kept in {path}, which cannot be read: {error}"
        raise Misconfigured(message) from None
    if not isinstance(card, dict):
        message = f"{path} must hold a JSON object"
        raise Misconfigured(message)
    return card


def _replace(path: Path, content: bytes) -> None:
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".card-") as folder:
            written = Path(folder) / path.name
            written.write_bytes(content)
            written.chmod(path.stat().st_mode)
            os.replace(written, path)
    except OSError as error:
        message = f"the scalings cannot be written to {path}: {error.strerror}"
        raise Misconfigured(message) from None
