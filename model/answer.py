"""From a model's outputs to judgements."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bearometer.mention import LABELS, Sentiment
from model.classifier import Judgement
from model.folder import ModelFolder
from model.groups import Prepared

__all__ = ["Outputs", "judge"]

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model says of one group, in logits."""

    text: Floats
    """[B, 3], in the model's own order of labels."""
    mentions: Floats | None = None
    """[B, E, 3]; None from a model that does not tell entities apart."""
    topics: Floats | None = None
    """[B, number of topics]; None from a model that knows none."""


def judge(prepared: Prepared, outputs: Sequence[Outputs], folder: ModelFolder) -> list[Judgement | None]:
    """One judgement per passage, from the outputs of each group; None where one of its numbers is not finite.

    An entity that the text does not name gets the whole text's sentiment and is not `found`; so does every entity
    when the model does not tell them apart.
    """
    order = list(folder.label_order)
    texts = np.full((len(prepared.passages), len(LABELS)), np.nan)
    topics = np.full((len(prepared.passages), len(folder.topics)), np.nan)
    named: list[list[npt.NDArray[np.float64]]] = [[] for _ in prepared.passages]
    for group, output in zip(prepared.groups, outputs, strict=True):
        texts[group.places] = folder.scalings["text"].probabilities(output.text[:, order])
        if output.topics is not None:
            topics[group.places] = folder.scalings["topic"].probabilities(output.topics)
        if output.mentions is not None:
            rows = folder.scalings["mention"].probabilities(output.mentions[..., order])
            for place, several in zip(group.places, rows, strict=True):
                named[place].extend(several)
    has_mentions = any(output.mentions is not None for output in outputs)
    has_topics = any(output.topics is not None for output in outputs)
    return [
        _join(
            texts[place],
            [named[place][number] if has_mentions and number is not None else None for number in numbers],
            dict(zip(folder.topics, topics[place].tolist(), strict=True)) if has_topics else {},
        )
        for place, numbers in enumerate(prepared.mentions)
    ]


def _join(
    text: npt.NDArray[np.float64], entities: list[npt.NDArray[np.float64] | None], topics: dict[str, float]
) -> Judgement | None:
    if not all(np.isfinite(row).all() for row in (text, *(row for row in entities if row is not None))) or not all(
        map(math.isfinite, topics.values())
    ):
        return None
    sentiment = Sentiment(*text.tolist())
    return Judgement(
        sentiment,
        tuple(sentiment if row is None else Sentiment(*row.tolist()) for row in entities),
        tuple(row is not None for row in entities),
        topics,
    )
