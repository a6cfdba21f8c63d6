"""Labelled texts: reading them, and keeping a development split apart."""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS

__all__ = ["LABEL_NAMES", "Example", "is_development", "read_examples", "split_examples"]

LABEL_NAMES: dict[str, int] = {
    # Twitter Financial News Sentiment writes numbers: 0 bearish, 1 bullish, 2 neutral.
    "0": LABELS.index("negative"),
    "1": LABELS.index("positive"),
    "2": LABELS.index("neutral"),
    "bearish": LABELS.index("negative"),
    "bullish": LABELS.index("positive"),
    **{label: index for index, label in enumerate(LABELS)},
}
"""What a label may be called in a file, and its place in LABELS."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text and its label's place in LABELS."""

    text: str
    label: int


def is_development(text: str) -> bool:
    """Whether a text is in the development split: one in eight, by its digest, so that repeats stay together."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[0] in "01"


def split_examples(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """The training and the development split, each in the order given."""
    train: list[Example] = []
    development: list[Example] = []
    for example in examples:
        (development if is_development(example.text) else train).append(example)
    return train, development


def read_examples(path: Path) -> list[Example]:
    """Read `text,label` from a CSV with a header, or `{"text", "label"}` from JSONL, by the file's ending.

    A label is negative, neutral or positive, bearish or bullish, or a number as in Twitter Financial News Sentiment
    (0 negative, 1 positive, 2 neutral). Raises Misconfigured when the file is missing or of another kind, Failed with
    the line number when a row cannot be read: a training set with holes in it must not train in silence.
    """
    if not path.is_file():
        message = f"the data file {path} does not exist"
        raise Misconfigured(message)
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    if path.suffix not in readers:
        message = f"the data file {path} must end in .csv or .jsonl"
        raise Misconfigured(message)
    try:
        examples = [_make_example(path, line, row) for line, row in readers[path.suffix](path)]
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8: {error.reason} at byte {error.start}"
        raise Failed(message) from None
    if not examples:
        message = f"{path} holds no rows"
        raise Failed(message)
    return examples


def _read_csv(path: Path) -> Iterator[tuple[int, object]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        try:
            for row in rows:
                yield rows.line_num, row
        except csv.Error as error:
            message = f"{path}, line {rows.line_num}: {error}"
            raise Failed(message) from None


def _read_jsonl(path: Path) -> Iterator[tuple[int, object]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield number, orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    message = f"{path}, line {number}: not JSON: {error}"
                    raise Failed(message) from None


def _make_example(path: Path, line: int, row: object) -> Example:
    text, label = (row.get("text"), row.get("label")) if isinstance(row, dict) else (None, None)
    index = LABEL_NAMES.get(str(label).strip().lower())
    if not isinstance(text, str) or index is None:
        message = f"{path}, line {line}: needs a `text` and a `label` out of {', '.join(LABEL_NAMES)}"
        raise Failed(message)
    return Example(text, index)
