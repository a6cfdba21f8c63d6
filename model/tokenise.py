"""Texts to token ids: one tokenizer for training, evaluation and the stream."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from bearometer.errors import Misconfigured
from model.text import clean

__all__ = ["Ids", "Tokeniser", "by_length", "pad", "pad_groups"]

Ids = npt.NDArray[np.int64]

CHARACTERS_PER_TOKEN = 100
"""More than a token ever takes: WordPiece gives up on a word after so many characters."""


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
        # A lone surrogate cannot become UTF-8, which the tokenizer needs; what lies far past the last token costs time.
        limit = self.max_tokens * CHARACTERS_PER_TOKEN
        cleaned = [clean(text)[:limit].encode("utf-8", "replace").decode("utf-8") for text in texts]
        encodings = self.tokenizer.encode_batch(cleaned)
        return [
            np.asarray(encoding.ids, dtype=np.int64) if 0 in encoding.special_tokens_mask else None
            for encoding in encodings
        ]


def pad(rows: Sequence[Ids], pad_id: int) -> tuple[Ids, Ids]:
    """Ids and attention mask, padded to the longest row."""
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def pad_groups(rows: Sequence[Ids | None], group_tokens: int, pad_id: int) -> Iterator[tuple[list[int], Ids, Ids]]:
    """The groups of `by_length`, each with its rows as `pad` gives them: places, ids, attention mask."""
    for places in by_length(rows, group_tokens):
        yield places, *pad([row for place in places if (row := rows[place]) is not None], pad_id)


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
