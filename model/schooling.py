"""Which rows each epoch of a training sees, in which order: decided by the seed and the epoch's number alone."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bearometer.errors import Failed
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.augment import Augmenter
from model.dataset import Example
from model.recipe import Recipe
from model.rows import Row, Target, bucket, make_rows
from model.tokenise import Tokeniser

__all__ = ["ClassShares", "Portion", "Schooling"]


@dataclass(frozen=True, slots=True)
class Portion:
    """Training examples, and how often an epoch sees each."""

    examples: Sequence[Example]
    passes: float = 1.0


@dataclass(frozen=True, slots=True)
class ClassShares:
    """How often each class is a target, for the three tasks; each sums to 1 where the task is taught at all."""

    text: npt.NDArray[np.float64]
    mentions: npt.NDArray[np.float64]
    topics: npt.NDArray[np.float64]


class Schooling:
    """The curriculum of one training; the same portions and recipe give the same one, whatever was asked for before."""

    def __init__(self, portions: Sequence[Portion], tokeniser: Tokeniser, recipe: Recipe) -> None:
        """Leaves out texts with nothing to read; raises Failed when none are left."""
        usable = [
            Portion(
                [
                    example
                    for example, ids in zip(
                        portion.examples, tokeniser.encode([example.text for example in portion.examples]), strict=True
                    )
                    if ids is not None
                ],
                portion.passes,
            )
            for portion in portions
        ]
        self._portions = usable
        self._tokeniser, self._recipe = tokeniser, recipe
        taught = [example for part in usable if part.passes > 0 for example in part.examples]
        self._augmenter = Augmenter(recipe.augmentation, taught)
        rows = sum(round(len(portion.examples) * portion.passes) for portion in usable)
        if not rows:
            message = "the training split has no usable rows"
            raise Failed(message)
        self.steps_per_epoch = math.ceil(math.ceil(rows / recipe.batch_size) / recipe.accumulate)

    def epoch(self, number: int) -> list[list[list[Row]]]:
        """The steps of an epoch, `steps_per_epoch` of them, each a group of batches of rows."""
        recipe = self._recipe
        chooser = random.Random(f"{recipe.seed}:{number}")
        chosen = [example for portion in self._portions for example in _choose(portion, recipe.seed, number)]
        rows = make_rows([self._augmenter.change(example, chooser) for example in chosen], self._tokeniser, recipe)
        batches = [
            [rows[place] for place in places]
            for places in bucket([len(row.encoded.ids) for row in rows], recipe.batch_size, chooser)
        ]
        return [batches[start : start + recipe.accumulate] for start in range(0, len(batches), recipe.accumulate)]

    def class_shares(self) -> ClassShares:
        """How often each class is taught, passes and weights counted; tokenises everything."""
        shares = ClassShares(np.zeros(len(LABELS)), np.zeros(len(LABELS)), np.zeros(len(TOPICS)))
        for portion in self._portions:
            for row in make_rows(portion.examples, self._tokeniser, self._recipe):
                _count(shares.text, row.text, portion.passes)
                _count(shares.topics, row.topic, portion.passes)
                for target in row.mentions:
                    _count(shares.mentions, target, portion.passes)
        return ClassShares(*(part / max(part.sum(), 1e-12) for part in (shares.text, shares.mentions, shares.topics)))


def _count(shares: npt.NDArray[np.float64], target: Target | None, passes: float) -> None:
    if target:
        shares += passes * target.weight * target.probabilities


def _choose(portion: Portion, seed: int, epoch: int) -> Iterator[Example]:
    """An epoch's share: one endless row of shuffled copies is cut into epochs, so that each example gets its turn."""
    count, size = round(len(portion.examples) * portion.passes), len(portion.examples)
    order: list[int] = []
    for place in range(epoch * count, (epoch + 1) * count):
        turn, at = divmod(place, size)
        if at == 0 or not order:
            order = list(range(size))
            random.Random(f"{seed}:{turn}:{size}").shuffle(order)
        yield portion.examples[order[at]]
