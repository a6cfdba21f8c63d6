"""How to train, and what training tells while it runs."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["EpochReport", "Observer", "Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; all of it is written into the run folder."""

    epochs: int = 4
    batch_size: int = 32
    accumulate: int = 1
    """Batches whose gradients add up to one step."""
    learning_rate: float = 1e-4
    warmup_share: float = 0.06
    """Share of all steps over which the learning rate rises from zero; it falls to zero over the rest."""
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    max_tokens: int = 128
    layers: str = "all"
    """What is trained: `all`, `head`, or the number of last layers beside the head."""
    patience: int = 2
    """Epochs without a better development macro F1 after which training stops."""
    seed: int = 7


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What one epoch did."""

    epoch: int
    loss: float
    """Mean training loss."""
    accuracy: float
    """On the development split, as the two below."""
    macro_f1: float
    weighted_f1: float
    seconds: float


class Observer(Protocol):
    """Who is told how training goes."""

    def step(self, done: int, total: int) -> None:
        """A step of the optimizer was done."""
        ...

    def epoch(self, report: EpochReport) -> None:
        """An epoch was done and measured."""
        ...
