"""What a text says, for comparing it with another: its words in order, its figures, and which way it points."""

import re
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple
from unicodedata import normalize

from bearometer.sketch_opposites import read_stance
from bearometer.sketch_order import read_order

__all__ = ["Said", "read_said"]

MAX_CHARS = 4_000
"""What stands behind them decides nothing."""
MAX_WORDS = 1_000
MAX_NUMBERS = 64
"""Distinct ones, the first."""
MAX_NAMES = 32
"""Distinct ones, the first."""
MAX_DIGITS = 24

_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
"""Thai, Lao, Burmese, Khmer, kana, Han: each character is a word."""

_TOKEN = re.compile(
    r"(?P<tag>\#[^\W_]\w*)"
    r"|(?P<name>(?<!\w)(?:rt|via)[ ]\w{1,30}\s?:|@\w+:?|\$[a-z]{1,6}(?:[.\-][a-z]{1,2})?(?!\w))"
    r"|(?P<part>(?<!\w)(?:[qh][1-4]|[1-4][qh])(?=\d{2}(?!\d)|20\d\d|(?!\w)))"
    r"|(?P<number>\d+(?:[.,]\d+)*|(?<!\w)\.\d+)"
    r"(?:(?:st|nd|rd|th|pc|pct|x|(?P<scale>[kmbtc\u00a2]|mm|mn|mln|mio|bn|bln|tn|trn|bps?))(?!\w))?"
    r"|(?P<cut>\.{3,})"
    r"|(?P<colon>:(?=\s))"
    r"|(?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*)"
)
_COMMA = re.compile(r",(?=\d{3}(?!\d))")


