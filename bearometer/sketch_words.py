"""What a text says, for comparing it with another: its words in order, its figures, and which way it points."""

import re
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple
from unicodedata import normalize

__all__ = ["AXES", "NEGATED", "Said", "read_said"]

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
    r"|(?P<number>\d+(?:[.,]\d+)*|(?<!\w)\.\d+)(?:(?:st|nd|rd|th|pc|pct|[kmbtx]|mm|bn|mn|mln|bln|tn)(?!\w))?"
    r"|(?P<cut>\.{3,})"
    r"|(?P<colon>:(?=\s))"
    r"|(?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*)"
)
_COMMA = re.compile(r",(?=\d{3}(?!\d))")


def _words(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_MARKS = frozenset({"name", "cut", "colon"})
"""Kinds of tokens that are no words."""
_LEADING = frozenset(_words("rt breaking exclusive update updated just in news alert video photo mt hot new"))
_TRAILING = frozenset(
    _words("via read more continue reading here click see full story article details link at rt http")
)
_CREDIT = 4
"""Words, "via" among them or before a colon, that name who said it first."""
_KNOWN = 1 / 3
"""Of a text with a smaller part of common words nothing is a name: it is in another language."""
_LEFT = 4
"""Words that must be left where marks at either end are taken away."""

_NEGATIONS = frozenset(_words("not no never cannot without nor isnt wont doesnt didnt dont wasnt cant denies"))

_OPPOSITES = """
up rise rises rising rose gain gains gained gaining jump jumps jumped surge surges surged surging climb climbs climbed
  soar soars soared soaring rally rallies rallied higher advances advanced spikes spiked rebounds rebounded
  uptrend / down fall falls falling fell drop drops dropped dropping plunge plunges plunged slump slumps slumped sink
  sinks sank tumble tumbles tumbled decline declines declined slide slides slid lower crash crashes crashed slips
  slipped dips downtrend
beat beats beating tops topped exceeds exceeded / miss misses missed missing lags trails
raise raises raised raising hike hikes hiked boost boosts boosted boosting lift lifts lifted increase increases
  increased / cut cuts cutting lowers lowered slash slashes slashed reduce reduces reduced trim trims trimmed decrease
  decreases decreased
upgrade upgrades upgraded / downgrade downgrades downgraded
buy buys buying bought purchase purchases purchased acquires acquired / sell sells selling sold unloads dumps
buy outperform overweight / hold neutral perform
sell underperform underweight / hold neutral perform
bullish bull bulls / bearish bear bears
long longs / short shorts
call calls / put puts
above over / below under
profit profits profitable / loss losses lost
win wins won / lose loses
approve approves approved approval / reject rejects rejected rejection
support supports / resistance
overweight outperform outperforms overbought overvalued
  / underweight underperform underperforms oversold undervalued
gainers winners best strong stronger good top / losers worst weak weaker bad bottom
opens open opening / closes close closing closed
"""
_AXES = tuple(tuple(side.split() for side in line.split("/")) for line in re.split(r"\n(?! )", _OPPOSITES.strip()))
AXES = tuple((first[0], second[0]) for first, second in _AXES)
"""Pairs of opposites, each by its first words; of a stance each has two bits."""
NEGATED = 1 << (2 * len(AXES))
"""The bit for "not" and its like."""
_BITS: dict[str, int] = {}
for _axis, _sides in enumerate(_AXES):
    for _side, _named in enumerate(_sides):
        for _word in _named:
            _BITS[_word] = _BITS.get(_word, 0) | 1 << (2 * _axis + _side)

_PARTS = {"first": "q1", "second": "q2", "third": "q3", "fourth": "q4"}
_DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
_MONTHS = _words("january february march april may june july august september october november december")
_DATES = {word: word[:3] for word in (*_DAYS, *_MONTHS) if word not in {"may", "march"}}
_BESIDE_NUMBER = {word[:3]: word[:3] for word in _MONTHS} | {"march": "mar", "sept": "sep"}
_SPELLED = {word: str(number) for number, word in enumerate(_words("two three four five six seven eight nine ten"), 2)}


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
    names = _find_names(tokens)
    tokens = [token for token in tokens if token[0] not in _MARKS]
    words = [word for _, word in tokens]
    stance = 0
    for word in words:
        if word in _BITS:
            stance |= _BITS[word]
        elif word in _NEGATIONS or word.endswith("n't"):
            stance |= NEGATED
    return Said(words, min(letters, len(words)), _read_numbers(tokens), names, stance)


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
        elif kind == "number":
            word = _plain(match["number"])
        elif kind == "part":
            word = word if word[0] in "qh" else word[::-1]
        elif kind == "word":
            word = word.replace("\u2019", "'").removesuffix("'s")
        elif kind == "tag":
            word = word[1:]
        tokens.append((kind, word))
        end = match.end()
        if len(tokens) >= MAX_WORDS:
            break
    return tokens


def _plain(number: str) -> str:
    """1,200.50 is 1200.5, .5 is 0.5, 03 is 3."""
    number = _COMMA.sub("", number[:MAX_DIGITS])
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
    while spare > 0 and (tokens[at][0] in _MARKS or tokens[at][1] in _LEADING):
        spare -= tokens[at][0] not in _MARKS
        at += 1
    del tokens[:at]


def _find_names(tokens: list[tuple[str, str]]) -> dict[str, None]:
    """In front of a colon at the very beginning stands who says it, which does not count."""
    common = _common_words()
    start = 0
    for at, (kind, _) in enumerate(tokens[: 2 * _CREDIT]):
        if kind == "colon" and at <= start + _CREDIT and len(tokens) - at > _LEFT:
            start = at + 1
    words = [word for kind, word in tokens[start:] if kind in {"word", "tag", "torn"}]
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
            if before == "number" or (at + 1 < len(tokens) and tokens[at + 1][0] == "number"):
                numbers[_BESIDE_NUMBER[word]] = None
        elif word == "quarter" and at and tokens[at - 1][1] in _PARTS:
            numbers[_PARTS[tokens[at - 1][1]]] = None
        before = kind
        if len(numbers) >= MAX_NUMBERS:
            break
    return numbers
