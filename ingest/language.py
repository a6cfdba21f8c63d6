"""Which language a post is in: what its source says, held against its text. When unsure, `und`.

Posts in a language that the model does not know are not scored, so a wrong "not English" loses a post and a wrong
"undetermined" loses nothing. docs/languages.md says how well it does.
"""

import math
import re
import unicodedata
from functools import cache
from typing import Any, NamedTuple

from ingest.language_words import ENDS_NAMES, ENGLISH, ENGLISH_MARKET, FOREIGN, IN_ALL_LANGUAGES, IN_NAMES

__all__ = ["ENGLISH_TAG", "UNDETERMINED", "clean_language", "decide_language"]

UNDETERMINED = "und"
ENGLISH_TAG = "en"

_LOOKED_AT = 600
"""Characters: the first sentences say which language it is, and hostile texts are long."""

_TAG = re.compile(r"[a-z]{2,3}")
_RENAMED = {"in": "id", "iw": "he", "ji": "yi", "mo": "ro", "nb": "no", "nn": "no"}
"""Twitter still sends the codes that ISO 639 withdrew in 1989. Two written forms of Norwegian are one."""
_SAYS_NOTHING = re.compile(r"q[a-t][a-z]|zxx|mul|mis")
"""For private use (Twitter's `qme` is a post of pictures), no language, several languages, one without a code."""

_SCRIPTS = (
    ("Kana", "\u3041-\u30ff\u31f0-\u31ff", ("ja",)),
    ("Han", "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f", ("zh", "ja", "yue", "wuu", "ko")),
    ("Hangul", "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3", ("ko",)),
    ("Cyrillic", "\u0400-\u052f", ("ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg", "tt", "ba", "uz")),
    ("Greek", "\u0370-\u03ff\u1f00-\u1fff", ("el",)),
    ("Arabic", "\u0620-\u06ff\u0750-\u077f\u08a0-\u08ff", ("ar", "fa", "ur", "ps", "ug", "ckb", "ku", "sd", "pa")),
    ("Hebrew", "\u05d0-\u05f2", ("he", "yi")),
    ("Devanagari", "\u0900-\u097f", ("hi", "mr", "ne", "sa")),
    ("Bengali", "\u0980-\u09ff", ("bn", "as")),
    ("Gurmukhi", "\u0a00-\u0a7f", ("pa",)),
    ("Gujarati", "\u0a80-\u0aff", ("gu",)),
    ("Odia", "\u0b00-\u0b7f", ("or",)),
    ("Tamil", "\u0b80-\u0bff", ("ta",)),
    ("Telugu", "\u0c00-\u0c7f", ("te",)),
    ("Kannada", "\u0c80-\u0cff", ("kn",)),
    ("Malayalam", "\u0d00-\u0d7f", ("ml",)),
    ("Sinhala", "\u0d80-\u0dff", ("si",)),
    ("Thai", "\u0e00-\u0e7f", ("th",)),
    ("Lao", "\u0e80-\u0eff", ("lo",)),
    ("Tibetan", "\u0f00-\u0fff", ("bo", "dz")),
    ("Burmese", "\u1000-\u109f", ("my",)),
    ("Georgian", "\u10a0-\u10ff", ("ka",)),
    ("Ethiopic", "\u1200-\u137f", ("am", "ti")),
    ("Khmer", "\u1780-\u17ff", ("km",)),
    ("Armenian", "\u0531-\u058f", ("hy",)),
)
"""Writing, its characters, and the languages in it, the likeliest first."""
_RUNS = re.compile("|".join(f"(?P<{name}>[{span}]+)" for name, span, _ in _SCRIPTS))
_LANGUAGES_IN = {name: languages for name, _, languages in _SCRIPTS}
_DENSE = {"Han": 3, "Hangul": 2, "Kana": 2}
"""How many Latin letters say as much as one character."""
_WITHOUT_SPACES = frozenset({"Han", "Hangul", "Kana", "Thai", "Lao", "Khmer", "Burmese", "Tibetan"})
_MIN_FOREIGN = 4
_TELLS = (
    ("Cyrillic", "uk", re.compile("[іїєґІЇЄҐ]")),
    ("Arabic", "ur", re.compile("[ٹڈڑےں]")),
    ("Arabic", "fa", re.compile("[پچژگی]")),
)

_SYMBOL = re.compile(r"[$@][A-Za-z0-9_.]+|#\w+")
_MARKED = re.compile(r"[$@#\d]")
_AROUND = (
    " \t.,;:!?\"'()[]{}<>*_~`|/\\-+=&%^"
    + "\u2026\u2013\u2014\u201c\u201d\u201e\u2018\u2019\xab\xbb\xa1\xbf\u2022\xb7\xb0"
)
_SPLIT = re.compile(r"[/\u2014\u2013:\u2026]|\.{2,}")
_LONG = 5
_STRETCHED = re.compile(r"(.)\1{2,}")

