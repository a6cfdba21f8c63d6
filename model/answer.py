"""From a model's outputs to judgements."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bearometer.mention import Sentiment
from model.classifier import Judgement, Passage

__all__ = ["judge", "softmax"]


def softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Probabilities along the last axis; rows that are not finite come out as NaN."""
    logits = logits.astype(np.float64)
    finite = np.isfinite(logits).all(axis=-1, keepdims=True)
    exponents = np.exp(np.where(finite, logits - np.max(np.where(finite, logits, 0), axis=-1, keepdims=True), np.nan))
    result: npt.NDArray[np.float64] = exponents / exponents.sum(axis=-1, keepdims=True)
    return result


def judge(passages: Sequence[Passage], probabilities: npt.NDArray[np.float64]) -> list[Judgement | None]:
    """One judgement per passage from rows of (negative, neutral, positive); None for a row that is not finite.

    An entity gets the whole text's sentiment: the models so far do not tell entities apart.
    """
    answers: list[Judgement | None] = []
    for passage, row in zip(passages, probabilities, strict=True):
        if not np.isfinite(row).all():
            answers.append(None)
            continue
        sentiment = Sentiment(*(float(part) for part in row))
        answers.append(Judgement(sentiment, (sentiment,) * len(passage.entities)))
    return answers
