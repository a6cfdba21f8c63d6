"""The text that a model sees: the same in training, in evaluation and in the stream."""

import html
import re

__all__ = ["clean"]

_LINK = re.compile(r"(?:https?://|www\.|pic\.twitter\.com/)\S*|\bt\.co/\S+", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"&#[0-9]{8,};?")
"""No character has so many digits, and `html.unescape` raises on more than 4,300."""
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """The text without links, HTML escapes and runs of white space; possibly empty.

    Links go because they are noise to the model: of a shortened address nothing can be learned but its letters.
    """
    unlinked = _LINK.sub(" ", html.unescape(_LONG_NUMBER.sub(" ", text)))
    return _SPACE.sub(" ", unlinked).strip()