_ROMANISED = "hi"
_LATIN = {ENGLISH_TAG, *FOREIGN, "af", "az", "et", "eu", "gl", "hr", "is", "lt", "lv", "ms", "sk", "sl", "sq", "sw"}
"""What the classifier may answer: the others are more often a slip than a post."""

_LANGUAGES_OF: dict[str, tuple[str, ...]] = {}
for _language, _words in FOREIGN.items():
    for _word in _words:
        _LANGUAGES_OF[_word] = (*_LANGUAGES_OF.get(_word, ()), _language)

# Natural logarithms of odds, as the classifier's scores are: read off benchmarks/language.py.
_WORD = 6.0
_MARKET_WORD = 4.0
_CLEAR = 12.0
"""What a text must show, for another language than English, that has small words of it."""
_UNKNOWN_WORDS = 24.0
"""And one that has none, and only where there is hardly an English word."""
_BELIEVED = 2.0
"""And one that is said to be in it and has small words or letters of it."""
_BELIEVED_BARE = 12.0
_MIN_SMALL = 3
"""So many words not in capitals make a sentence of what may else be names."""


def clean_language(tag: str) -> str:
    """The primary BCP 47 subtag of what a source says (`en-US` gives `en`); `und` when it is none or names none."""
    primary = tag.strip().lower().replace("_", "-").split("-")[0]
    primary = _RENAMED.get(primary, primary)
    return primary if _TAG.fullmatch(primary) and not _SAYS_NOTHING.fullmatch(primary) else UNDETERMINED


def decide_language(stated: str | None, text: str) -> str:
    """The primary BCP 47 subtag of a post's language, `und` when neither source nor text settles it.

    A stated language other than English is believed when the text has words, and they do not speak against it;
    a stated English, unless the text is clearly something else. Cashtags, names, hashtags, numbers and tickers are no
    words. The same for the same post, in time linear in the text. The first call that no rule settles loads a model, a
    tenth of a second.
    """
    claimed = clean_language(stated) if stated else UNDETERMINED
    head = text[:_LOOKED_AT]
    if not head.isascii():
        head = unicodedata.normalize("NFKC", head)
        written = _by_script(head, claimed)
        if written:
            return written
    words = _find_words(head)
    if not words.all:
        return ENGLISH_TAG if claimed == ENGLISH_TAG else UNDETERMINED
    return _by_words(claimed, words)


def _by_script(head: str, claimed: str) -> str | None:
    """The language of a text that is mostly in another writing than Latin; `und` for half and half."""
    found: dict[str, int] = {}
    latin = 0
    for word in _SYMBOL.sub(" ", head).split():
        if word.isascii():
            latin += 0 if _MARKED.search(word) else sum(map(str.isalpha, word))
            continue
        letters = sum(map(str.isalpha, word))
        for run in _RUNS.finditer(word):
            name, length = str(run.lastgroup), len(run.group())
            # Letters of two alphabets in one word are a costume, fonts made of look-alikes.
            if name in _WITHOUT_SPACES or length >= letters:
                found[name] = found.get(name, 0) + length * _DENSE.get(name, 1)
    other = sum(found.values())
    if other < _MIN_FOREIGN or latin > 2 * other:
        return None
    if latin > other:
        return UNDETERMINED
    name = max(found, key=lambda each: found[each])
    if name == "Han" and found.get("Kana", 0) * 8 >= found[name]:
        name = "Kana"
    if claimed in _LANGUAGES_IN[name]:
        return claimed
    for script, language, tell in _TELLS:
        if script == name and tell.search(head):
            return language
    return _LANGUAGES_IN[name][0]


class _Words(NamedTuple):
    """What reads as words, in small letters."""

    all: list[str]
    english: frozenset[str]
    """Those that may count as English: not what ends a name ("Deutsche Bank")."""
    small: list[str]
    """Those without the names, which say where a company is from and not who writes."""
    telling: frozenset[str]
    """Those that small words of other languages may be. Tickers and names look like them ("SE", "El Paso", "Los
    Angeles"), so short ones count only where they are written small."""
    plain: bool
    """Whether the small ones have only letters that English has."""
    sentence: bool
    """Whether enough of them are written small, or with letters that English lacks, to be no list of names."""


