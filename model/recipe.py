"""How to train, and what training tells while it runs."""

import math
from dataclasses import dataclass, field, fields
from typing import Protocol

from bearometer.errors import Misconfigured

__all__ = ["Augmentation", "DataSet", "EpochReport", "Observer", "Recipe", "Scores"]


@dataclass(frozen=True, slots=True)
class DataSet:
    """One file to train on."""

    path: str
    task: str = "sentiment"
    """What it teaches: one of `model.dataset.TASKS`."""
    passes: float = 1.0
    """How often an epoch sees each of its rows; of a half, each epoch sees another half. This balances the sets."""
    rows: int | None = None
    """So many of its rows only, chosen by their digests; None for all."""

    def __post_init__(self) -> None:
        """Refuse what cannot be read so often, or so far."""
        _check("data.passes", self.passes, (0, None))
        _check("data.rows", 1 if self.rows is None else self.rows, (1, None))


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often a training text is changed in a way that must not change what it says; shares from 0 to 1."""

    entities: float = 0.0
    """Cashtags and named entities exchanged for others."""
    case: float = 0.0
    """All letters small, or all capital."""
    noise: float = 0.0
    """A hashtag, a link's remains or a retweet mark added."""
    synonyms: float = 0.0
    """Words exchanged for others of the same meaning."""
    joined: float = 0.0
    """Texts of which only the mentions are labelled put behind one another: in the new text each keeps its label."""

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for each in fields(self):
            _check(f"augmentation.{each.name}", getattr(self, each.name), (0, 1))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; all of it is written into the run folder. Misconfigured when a number is out of its range."""

    epochs: int = 4
    batch_size: int = 32
    accumulate: int = 1
    """Batches whose gradients add up to one step."""
    learning_rate: float = 1e-4
    head_rate: float = 10.0
    """How many times faster the fresh heads learn than the pretrained encoder."""
    warmup_share: float = 0.06
    """Share of all steps over which the learning rate rises from zero; it falls to zero over the rest."""
    weight_decay: float = 0.01
    dropout: float = 0.1
    """Of the heads; the encoder keeps its own."""
    label_smoothing: float = 0.05
    implied_weight: float = 0.5
    """How much a label counts that only follows from another; see `model.rows.make_rows`."""
    soft_share: float = 0.6
    """How much of a target comes from the teacher where there is a label too."""
    soft_topic_share: float = 0.6
    """The same of topics; at 0 the teacher says nothing of them, for where it knows them less well than the labels."""
    max_tokens: int = 128
    layers: str = "all"
    """What is trained: `all`, `head`, or the number of last layers beside the heads."""
    patience: int = 2
    """Epochs without a better development score after which training stops."""
    seed: int = 7
    augmentation: Augmentation = field(default_factory=Augmentation)
    head_seed: int | None = None
    """Seed of the fresh heads; None for `seed`. Networks can only be averaged when their heads began alike."""
    text_weight: float = 1.0
    """How much the loss of the text's sentiment counts, beside those of the other two tasks."""
    mention_weight: float = 1.0
    topic_weight: float = 1.0
    focal: float = 0.0
    """Exponent of the focal loss (Lin et al. 2017): what is known for sure already teaches less; 0 is cross-entropy."""
    class_weights: float = 0.0
    """How much more a rare class counts: 0 not at all, 1 until all classes of a task weigh alike."""
    fgm: float = 0.0
    """Length of the adversarial step on the word embeddings (Miyato et al. 2017); it takes a second pass. 0 is none."""
    lora_rank: int = 0
    """Rank of the low-rank changes that are trained instead of the encoder (Hu et al. 2021); 0 trains the encoder."""
    lora_alpha: float = 16.0
    """The low-rank changes count `lora_alpha / lora_rank` times."""
    lora_dropout: float = 0.0
    base_share: float = 0.0
    """How much of a trained base's weights stands in the result, which is the mean of both so weighted: what was learnt
    anew costs less of what was known (WiSE-FT: Wortsman et al. 2022, https://arxiv.org/abs/2109.01903)."""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for name, allowed in _ALLOWED.items():
            _check(name, getattr(self, name), allowed)
        if self.lora_rank and self.layers != "all":
            message = f"`layers` is {self.layers!r} and `lora_rank` is {self.lora_rank}; with LoRA it must be all"
            raise Misconfigured(message)


_ALLOWED: dict[str, tuple[float, float | None]] = {
    "epochs": (1, None),
    "batch_size": (1, None),
    "accumulate": (1, None),
    "learning_rate": (0, None),
    "head_rate": (0, None),
    "warmup_share": (0, 1),
    "base_share": (0, 1),
    "weight_decay": (0, None),
    "dropout": (0, 0.99),
    "label_smoothing": (0, 0.99),
    "implied_weight": (0, None),
    "soft_share": (0, 1),
    "soft_topic_share": (0, 1),
    "max_tokens": (8, None),
    "patience": (1, None),
    "text_weight": (0, None),
    "mention_weight": (0, None),
    "topic_weight": (0, None),
    "focal": (0, None),
    "class_weights": (0, 1),
    "fgm": (0, None),
    "lora_rank": (0, None),
    "lora_alpha": (0, None),
    "lora_dropout": (0, 0.99),
}


def _check(name: str, value: float, allowed: tuple[float, float | None]) -> None:
    low, high = allowed
    if not (math.isfinite(value) and low <= value and (high is None or value <= high)):
        says = f"{low:g} or more" if high is None else f"from {low:g} to {high:g}"
        says += " and finite" if value == math.inf else ""
        message = f"`{name}` is {value}; it must be {says}"
        raise Misconfigured(message)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model achieves on the development split; None where the split has no such labels."""

    text_accuracy: float | None = None
    text_macro_f1: float | None = None
    text_weighted_f1: float | None = None
    mention_accuracy: float | None = None
    mention_macro_f1: float | None = None
    topic_accuracy: float | None = None
    topic_macro_f1: float | None = None

    @property
    def overall(self) -> float:
        """The mean of text macro F1, mention accuracy and topic accuracy, as far as they are there; picks the epoch."""
        parts = (self.text_macro_f1, self.mention_accuracy, self.topic_accuracy)
        known = [part for part in parts if part is not None]
        return sum(known) / len(known) if known else 0.0


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What one epoch did."""

    epoch: int
    loss: float
    """Mean training loss of a row."""
    scores: Scores
    seconds: float


class Observer(Protocol):
    """Who is told how training goes."""

    def step(self, done: int, total: int, loss: float, learning_rate: float) -> None:
        """A step of the optimizer was done; `loss` is the mean of its rows."""
        ...

    def epoch(self, report: EpochReport) -> None:
        """An epoch was done and measured."""
        ...
