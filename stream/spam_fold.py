"""One spelling for a text and the phrases that are looked for in it. Pure."""

import re
import unicodedata

__all__ = ["fold"]

_DROPPED = re.compile(
    "[\u0300-\u036f\ufe00-\ufe0f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0001\U000e0020-\U000e007f]"
)
"""Accents, variation selectors, and what is not seen (category Cf)."""
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032`\u00b4", "'"))
_WORD = re.compile(r"\w+")
_LETTER = re.compile("[a-z]")
_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0432\u043a\u043c\u043d\u0442"
    "\u03b1\u03b5\u03b9\u03bf\u03c1\u03c4\u03c5\u03bd\u03ba\u0131",
    "aeopcyxijshdqwbkmhtaeioptuvki",
)
"""Cyrillic and Greek letters that are taken for Latin ones; small and large, as folded text has small ones only."""
_IS_FOREIGN = re.compile("[\u0131\u0370-\u03ff\u0400-\u052f]")


def fold(text: str) -> str:
    """Without letter case, accents, unseen characters and other ways to write the same; one apostrophe for all.

    In a word of Latin letters, Cyrillic and Greek ones that look like them are Latin too; words of one alphabet stay.
    Again changes nothing.
    """
    if text.isascii():
        return text.replace("`", "'").lower()
    folded = unicodedata.normalize("NFKD", text)
    folded = _DROPPED.sub("", folded).translate(_APOSTROPHES).casefold()
    if _IS_FOREIGN.search(folded):
        folded = _WORD.sub(_to_latin, folded)
    return unicodedata.normalize("NFC", folded)


def _to_latin(match: re.Match[str]) -> str:
    word = match.group()
    return word.translate(_LOOK_ALIKES) if _LETTER.search(word) else word
