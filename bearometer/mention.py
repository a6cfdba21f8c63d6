"""What a post says of whom, and how."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bearometer.post import Post

__all__ = ["LABELS", "WHOLE", "Label", "Mention", "Scored", "SeenMention", "Sentiment", "Unscored", "likeliest"]

Label = Literal["negative", "neutral", "positive"]
LABELS: tuple[Label, ...] = ("negative", "neutral", "positive")
WHOLE = "*"
"""Stands where a symbol stands and means: the text as a whole."""


@dataclass(frozen=True, slots=True)
class Sentiment:
    """Probabilities of the three labels; finite, not negative, summing to 1 within 1e-3."""

    negative: float
    neutral: float
    positive: float

    def __post_init__(self) -> None:
        parts = (self.negative, self.neutral, self.positive)
        if not all(math.isfinite(p) and p >= 0 for p in parts) or abs(sum(parts) - 1) > 1e-3:
            message = f"{parts} are not probabilities of negative, neutral and positive"
            raise ValueError(message)

    @property
    def label(self) -> Label:
        """The likeliest label; of equals the more negative one."""
        parts = (self.negative, self.neutral, self.positive)
        return LABELS[parts.index(max(parts))]

    @property
    def score_micros(self) -> int:
        """(positive - negative) in millionths: whole numbers add up the same in any order."""
        return round((self.positive - self.negative) * 1_000_000)


@dataclass(frozen=True, slots=True)
class Mention:
    """How one post speaks of one symbol."""

    symbol: str
    sentiment: Sentiment
    in_text: bool = True
    """Whether the text names the symbol; where only the source says so, the sentiment is the whole text's."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A post with the model's answer: its own sentiment, one per symbol, the topic, and who said so."""

    post: Post
    sentiment: Sentiment
    mentions: tuple[Mention, ...]
    model: str
    """The version of the model, as `Classifier.version` gives it."""
    topics: Mapping[str, float] = field(default_factory=dict)
    """Topic to probability; empty when the model knows no topics."""
    story: str = ""
    """Which story the post tells (bearometer/story.py); empty for one that was stored before stories were told apart,
    and then its fingerprint stands for the story."""
    spam: tuple[str, ...] = ()
    """Why it is spam, each reason as `code: words`; empty when it is none. Spam is stored, and counted nowhere."""

    @property
    def topic(self) -> str | None:
        """The likeliest topic, if the model knows topics."""
        return likeliest(self.topics)


@dataclass(frozen=True, slots=True)
class Unscored:
    """A post that no model was asked about: it is stored, and counted nowhere."""

    post: Post
    because: str
    """Why, as `code: words`."""
    story: str = ""
    spam: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenMention:
    """The part of a mention of any label that the detector needs.

    `symbol` may also be a topic's key or MARKET (bearometer/post.py): then it is the whole post that is meant.
    """

    symbol: str
    post_id: str
    published_at: datetime
    story: str
    """The same for posts that tell the same."""
    author: str | None
    source: str
    negative: bool
    """Whether its label is `negative`."""
    on_time: bool = True
    """Whether it was known within a day of its publication; what was not does not say that anybody watched then."""


def likeliest(topics: Mapping[str, float]) -> str | None:
    """The topic with the greatest probability, the first of equals; None without topics."""
    return max(topics, key=topics.__getitem__) if topics else None
