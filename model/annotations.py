"""Labels that are kept apart from the texts they are of: they may be handed on where the texts may not."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from model.dataset import digest_of_text, distinct_cashtags

__all__ = ["Annotation", "match_annotations", "read_annotations"]

DIGEST_DIGITS = 16
"""Of the text's SHA-256: enough that of a million texts no two have the same by chance."""
_COLUMNS = ("digest", "label", "entities")
_DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Annotation:
    """What somebody said of one text."""

    label: int
    """The text's sentiment, as a place in LABELS."""
    entities: tuple[tuple[str, int], ...] = ()
    """Each entity's; empty where the text speaks of all its companies alike."""


def read_annotations(path: Path) -> dict[str, Annotation]:
    """Read a CSV of `digest,label,entities`, by the first 16 hex digits of the SHA-256 of each text.

    `label` is negative, neutral or positive; `entities` is empty or such as `AAPL=positive INTC=negative`, so that a
    name holds no space. Raises Misconfigured when the file cannot be read, Failed with the line's number when a line
    makes no sense, or a digest or a name comes twice.
    """
    found: dict[str, Annotation] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) != _COLUMNS:
                message = f"{path}: the first line must be {','.join(_COLUMNS)}"
                raise Failed(message)
            for row in rows:
                digest = row["digest"]
                annotation = _annotation(row)
                if annotation is None or not _DIGEST.fullmatch(digest) or digest in found:
                    message = (
                        f"{path}, line {rows.line_num}: needs a digest of {DIGEST_DIGITS} hex digits, small and there "
                        f"once, a label out of {', '.join(LABELS)}, and in entities nothing or NAME=LABEL NAME=LABEL"
                    )
                    raise Failed(message)
                found[digest] = annotation
    except csv.Error as error:
        message = f"{path}, line {rows.line_num}: {error}"
        raise Failed(message) from None
    except (OSError, UnicodeDecodeError) as error:
        message = f"the labels {path} cannot be read: {error}"
        raise Misconfigured(message) from None
    return found


def match_annotations(annotations: Mapping[str, Annotation], texts: Iterable[str]) -> Iterator[tuple[str, Annotation]]:
    """The texts that have an annotation, each once and in order, with what it says.

    Where it says nothing of the single companies each cashtag of the text gets the text's sentiment.
    """
    for text in dict.fromkeys(texts):
        annotation = annotations.get(digest_of_text(text)[:DIGEST_DIGITS])
        if annotation is not None:
            alike = tuple((symbol, annotation.label) for symbol in distinct_cashtags(text))
            yield text, replace(annotation, entities=annotation.entities or alike)


def _annotation(row: Mapping[str | None, Any]) -> Annotation | None:
    """None where the line makes no sense; under None the reader keeps the cells that are too many."""
    label = _place(row["label"] or "")
    entities = [part.rpartition("=") for part in (row["entities"] or "").split()]
    labels = {name: _place(word) for name, _, word in entities}
    known = tuple((name, place) for name, place in labels.items() if name and place is not None)
    if label is None or len(known) < len(entities) or None in row:
        return None
    return Annotation(label, known)


def _place(word: str) -> int | None:
    return LABELS.index(word) if word in LABELS else None
