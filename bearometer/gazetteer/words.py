"""A text as words: folded in case, accents and width, each with its place."""

import re
import unicodedata
from functools import cached_property, lru_cache

__all__ = ["Words", "fold", "split_words"]

_ASCII = re.compile(r"[A-Za-z0-9]+|&")
_ANY = re.compile(r"[^\W_]+|&|\uff06")
_MARKED = re.compile(r"(?:[^\W_]|[\u0300-\u036f])+|&|\uff06")
"""The same for texts in which a letter and its accent are two characters; slower."""
_MARK = re.compile(r"[\u0300-\u036f]")
_LOWER = str.maketrans(
    {chr(code): chr(code).lower() if chr(code).isalnum() else " " for code in range(128)} | {"&": "&"}
)


class Words:
    """Words of one text, all lists of the same length."""

    def __init__(self, text: str, pattern: re.Pattern[str], folded: list[str]) -> None:
        self.text = text
        self.folded = folded
        self._pattern = pattern

    def __len__(self) -> int:
        return len(self.folded)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each stands, as in `text[start:end]`; worked out when first asked for."""
        return [match.span() for match in self._pattern.finditer(self.text)]

    @cached_property
    def written(self) -> list[str]:
        """The words as the text has them."""
        return [self.text[start:end] for start, end in self.spans]

    def gap(self, place: int) -> str:
        """What stands between the word at `place` and the one after it."""
        return self.text[self.spans[place][1] : self.spans[place + 1][0]]


def split_words(text: str) -> Words:
    """Runs of letters and digits, and `&`; the folded form has no case, accents or wide letters."""
    if text.isascii():
        lowered = text.translate(_LOWER)
        return Words(text, _ASCII, (lowered.replace("&", " & ") if "&" in lowered else lowered).split())
    pattern = _MARKED if _MARK.search(text) else _ANY
    return Words(text, pattern, [fold(word) for word in pattern.findall(text)])


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """The form under which a word is looked up: `Nestlé`, `NESTLE` and `Nestlé` in two code points are one."""
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFKD", word.casefold()).casefold()
    return "".join(letter for letter in apart if letter.isalnum() or letter == "&") or "_"