def _words(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_MARKS = frozenset({"name", "cut", "colon"})
"""Kinds of tokens that are no words."""
_LEADING = frozenset(_words("rt breaking exclusive update updated just news alert video photo mt hot new"))
_TRAILING = frozenset(
    _words("via read more continue reading here click see full story article details link at rt http")
)
_CREDIT = 4
"""Words, "via" among them or before a colon, that name who said it first."""
_KNOWN = 1 / 3
"""Of a text with a smaller part of common words nothing is a name: it is in another language."""
_LEFT = 4
"""Words that must be left where marks at either end are taken away."""

_PARTS = {"first": "q1", "second": "q2", "third": "q3", "fourth": "q4"}
_DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
_MONTHS = _words("january february march april may june july august september october november december")
_DATES = {word: word[:3] for word in (*_DAYS, *_MONTHS) if word not in {"may", "march"}}
_IN_FRONT_OF_DATE = frozenset(_words("in for since until till by of last this next early late mid end"))
_BESIDE_NUMBER = {word[:3]: word[:3] for word in _MONTHS} | {"march": "mar", "sept": "sep"}
_SPELLED = {word: str(number) for number, word in enumerate(_words("two three four five six seven eight nine ten"), 2)}

_SCALES = {
    **dict.fromkeys(("bp", "bps", "c", "\u00a2"), -2),
    **dict.fromkeys(("k",), 3),
    **dict.fromkeys(("m", "mm", "mn", "mln", "mio"), 6),
    **dict.fromkeys(("b", "bn", "bln"), 9),
    **dict.fromkeys(("t", "tn", "trn"), 12),
    "": 0,
}
"""Powers of ten behind a figure: 5k, 5bn, 41c of a dollar, 75bp of a hundred."""
_SCALE_WORDS = {
    **dict.fromkeys(_words("bp bps basis cents"), -2),
    "hundred": 2,
    "thousand": 3,
    **dict.fromkeys(_words("m mm mn mln million"), 6),
    **dict.fromkeys(_words("bn bln billion"), 9),
    **dict.fromkeys(_words("tn trn trillion"), 12),
}
"""The same where they are a word of their own."""


class Said(NamedTuple):
    """What is left of a text when its tags, names, marks and credits are gone."""

    words: list[str]
    """In order; figures among them, the same however they are written."""
    letters: int
    """How many of the words are one character of a script without spaces."""
    numbers: dict[str, None]
    """Figures, quarters, weekdays and months: what tells two posts of one template apart. In order."""
    names: dict[str, None]
    """Words that are not common ones: companies, people, places, products. In order."""
    stance: int
    """Bits: for each pair of opposites whether one of either side is named, and NEGATED."""
    order: tuple[int, ...]
    """The words in order, hashed (bearometer/sketch_order.py); none of a long text."""


def read_said(text: str) -> Said:
    """What the text says; in time linear in its length, of which the first 4,000 characters count."""
    folded = text[:MAX_CHARS]
    letters = 0
    if not folded.isascii():
        folded = normalize("NFKC", folded).casefold()[:MAX_CHARS]
        folded, letters = _WITHOUT_SPACES.subn(r" \g<0> ", folded)
    else:
        folded = folded.lower()
    tokens = _split(folded)
    _drop_tail(tokens)
    _drop_head(tokens)
    content = tokens[_find_start(tokens) :]
    names = _find_names(content)
    tokens = [token for token in tokens if token[0] not in _MARKS]
    words = [word for _, word in tokens]
    order: tuple[int, ...] = ()
    if not letters:
        order = read_order(
            [("number" if word in _SPELLED else kind, word) for kind, word in content if kind not in _MARKS]
        )
    return Said(words, min(letters, len(words)), _read_numbers(tokens), names, read_stance(words), order)


@lru_cache(maxsize=1)
def _common_words() -> frozenset[str]:
    """Words that English posts and headlines about markets mostly write small; read once per process.

    Counted in the training sets TFNS and SEntFiN (docs/stories.md); another list needs another SKETCH_VERSION.
    """
    return frozenset(files("bearometer.gazetteer").joinpath("common.csv").read_text("ascii").split()[1:])


def _split(folded: str) -> list[tuple[str, str]]:
    """Kind and word; "cut" for an ellipsis, "part" for the word in front of one that it is joined to."""
    tokens: list[tuple[str, str]] = []
    end = -1
    for match in _TOKEN.finditer(folded):
        kind = match.lastgroup or ""
        word = match.group()
        if kind == "cut":
            if tokens and end == match.start():
                tokens[-1] = "torn", tokens[-1][1]
        elif kind == "number" or match["number"]:
            kind = "number"
            word = _plain(match["number"], _SCALES[match["scale"] or ""])
        elif kind == "part":
            word = word if word[0] in "qh" else word[::-1]
        elif kind == "word":
            word = word.replace("\u2019", "'").removesuffix("'s")
            if word in _SCALE_WORDS and tokens and _scale(tokens, word):
                end = match.end()
                continue
        elif kind == "tag":
            word = word[1:]
        tokens.append((kind, word))
        end = match.end()
        if len(tokens) >= MAX_WORDS:
            break
    return tokens


def _scale(tokens: list[tuple[str, str]], word: str) -> bool:
    """Whether the word in front is a figure that this one multiplies; it is multiplied then."""
    kind, before = tokens[-1]
    figure = before if kind == "number" else _SPELLED.get(before)
    if figure is None:
        return False
    tokens[-1] = "number", _plain(figure, _SCALE_WORDS[word])
    return True


def _plain(number: str, exponent: int = 0) -> str:
    """1,200.50 is 1200.5, .5 is 0.5, 03 is 3; times a power of ten, 5bn is 5000000000."""
    number = _COMMA.sub("", number[:MAX_DIGITS])
    if exponent and number.count(".") < 2 and "," not in number:
        whole, _, rest = number.partition(".")
        if exponent < 0:
            whole = whole.zfill(1 - exponent)
            number = f"{whole[:exponent]}.{whole[exponent:]}{rest}"
        else:
            rest = rest.ljust(exponent, "0")
            number = f"{whole}{rest[:exponent]}.{rest[exponent:]}"
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    number = number.lstrip("0")
    return f"0{number}" if not number or number[0] == "." else number


def _drop_tail(tokens: list[tuple[str, str]]) -> None:
    """Take tags, names, credits and a torn word from the end."""
    spare = sum(kind not in _MARKS for kind, _ in tokens) - _LEFT
    while tokens:
        kind, word = tokens[-1]
        if kind in _MARKS:
            tokens.pop()
        elif spare > 0 and (kind in {"tag", "torn"} or word in _TRAILING):
            tokens.pop()
            spare -= 1
        else:
            break
    for at in range(max(_LEFT, len(tokens) - _CREDIT), len(tokens)):
        if tokens[at][1] == "via":
            del tokens[at:]
            break


def _drop_head(tokens: list[tuple[str, str]]) -> None:
    at = 0
    spare = sum(kind not in _MARKS for kind, _ in tokens) - _LEFT
    while spare > 0 and (
        tokens[at][0] in _MARKS
        or tokens[at][1] in _LEADING
        or (at and tokens[at - 1][1] == "just" and tokens[at][1] == "in")
        or (at and tokens[at - 1][1] == "update" and tokens[at][0] == "number")  # a wire counts its versions
    ):
        spare -= tokens[at][0] not in _MARKS
        at += 1
    del tokens[:at]


def _find_start(tokens: list[tuple[str, str]]) -> int:
    """In front of a colon at the very beginning stands who says it, which does not count."""
    start = 0
    for at, (kind, _) in enumerate(tokens[: 2 * _CREDIT]):
        if kind == "colon" and at <= start + _CREDIT and len(tokens) - at > _LEFT:
            start = at + 1
    return start


def _find_names(tokens: list[tuple[str, str]]) -> dict[str, None]:
    common = _common_words()
    words = [word for kind, word in tokens if kind in {"word", "tag", "torn"}]
    names = [word for word in words if word not in common and len(word) > 1]
    return dict.fromkeys(names[:MAX_NAMES]) if len(words) - len(names) >= _KNOWN * len(words) else {}


def _read_numbers(tokens: list[tuple[str, str]]) -> dict[str, None]:
    numbers: dict[str, None] = {}
    before = ""
    for at, (kind, word) in enumerate(tokens):
        if kind in {"number", "part"}:
            numbers[word] = None
        elif word in _SPELLED:
            numbers[_SPELLED[word]] = None
        elif word in _DATES:
            numbers[_DATES[word]] = None
        elif word in _BESIDE_NUMBER:
            if (
                before == "number"
                or (at and tokens[at - 1][1] in _IN_FRONT_OF_DATE)
                or (at + 1 < len(tokens) and tokens[at + 1][0] == "number")
            ):
                numbers[_BESIDE_NUMBER[word]] = None
        elif word == "quarter" and at and tokens[at - 1][1] in _PARTS:
            numbers[_PARTS[tokens[at - 1][1]]] = None
        before = kind
        if len(numbers) >= MAX_NUMBERS:
            break
    return numbers
