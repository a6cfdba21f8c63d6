"""What every classifier does, whatever it runs on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bearometer.linking import Span
from bearometer.mention import Sentiment, likeliest

__all__ = ["Classifier", "Judgement", "Passage"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to judge, and the entities (names or symbols) that it is asked about."""

    text: str
    entities: tuple[str, ...] = ()
    spans: tuple[tuple[Span, ...], ...] = ()
    """Where the text names each entity, if the asker knows better than `find_spans`; empty, as a whole or for one
    entity: that looks for it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer for one passage."""

    sentiment: Sentiment
    entities: tuple[Sentiment, ...] = ()
    """One per entity of the passage, in its order; the text's own sentiment for one that the text does not name."""
    found: tuple[bool, ...] = ()
    """One per entity: whether the text names it."""
    topics: Mapping[str, float] = field(default_factory=dict)
    """Topic to probability; empty when the model knows no topics."""

    @property
    def topic(self) -> str | None:
        """The likeliest topic, if the model knows topics."""
        return likeliest(self.topics)


class Classifier(Protocol):
    """A model in two steps, so that tokenising one batch can overlap the inference of the one before.

    `prepare` and `classify` may be called from different threads at the same time, each from one thread only.
    """

    @property
    def version(self) -> str:
        """Name and digest of the weights, such as `minilm-l6-int8@3f2a9c1b`; stored with every score."""
        ...

    def prepare(self, passages: Sequence[Passage]) -> Any:
        """Tokenise a batch; CPU only. The result goes to `classify` of the same object."""
        ...

    def classify(self, prepared: Any) -> list[Judgement | None]:
        """Judge a prepared batch; one answer per passage, in order; None where no usable answer came out.

        A passage's answer does not depend on which others share its batch by more than 0.02 in any probability.
        """
        ...
