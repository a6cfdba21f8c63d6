"""What a person says of a text that a model has judged, and why they are asked."""

from dataclasses import dataclass
from enum import StrEnum

from bearometer.mention import Label

__all__ = ["Correction", "Criterion"]


@dataclass(frozen=True, slots=True)
class Correction:
    """One person's word on a whole text, or on one entity in it. It holds the text: it outlives the post.

    `label` and `topic` may both be missing: somebody has looked and said nothing.
    """

    post_id: str
    """Id of a stored post; `text:` and the fingerprint for a text that came with its label."""
    symbol: str
    """Symbol or name of the entity; WHOLE for the whole text."""
    who: str
    label: Label | None
    text: str
    fingerprint: str
    topic: str | None = None
    """One of TOPICS, and only of the whole text."""
    model: str | None = None
    """Version of the model whose answer was judged, and what that answer was."""
    model_label: Label | None = None


class Criterion(StrEnum):
    """Why somebody should look at a post."""

    ENTROPY = "entropy"
    """The model is unsure of the text or of a mention: its probabilities are nearly equal."""
    MARGIN = "margin"
    """The two likeliest labels, of the text or of a mention, are nearly as likely."""
    MENTIONS = "mentions"
    """A mention has another label than the text that it stands in."""
    REPEATS = "repeats"
    """The same text has been given different labels."""
    SHADOW = "shadow"
    """The candidate that scores beside the active model says something else."""
