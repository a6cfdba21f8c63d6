"""Labelled texts: reading them, and keeping a development split apart."""

import csv
import gzip
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from bearometer.errors import Failed, Misconfigured
from bearometer.linking import find_cashtags
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.classifier import Judgement
from model.text import clean

__all__ = [
    "LABEL_NAMES",
    "TASKS",
    "Example",
    "digest_of_text",
    "distinct_cashtags",
    "is_development",
    "read_examples",
    "sample",
    "seen_text",
    "split_examples",
]

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

TOPIC_NAMES: dict[str, int] = {
    **{str(index): index for index in range(len(TOPICS))},
    **{topic.lower(): index for index, topic in enumerate(TOPICS)},
}


@dataclass(frozen=True, slots=True)
class Example:
    """A text with what is known of it: any of its own sentiment, its mentions' and its topic."""

    text: str
    label: int | None = None
    """The sentiment's place in LABELS."""
    mentions: tuple[tuple[str, int | None], ...] = ()
    """Name or symbol of each entity, with its sentiment's place in LABELS where that is known."""
    topic: int | None = None
    """The topic's place in TOPICS."""
    soft: Judgement | None = None
    """What a teacher says of the text and of all its mentions."""


def is_development(text: str) -> bool:
    """Whether a text is in the development split: one in eight, by its digest, so that repeats stay together."""
    return digest_of_text(text)[0] in "01"


