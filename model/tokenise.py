"""Texts to token ids: one tokenizer for training, evaluation and the stream."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from bearometer.errors import Misconfigured
from bearometer.linking import Span, find_spans
from model.classifier import Passage
from model.text import clean

__all__ = ["Encoded", "Ids", "Tokeniser", "by_length", "pad", "span_weights"]

Ids = npt.NDArray[np.int64]

CHARACTERS_PER_TOKEN = 100
"""More than a token ever takes: WordPiece gives up on a word after so many characters."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A passage as the model reads it."""

    ids: Ids
    spans: tuple[Ids, ...] = ()
    """For each entity of the passage, the places of its tokens; empty where what is read of the text has none."""


class Tokeniser:
    """Cleans and tokenises texts, cut to `max_tokens`; thread-safe once made."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens

    @classmethod
    def open(cls, path: Path, max_tokens: int) -> "Tokeniser":
        """Read a `tokenizer.json`; raises Misconfigured when it is none."""
        try:
            return cls(Tokenizer.from_file(str(path)), max_tokens)
        except Exception as error:  # the library raises bare Exception
            message = f"{path} is no tokenizer: {error}"
            raise Misconfigured(message) from None

    def encode(self, texts: Sequence[str]) -> list[Ids | None]:
        """Token ids of each text, in order; None where nothing is left to read but the model's own marks."""
        return [encoded.ids if encoded else None for encoded in self.encode_passages([Passage(t) for t in texts])]

    def encode_passages(self, passages: Sequence[Passage]) -> list[Encoded | None]:
        """Token ids, and where the entities are among them, in order; None where there is nothing to read."""
        # A lone surrogate cannot become UTF-8, which the tokenizer needs; what lies far past the last token costs time.
        limit = self.max_tokens * CHARACTERS_PER_TOKEN
        cleaned = [clean(passage.text)[:limit].encode("utf-8", "replace").decode("utf-8") for passage in passages]
        encodings = self.tokenizer.encode_batch(cleaned)
        return [
            Encoded(
                np.asarray(encoding.ids, dtype=np.int64),
                tuple(_places(encoding.offsets, spans) for spans in _find_entities(passage, text)),
            )
            if 0 in encoding.special_tokens_mask
            else None
            for passage, text, encoding in zip(passages, cleaned, encodings, strict=True)
        ]


def _find_entities(passage: Passage, text: str) -> list[tuple[Span, ...]]:
    """For each entity of the passage its places in `text`, which is what is read of the passage's own."""
    given = passage.spans or ((),) * len(passage.entities)
    moved = not passage.text.startswith(text)
    return [
        (_follow(passage.text, spans, text) if moved else spans) or find_spans(text, entity)
        for entity, spans in zip(passage.entities, given, strict=True)
    ]


def _follow(before: str, spans: Sequence[Span], after: str) -> tuple[Span, ...]:
    """Places of a text in its cleaned form: wherever what stood there stands now."""
    return tuple(
        span for words in {before[start:end]: None for start, end in spans} for span in find_spans(after, words)
    )


def _places(offsets: Sequence[Span], spans: Sequence[Span]) -> Ids:
    """The tokens that hold any character of the spans; the model's own marks have the empty offset (0, 0)."""
    return np.asarray(
        [
            place
            for place, (start, end) in enumerate(offsets)
            if start < end and any(start < last and first < end for first, last in spans)
        ],
        dtype=np.int64,
    )


def pad(rows: Sequence[Ids], pad_id: int) -> tuple[Ids, Ids]:
    """Ids and attention mask, padded to the longest row."""
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def span_weights(encoded: Sequence[Encoded], tokens: int) -> npt.NDArray[np.float32]:
    """[B, E, T]: for each entity the weights of its tokens, equal and summing to 1; zero where it has none.

    E is the largest number of entities of any row, and at least 1.
    """
    entities = max((len(each.spans) for each in encoded), default=0)
    weights = np.zeros((len(encoded), max(1, entities), tokens), dtype=np.float32)
    for place, each in enumerate(encoded):
        for number, span in enumerate(each.spans):
            if span.size:
                weights[place, number, span] = 1 / span.size
    return weights


def by_length(rows: Sequence[Ids | None], group_tokens: int) -> list[list[int]]:
    """Places of the readable rows, longest first, in groups of at most `group_tokens` with the padding (or one row)."""
    lengths = [0 if row is None else len(row) for row in rows]
    places = sorted((place for place, length in enumerate(lengths) if length), key=lengths.__getitem__, reverse=True)
    groups: list[list[int]] = []
    for place in places:
        if groups and lengths[groups[-1][0]] * (len(groups[-1]) + 1) <= group_tokens:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
