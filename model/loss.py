"""What a training minimises: cross-entropy with the targets' probabilities, and its variants for rare classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model.extras import import_torch
from model.network import Logits
from model.recipe import Recipe
from model.rows import Batch
from model.schooling import ClassShares

if TYPE_CHECKING:
    import torch

__all__ = ["Loss", "class_weights", "shifted"]


class Loss:
    """The loss of a batch, summed over its rows, mentions and tasks: it adds up, whatever the cut into batches."""

    def __init__(self, recipe: Recipe, device: Any, shares: ClassShares | None = None) -> None:
        """`shares` are needed when the recipe weighs classes."""
        self._torch = import_torch()
        self._recipe, self._device = recipe, device
        self._weights: list[torch.Tensor | None] = [None, None, None]
        if shares:
            parts = (shares.text, shares.mentions, shares.topics)
            self._weights = [self._tensor(class_weights(part, recipe.class_weights)) for part in parts]

    def __call__(self, logits: Logits, batch: Batch) -> torch.Tensor:
        """One number, ready for `backward`."""
        recipe = self._recipe
        text, mentions, topics = self._weights
        return (
            recipe.text_weight * self._of(logits.text, batch.text, batch.text_weight, text)
            + recipe.mention_weight * self._of(logits.mentions, batch.mentions, batch.mentions_weight, mentions)
            + recipe.topic_weight * self._of(logits.topics, batch.topics, batch.topics_weight, topics)
        )

    def _of(self, logits: torch.Tensor, target: Any, weight: Any, classes: torch.Tensor | None) -> torch.Tensor:
        expected, counts = (self._torch.from_numpy(array).to(self._device) for array in (target, weight))
        logs = self._torch.log_softmax(logits.float(), dim=-1)
        if self._recipe.focal:
            # Lin et al. 2017, https://arxiv.org/abs/1708.02002, with a target that may be shared by several classes.
            logs = (1 - logs.exp()).clamp_min(1e-6) ** self._recipe.focal * logs
        each = -(expected * logs).sum(-1)
        if classes is not None:
            counts = counts * (expected @ classes)
        loss: torch.Tensor = (each * counts).sum()
        return loss

    def _tensor(self, array: npt.NDArray[np.float64]) -> torch.Tensor:
        tensor: torch.Tensor = self._torch.tensor(array, dtype=self._torch.float32, device=self._device)
        return tensor


def class_weights(shares: npt.NDArray[np.float64], power: float) -> npt.NDArray[np.float64]:
    """Weights of the classes, proportional to share^-power; over all targets their mean is 1.

    A class that is never taught weighs nothing, and so do all of a task that is not taught.
    """
    known = shares > 0
    weights = np.zeros_like(shares)
    weights[known] = shares[known] ** -power
    mean = float((weights * shares).sum())
    return weights / mean if mean else weights


@contextmanager
def shifted(embeddings: Any, length: float) -> Iterator[None]:
    """The word embeddings moved by `length` against the loss while the context lasts, then exactly as they were.

    The direction is that of their gradient, which must be there: the fast gradient method of Miyato et al. 2017,
    https://arxiv.org/abs/1605.07725, on the table of embeddings as a whole.
    """
    weight = embeddings.weight
    norm = weight.grad.norm()
    before = weight.detach().clone()
    if norm > 0:
        weight.data.add_(weight.grad, alpha=length / float(norm))
    try:
        yield
    finally:
        weight.data.copy_(before)