def digest_of_text(text: str) -> str:
    """The text's SHA-256, in hex digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seen_text(text: str) -> str:
    """What a model sees of a text, without regard to case: two texts for which it is the same are one to it."""
    return clean(text).casefold()


def distinct_cashtags(text: str) -> tuple[str, ...]:
    """The symbols that a text writes as cashtags, each once, in the order in which they first come."""
    return tuple(dict.fromkeys(symbol for symbol, _ in find_cashtags(text)))


def sample(examples: Sequence[Example], rows: int | None) -> list[Example]:
    """So many of the examples (all, for None), chosen by their digests: the same ones every time."""
    if rows is None or rows >= len(examples):
        return list(examples)
    chosen = sorted(range(len(examples)), key=lambda place: digest_of_text(examples[place].text))[:rows]
    return [examples[place] for place in sorted(chosen)]


def split_examples(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """The training and the development split, each in the order given."""
    train: list[Example] = []
    development: list[Example] = []
    for example in examples:
        (development if is_development(example.text) else train).append(example)
    return train, development


def read_examples(path: Path, task: str = "sentiment") -> list[Example]:
    """Read one file for one task: CSV with a header, JSONL, or plain text, `.gz` or not, by the file's ending.

    - `sentiment`: `text` and `label`, which is negative, neutral or positive, bearish or bullish, or a number as in
      Twitter Financial News Sentiment (0 negative, 1 positive, 2 neutral).
    - `topic`: `text` and `label`, the name of one of TOPICS or its number.
    - `mentions`: `text` (or `title`) and `entities` (or `decisions`), an object of sentiments by name; JSONL only.
    - `posts`: `text`, `label` as for `sentiment`, and `entities` as for `mentions`, which may be missing; JSONL only.
    - `texts`: `text` alone, or one text a line; cashtags become mentions.

    Raises Misconfigured when the file is missing or of another kind, Failed with the line number when a row cannot be
    read: a training set with holes in it must not train in silence.
    """
    if task not in TASKS:
        message = f"the task {task!r} is unknown; it must be one of {', '.join(TASKS)}"
        raise Misconfigured(message)
    if not path.is_file():
        message = f"the data file {path} does not exist"
        raise Misconfigured(message)
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".txt": _read_lines}
    kind = Path(path.name.removesuffix(".gz")).suffix
    if kind not in readers or (kind == ".txt" and task != "texts"):
        message = f"the data file {path} must end in .csv or .jsonl (or .txt for texts), with or without .gz"
        raise Misconfigured(message)
    try:
        examples = [TASKS[task](path, line, row) for line, row in readers[kind](path)]
    except (UnicodeDecodeError, OSError, EOFError) as error:
        message = f"{path} cannot be read: {error}"
        raise Failed(message) from None
    if not examples:
        message = f"{path} holds no rows"
        raise Failed(message)
    return examples


def _read_csv(path: Path) -> Iterator[tuple[int, object]]:
    with _open_text(path) as file:
        rows = csv.DictReader(file)
        try:
            for row in rows:
                yield rows.line_num, row
        except csv.Error as error:
            message = f"{path}, line {rows.line_num}: {error}"
            raise Failed(message) from None


def _read_jsonl(path: Path) -> Iterator[tuple[int, object]]:
    for number, line in _read_lines(path):
        if str(line).strip():
            try:
                yield number, orjson.loads(str(line))
            except orjson.JSONDecodeError as error:
                message = f"{path}, line {number}: not JSON: {error}"
                raise Failed(message) from None


def _read_lines(path: Path) -> Iterator[tuple[int, object]]:
    with _open_text(path) as file:
        for number, line in enumerate(file, start=1):
            yield number, line.rstrip("\r\n")


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def _sentiment(path: Path, line: int, row: object) -> Example:
    text = _text(row, "text")
    index = LABEL_NAMES.get(_word(row, "label"))
    if text is None or index is None:
        message = f"{path}, line {line}: needs a `text` and a `label` out of {', '.join(LABEL_NAMES)}"
        raise Failed(message)
    return Example(text, label=index)


def _topic(path: Path, line: int, row: object) -> Example:
    text = _text(row, "text")
    index = TOPIC_NAMES.get(_word(row, "label"))
    if text is None or index is None:
        message = f"{path}, line {line}: needs a `text` and a `label` that is a topic's name or number (0 to 19)"
        raise Failed(message)
    return Example(text, topic=index)


def _mentions(path: Path, line: int, row: object) -> Example:
    text = _text(row, "text", "title")
    labels = _entities(row)
    if text is None or not labels or None in labels.values():
        message = f"{path}, line {line}: needs a `text` and `entities`, an object of {', '.join(LABELS)} by name"
        raise Failed(message)
    return Example(text, mentions=tuple(labels.items()))


def _post(path: Path, line: int, row: object) -> Example:
    text, index, labels = _text(row, "text"), LABEL_NAMES.get(_word(row, "label")), _entities(row)
    if text is None or index is None or labels is None or None in labels.values():
        message = (
            f"{path}, line {line}: needs a `text`, a `label` out of {', '.join(LABELS)}, and where there are "
            "`entities` an object of those by name"
        )
        raise Failed(message)
    return Example(text, label=index, mentions=tuple(labels.items()))


def _entities(row: object) -> dict[str, int | None] | None:
    """Each entity's place in LABELS by its name, None for what is no label; None where what is there is no object."""
    entities = (row.get("entities") or row.get("decisions") or {}) if isinstance(row, dict) else None
    if not isinstance(entities, dict):
        return None
    return {str(name): LABEL_NAMES.get(str(label).strip().lower()) for name, label in entities.items()}


def _plain(path: Path, line: int, row: object) -> Example:
    text = row if isinstance(row, str) else _text(row, "text", "title")
    if text is None:
        message = f"{path}, line {line}: needs a `text`"
        raise Failed(message)
    return Example(text, mentions=tuple((symbol, None) for symbol in distinct_cashtags(text)))


def _text(row: object, *names: str) -> str | None:
    values = [row[name] for name in names if isinstance(row.get(name), str)] if isinstance(row, dict) else []
    return values[0] if values else None


def _word(row: object, name: str) -> str:
    return str(row.get(name)).strip().lower() if isinstance(row, dict) else ""


TASKS: dict[str, Callable[[Path, int, object], Example]] = {
    "sentiment": _sentiment,
    "topic": _topic,
    "mentions": _mentions,
    "posts": _post,
    "texts": _plain,
}
"""What a data file can teach, and how one of its rows is read."""
