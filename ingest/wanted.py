"""Which posts of a stream that carries everything are taken: by words, cashtags and language."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from ingest.language import UNDETERMINED, clean_language
from ingest.symbols import find_cashtags

__all__ = ["Wanted", "with_symbols"]

_WORD = re.compile(r"\$?\w+")


class Wanted:
    """A test of texts, in time linear in their length, however many keywords there are.

    A keyword is a word or a phrase; case and punctuation do not count, and `acme` finds `$ACME` too, but not
    `acmeist`. With `cashtags` a text with any cashtag is wanted as well. Without keywords and cashtags every text is.
    A text of no stated language passes, whatever the languages.
    """

    def __init__(self, keywords: Iterable[str], *, cashtags: bool, languages: Iterable[str]) -> None:
        self._cashtags = cashtags
        self._languages = {clean_language(language) for language in languages}
        self._phrases: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for keyword in keywords:
            if words := tuple(_WORD.findall(keyword.casefold())):
                self._phrases[words[0]].append(words)
        self._everything = not cashtags and not self._phrases

    def speaks(self, languages: Sequence[str]) -> bool:
        """Whether one of a text's stated languages is wanted."""
        stated = {clean_language(language) for language in languages} - {UNDETERMINED}
        return not self._languages or not stated or bool(stated & self._languages)

    def __call__(self, text: str) -> bool:
        """Whether the text has a keyword or, where those count, a cashtag."""
        if self._everything or (self._cashtags and "$" in text and find_cashtags(text)):
            return True
        if not self._phrases:
            return False
        words = _WORD.findall(text.casefold())
        plain = [word.removeprefix("$") for word in words]
        for place, (word, bare) in enumerate(zip(words, plain, strict=True)):
            for start in {word, bare}:
                for phrase in self._phrases.get(start, ()):
                    end = place + len(phrase)
                    if phrase in {tuple(words[place:end]), tuple(plain[place:end])}:
                        return True
        return False


def with_symbols(symbols: Sequence[str], text: str) -> tuple[str, ...]:
    """The symbols that a source states for all its posts, and the text's cashtags; none when it states none."""
    return tuple(dict.fromkeys((*symbols, *find_cashtags(text)))) if symbols else ()
