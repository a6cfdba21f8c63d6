"""What texts look like in numbers: scores, lengths, words and topics. The texts themselves are not kept."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import TypeAdapter

from bearometer.errors import Misconfigured
from model.text import clean
from model.tokenise import Tokeniser

__all__ = ["PROFILE_FILE", "Profile", "Survey"]

PROFILE_FILE = "profile.json"

SCORE_BINS = 10
LENGTH_BINS = 10
TOKENS = 300
"""So many of the likeliest tokens are counted one by one; with more, chance drowns what a hundred texts say."""
RARE_BELOW = 3
"""A token seen less often in the reference is rare."""
SHORTEST_WORD = 3
"""Shorter tokens are pieces of words, or tell nothing."""
UNKNOWN = ("[UNK]", "<unk>")
"""What a tokenizer writes for characters that it does not know."""


class Survey:
    """Counts over texts, added batch by batch; what it keeps does not tell the texts."""

    def __init__(self, tokeniser: Tokeniser) -> None:
        self._tokenizer = tokeniser.tokenizer
        self._tokeniser = tokeniser
        self._counts = np.zeros(self._tokenizer.get_vocab_size(), dtype=np.int64)
        self._scores: list[float] = []
        self._lengths: list[int] = []
        self.topics: Counter[str] = Counter()
        """Texts by their likeliest topic, as far as a model has named one."""

    @property
    def texts(self) -> int:
        """How many texts were read."""
        return len(self._lengths)

    @property
    def judged(self) -> int:
        """Of how many texts what a model said was counted."""
        return len(self._scores)

    @property
    def mean_score(self) -> float:
        """Mean of positive minus negative over the judged texts; 0 when there are none."""
        return float(np.mean(self._scores)) if self._scores else 0.0

    @property
    def median_length(self) -> int:
        """Half of the texts have up to so many characters."""
        return int(np.median(self._lengths)) if self._lengths else 0

    def read(self, texts: Sequence[str]) -> None:
        """Count lengths (of the cleaned texts, in characters) and tokens (the model's own marks left out)."""
        self._lengths += [len(clean(text)) for text in texts]
        for encoded in self._tokeniser.encode(texts):
            if encoded is not None:
                np.add.at(self._counts, encoded[1:-1], 1)

    def judge(self, score: float, topic: str | None) -> None:
        """Count what a model said of one text: positive minus negative, and the likeliest topic."""
        self._scores.append(score)
        if topic is not None:
            self.topics[topic] += 1

    def score_counts(self) -> list[int]:
        """Texts by score, from -1 to 1 in bins of equal width."""
        counts, _ = np.histogram(np.clip(self._scores, -1, 1), bins=SCORE_BINS, range=(-1, 1))
        return [int(count) for count in counts]

    def length_counts(self, edges: Sequence[int]) -> list[int]:
        """Texts by length, between the edges and outside of them."""
        counts = [0] * (len(edges) + 1)
        for length in self._lengths:
            counts[bisect_right(edges, length)] += 1
        return counts

    def length_edges(self) -> tuple[int, ...]:
        """Edges between which lie equally many texts each, as nearly as whole characters allow."""
        shares = np.linspace(0, 1, LENGTH_BINS + 1)[1:-1]
        return tuple(sorted({int(edge) for edge in np.quantile(self._lengths, shares)}))

    def token_counts(self, tokens: Sequence[int]) -> tuple[list[int], int]:
        """How often each of these tokens was seen, and all others together."""
        counts = [int(self._counts[token]) for token in tokens]
        return counts, int(self._counts.sum()) - sum(counts)

    def common_tokens(self) -> list[int]:
        """The likeliest tokens, the likeliest first."""
        order = np.argsort(-self._counts, kind="stable")[:TOKENS]
        return [int(token) for token in order if self._counts[token]]

    def known_tokens(self) -> npt.NDArray[np.bool_]:
        """For each token of the vocabulary, whether it was seen often enough; the one for the unknown never is."""
        known: npt.NDArray[np.bool_] = self._counts >= RARE_BELOW
        for mark in UNKNOWN:
            if (token := self._tokenizer.token_to_id(mark)) is not None:
                known[token] = False
        return known

    def rare(self, profile: Profile) -> int:
        """How many tokens were read that are rare in the profile; a character that no token holds is one of them."""
        return int(self._counts[~profile.known_tokens(len(self._counts))].sum())

    def risen(self, profile: Profile, limit: int) -> list[str]:
        """The words whose share has grown most since the profile; of one not counted singly, at least so much."""
        before = np.full(len(self._counts), min(profile.token_counts, default=0), dtype=np.float64)
        before[list(profile.tokens)] = profile.token_counts
        gains = self._counts / max(1, self._counts.sum()) - before / max(1, profile.all_tokens)
        words: list[str] = []
        for token in np.argsort(-gains, kind="stable"):
            if len(words) == limit or gains[token] <= 0:
                break
            word = str(self._tokenizer.id_to_token(int(token)))
            if len(word) >= SHORTEST_WORD and word.isalpha():
                words.append(word)
        return words

    def profile(self, model: str, tokenizer: str) -> Profile:
        """Everything as it stands now; there must be texts."""
        tokens = self.common_tokens()
        counts, other = self.token_counts(tokens)
        edges = self.length_edges()
        known = self.known_tokens()
        return Profile(
            model=model,
            tokenizer=tokenizer,
            texts=self.texts,
            mean_score=self.mean_score,
            scores=tuple(self.score_counts()),
            median_length=self.median_length,
            length_edges=edges,
            lengths=tuple(self.length_counts(edges)),
            topics=dict(sorted(self.topics.items())),
            tokens=tuple(tokens),
            token_counts=tuple(counts),
            other_tokens=other,
            rare_tokens=int(self._counts[~known].sum()),
            known=base64.b64encode(np.packbits(known).tobytes()).decode(),
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """The counts that recent texts are compared with; stored beside the weights."""

    model: str
    """Version of the model that judged the texts."""
    tokenizer: str
    """Digest of the tokenizer whose tokens were counted."""
    texts: int
    mean_score: float
    scores: tuple[int, ...]
    median_length: int
    length_edges: tuple[int, ...]
    lengths: tuple[int, ...]
    topics: Mapping[str, int]
    tokens: tuple[int, ...]
    token_counts: tuple[int, ...]
    other_tokens: int
    rare_tokens: int
    known: str
    """A bit for each token of the vocabulary, in base64: whether it is not rare."""

    @classmethod
    def open(cls, path: Path, tokenizer: str) -> Profile:
        """Read one; Misconfigured when there is none, it is damaged, or it was made with another tokenizer."""
        again = "make it with `bearometer drift --profile-of`"
        try:
            profile = TypeAdapter(cls).validate_json(path.read_bytes())
            base64.b64decode(profile.known, validate=True)
            if profile.texts < 1 or len(profile.lengths) != len(profile.length_edges) + 1:
                message = "its counts do not fit together"
                raise ValueError(message)
        except OSError:
            message = f"there is no profile of the training data at {path}: {again}"
            raise Misconfigured(message) from None
        except ValueError as error:  # pydantic's and base64's are of this kind
            message = f"the profile {path} cannot be used ({str(error).splitlines()[0]}): {again}"
            raise Misconfigured(message) from None
        if profile.tokenizer != tokenizer:
            message = f"the profile {path} was made with another tokenizer: {again}"
            raise Misconfigured(message)
        return profile

    def save(self, path: Path) -> None:
        """Write it, whole or not at all; Misconfigured when the folder takes no files."""
        new = path.with_suffix(".new")
        try:
            new.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE))
            new.replace(path)
        except OSError as error:
            message = f"the profile {path} cannot be written: {error.strerror}"
            raise Misconfigured(message) from None

    @property
    def all_tokens(self) -> int:
        """How many tokens were counted."""
        return sum(self.token_counts) + self.other_tokens

    def known_tokens(self, size: int) -> npt.NDArray[np.bool_]:
        """For each token of a vocabulary of this size, whether it is not rare."""
        bits = np.frombuffer(base64.b64decode(self.known), dtype=np.uint8)
        known: npt.NDArray[np.bool_] = np.unpackbits(bits, count=size).astype(bool)
        return known
