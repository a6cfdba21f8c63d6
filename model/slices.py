"""The kinds of texts that a classifier may be worse on: which there are, and how good it is on each."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bearometer.linking import find_cashtags
from model.compare import Range, wilson
from model.dataset import Example
from model.evaluate import TaskResult
from model.metrics import measure

__all__ = ["SLICES", "SliceResult", "measure_slices"]

_NEGATION = re.compile(
    r"\b(?:not?|never|none|nothing|nobody|neither|nor|without|cannot|hardly|barely|lacks?|fail(?:s|ed) to)\b"
    r"|n['\u2019]t\b",
    re.IGNORECASE,
)
_SHORT, _LONG = 60, 140
"""Characters; 140 was the length of a tweet for its first eleven years."""


def _entities(example: Example) -> int:
    names = {name.casefold() for name, _ in example.mentions}
    return len(names | {symbol.casefold() for symbol, _ in find_cashtags(example.text)})


def _has_cashtag(example: Example) -> bool:
    return next(find_cashtags(example.text), None) is not None


def _shouts(example: Example) -> bool:
    """Whether nearly all letters are capitals, and there is more than a symbol or two."""
    letters = [character for character in example.text if character.isalpha()]
    return len(letters) >= 10 and sum(character.isupper() for character in letters) > 0.9 * len(letters)


SLICES: dict[str, Callable[[Example], bool]] = {
    "with cashtags": _has_cashtag,
    "without cashtags": lambda example: not _has_cashtag(example),
    "no entity": lambda example: _entities(example) == 0,
    "one entity": lambda example: _entities(example) == 1,
    "several entities": lambda example: _entities(example) > 1,
    "entities that differ": lambda example: len({label for _, label in example.mentions}) > 1,
    "negation": lambda example: bool(_NEGATION.search(example.text)),
    "all caps": _shouts,
    "with a link": lambda example: "http" in example.text.lower(),
    f"under {_SHORT} characters": lambda example: len(example.text) < _SHORT,
    f"{_SHORT} to {_LONG} characters": lambda example: _SHORT <= len(example.text) <= _LONG,
    f"over {_LONG} characters": lambda example: len(example.text) > _LONG,
}
"""Name of a slice, and whether an example is in it. Entities are the named ones and the cashtags."""


@dataclass(frozen=True, slots=True)
class SliceResult:
    """The figures of one task on one slice."""

    name: str
    answers: int
    accuracy: Range
    macro_f1: float
    weighted_f1: float

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON."""
        return asdict(self)


def measure_slices(result: TaskResult, examples: Sequence[Example]) -> tuple[SliceResult, ...]:
    """The figures on each slice that has any rows, in the order of SLICES."""
    found: list[SliceResult] = []
    for name, belongs in SLICES.items():
        rows = {row for row in {each.row for each in result.answers} if belongs(examples[row])}
        answers = [each for each in result.answers if each.row in rows]
        if answers:
            truth, predicted = [each.truth for each in answers], [each.predicted for each in answers]
            metrics = measure(truth, predicted, result.labels)
            accuracy = wilson(sum(a == b for a, b in zip(truth, predicted, strict=True)), len(answers))
            found.append(SliceResult(name, len(answers), accuracy, metrics.macro_f1, metrics.weighted_f1))
    return tuple(found)
