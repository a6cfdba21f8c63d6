"""Which language a text is in."""

import re
from functools import cache
from typing import Any

__all__ = ["UNDETERMINED", "clean_language", "guess_language"]

UNDETERMINED = "und"

_MIN_LETTERS = 20
_MIN_PROBABILITY = 0.8
_LOOKED_AT = 1_000
_MARKS = re.compile(r"[$@#]\w+")
_TAG = re.compile(r"[a-z]{2,3}")
_RENAMED = {"in": "id", "iw": "he", "ji": "yi"}
"""Twitter still sends the codes that ISO 639 withdrew in 1989."""


def clean_language(tag: str) -> str:
    """The primary BCP 47 subtag of what a source says (`en-US` gives `en`); `und` when it is none."""
    primary = tag.strip().lower().replace("_", "-").split("-")[0]
    return _RENAMED.get(primary, primary) if _TAG.fullmatch(primary) else UNDETERMINED


def guess_language(text: str) -> str:
    """The language of a text without links; `und` when it is too short to say, or when the guess is unsure.

    Cashtags, names and hash tags are not looked at. The first call loads a model, which takes about a second.
    """
    words = _MARKS.sub(" ", text[:_LOOKED_AT])
    if sum(character.isalpha() for character in words) < _MIN_LETTERS:
        return UNDETERMINED
    language, probability = _identifier().classify(words)
    return str(language) if probability >= _MIN_PROBABILITY else UNDETERMINED


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 # a tenth of a second, rarely needed

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
