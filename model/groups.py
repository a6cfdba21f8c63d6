"""A batch on its way to the model: tokenised, cut into groups of similar lengths, each mention at its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.classifier import Passage
from model.tokenise import Encoded, Ids, Tokeniser, by_length, pad, span_weights

__all__ = ["MENTIONS_PER_PASS", "Group", "Prepared", "group_passages"]

MENTIONS_PER_PASS = 32
"""A text that names more takes another pass: the memory of a pass must not depend on what strangers write."""

LEAST_TOKENS = 128
"""So small a group takes hardly less time than half of it."""


@dataclass(frozen=True, slots=True)
class Group:
    """B texts of similar lengths, padded to T tokens and E mentions: one pass of the encoder."""

    places: list[int]
    """Where its texts stand in the batch."""
    ids: Ids
    """[B, T]."""
    mask: Ids
    """[B, T]; 0 for padding."""
    spans: npt.NDArray[np.float32]
    """[B, E, T]; as `span_weights` gives them."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, ready for the model."""

    passages: list[Passage]
    mentions: list[tuple[int | None, ...]]
    """For each entity of each passage the number of its mention; None where the text does not name it."""
    groups: list[Group]
    """Together they hold every readable passage and each of its mentions once."""


def group_passages(
    passages: Sequence[Passage], tokeniser: Tokeniser, group_tokens: int, pad_id: int, threads: int = 1
) -> Prepared:
    """Tokenise passages, find their entities, and group them by length so that little is padded.

    A group has at most `group_tokens` tokens, padding counted, unless a single text is longer; fewer where `threads`
    would have nothing to do otherwise. Entities that a text names by the same words share one mention.
    """
    mentions: list[tuple[int | None, ...]] = []
    rows: list[Encoded | None] = []
    for encoded in tokeniser.encode_passages(passages):
        numbers, row = _number(encoded) if encoded else ((), None)
        mentions.append(numbers)
        rows.append(row)
    tokens = sum(len(row.ids) for row in rows if row)
    bound = min(group_tokens, max(LEAST_TOKENS, -(-tokens // threads)))
    groups: list[Group] = []
    for places in by_length([row.ids if row else None for row in rows], bound):
        groups += _cut(places, [row for place in places if (row := rows[place])], pad_id)
    return Prepared(list(passages), mentions, groups)


def _number(encoded: Encoded) -> tuple[tuple[int | None, ...], Encoded]:
    numbers: dict[bytes, int] = {}
    named = tuple(numbers.setdefault(span.tobytes(), len(numbers)) if span.size else None for span in encoded.spans)
    spans = tuple(np.frombuffer(span, dtype=np.int64) for span in numbers)
    return named, Encoded(encoded.ids, spans)


def _cut(places: list[int], rows: Sequence[Encoded], pad_id: int) -> Iterator[Group]:
    """One group, and more of the rows that have more mentions than fit one pass."""
    first = 0
    while rows:
        ids, mask = pad([row.ids for row in rows], pad_id)
        now = [Encoded(row.ids, row.spans[first : first + MENTIONS_PER_PASS]) for row in rows]
        yield Group(places, ids, mask, span_weights(now, ids.shape[1]))
        first += MENTIONS_PER_PASS
        more = [number for number, row in enumerate(rows) if len(row.spans) > first]
        places, rows = [places[number] for number in more], [rows[number] for number in more]