def _find_words(head: str) -> _Words:
    tokens = [token for token in head.split() if token != "RT" and not _MARKED.search(token)]
    shouted = _is_shouted(tokens)
    words: list[str] = []
    without_names: list[str] = []
    english: set[str] = set()
    telling: set[str] = set()
    joining: list[str] | None = None  # what may join two parts of a name ("de la"), after the first
    written_small, plain = 0, True
    for token in tokens:
        for piece in (token,) if token.isalpha() else _SPLIT.split(token):
            word = piece.strip(_AROUND)
            if not _is_word(word, shouted):
                continue
            small = _STRETCHED.sub(r"\1", word.lower().replace("\u2019", "'"))
            if small in IN_ALL_LANGUAGES or len(set(small)) < 3 < len(small):
                continue
            if shouted or word[0].islower():
                if joining is not None:
                    joining = [*joining, small] if small in IN_NAMES and small not in telling else None
                telling.add(small)
                english.add(small)
                without_names.append(small)
                written_small += word.islower() and len(word) > 1
                plain = plain and (shouted or word.isascii())
            else:
                telling.difference_update(joining or ())
                del without_names[len(without_names) - len(joining or ()) :]
                joining = []
                if not words or len(word) >= _LONG:
                    telling.add(small)
                    if small in _LANGUAGES_OF:
                        without_names.append(small)
                if small not in ENDS_NAMES:
                    english.add(small)
            words.append(small)
    sentence = written_small >= _MIN_SMALL or not plain
    return _Words(words, frozenset(english), without_names, frozenset(telling), plain, sentence)


def _is_word(word: str, shouted: bool) -> bool:
    # Odd capitals ("bEsT", "iPhone") are names or a costume.
    rest = word[1:]
    if not rest:
        return word.islower() and not word.isascii()
    return rest.islower() or word.istitle() or (shouted and rest.isupper())


def _is_shouted(tokens: list[str]) -> bool:
    large = sum(len(token) for token in tokens if token.isupper())
    return large > 0.7 * sum(map(len, tokens)) and any(len(token) >= _LONG for token in tokens)


def _by_words(claimed: str, words: _Words) -> str:
    small, market = len(words.english & ENGLISH), len(words.english & ENGLISH_MARKET)
    english = small + market
    hits = _count_hits(words.telling, english)
    foreign = max(hits.values(), default=0)
    if words.plain or small > _MIN_SMALL:
        if english and not foreign and (claimed in {ENGLISH_TAG, UNDETERMINED} or english > 1):
            return ENGLISH_TAG
        if small > 1 and english > 2 * foreign:
            return ENGLISH_TAG
    if claimed == ENGLISH_TAG and foreign <= english and (english or words.plain):
        return ENGLISH_TAG
    read = words.small or ([] if claimed == UNDETERMINED else words.all)
    margins = _margins(claimed, read, hits, _WORD * small + _MARKET_WORD * market)
    if claimed in margins and len(set(words.all)) > 1:
        seen = hits.get(claimed, 0) or not (english or words.plain)
        bare = _UNKNOWN_WORDS if english else _BELIEVED_BARE
        if margins[claimed] >= (_BELIEVED if seen else bare):
            return claimed
    best = max(margins, key=lambda each: (margins[each], each))
    if margins[best] >= _threshold(claimed, words, hits.get(best, 0), english):
        return best
    return ENGLISH_TAG if claimed == ENGLISH_TAG or margins[best] < 0 < english else UNDETERMINED


def _threshold(claimed: str, words: _Words, seen: int, english: int) -> float:
    """What a language seen in so many small words, beside so many English ones, must show. Names alone never do."""
    only_in_names = words.telling & _LANGUAGES_OF.keys() <= IN_NAMES
    if len(words.small) > 1 + only_in_names:
        least = english if claimed != ENGLISH_TAG else math.inf if english else 1
        if seen > least:
            return _CLEAR
    return _UNKNOWN_WORDS if words.sentence and english <= min(seen, 1) else math.inf


def _count_hits(telling: frozenset[str], english: int) -> dict[str, int]:
    """How many small words of each language there are; none where all may belong to a name in an English sentence."""
    hits: dict[str, int] = {}
    known = telling & _LANGUAGES_OF.keys()
    if english and known <= IN_NAMES:
        return hits
    for word in known:
        for language in _LANGUAGES_OF[word]:
            hits[language] = hits.get(language, 0) + 1
    return hits


def _margins(claimed: str, words: list[str], hits: dict[str, int], english: float) -> dict[str, float]:
    """How much likelier than English each language is."""
    scores = {str(language): float(score) for language, score in _identifier().rank(" ".join(words))}
    english += scores.pop(ENGLISH_TAG)
    # Hindi in Latin letters is unknown to the classifier: it takes it for one or another that is not English.
    others = max((hits[language] for language in hits if language != _ROMANISED), default=1)
    if claimed == _ROMANISED or hits.get(_ROMANISED, 0) > others:
        scores[_ROMANISED] = max(scores.values())
    return {language: score + _WORD * hits.get(language, 0) - english for language, score in scores.items()}


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 # a tenth of a second, rarely needed

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(sorted((_LATIN - {_ROMANISED}) & set(identifier.labels)))
    return identifier
