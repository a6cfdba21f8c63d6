"""What to ask people about the model's answers, and what they said."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import orjson
from sqlalchemy import Engine

from bearometer.correction import Correction, Criterion
from bearometer.mention import Scored
from storage.failures import translated_errors
from storage.feedback_statements import CORRECTIONS, DOUBTS, QUESTIONS, SAVE, WITHDRAW
from storage.post_statements import NO_TIMEOUT
from storage.posts import PostStore

__all__ = ["FeedbackStore", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """A stored post that somebody should look at; of several with one text, the first that said it (of that symbol)."""

    scored: Scored
    criterion: Criterion
    doubt: float
    """From 0, no doubt, to 1."""
    detail: str | None
    """What it is about: the mention's symbol, the labels of the repeats, what the candidate says."""


class FeedbackStore:
    """The labels that people have given. Safe to share between threads.

    Every method raises Transient or Unavailable when the same call may succeed later.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._posts = PostStore(engine)

    def save(self, corrections: Sequence[Correction]) -> int:
        """Add to what is known, in one transaction; gives how many were new or said something else than before.

        There is one word of each person on each text or entity: the last of them. A label or a topic that is missing
        changes nothing, so the same corrections again change nothing, not even the time.
        """
        said: dict[tuple[str, str, str], Correction] = {}
        for one in corrections:
            before = said.setdefault((one.post_id, one.symbol, one.who), one)
            added = replace(one, label=one.label or before.label, topic=one.topic or before.topic)
            said[one.post_id, one.symbol, one.who] = added
        rows = orjson.dumps([_row(one) for one in said.values()]).decode()
        with translated_errors(self._engine), self._engine.begin() as connection:
            return len(connection.execute(SAVE, {"rows": rows}).all())

    def withdraw(self, post_id: str, who: str) -> None:
        """Forget all that somebody said of a post."""
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(WITHDRAW, {"post_id": post_id, "who": who})

    def corrections(self) -> list[Correction]:
        """Everything that was said, the oldest first; posts at which somebody only looked are left out."""
        with translated_errors(self._engine), self._engine.connect() as connection:
            return [Correction(**row) for row in connection.execute(CORRECTIONS).mappings()]

    def questions(
        self, who: str, since: datetime, criteria: Sequence[Criterion], limit: int, symbol: str | None = None
    ) -> list[Question]:
        """The most doubtful texts stored at `since` or later that this person has not seen, by each criterion in turn.

        Each text stands once, for the criterion that named it first. Reads every post and mention of that time, however
        long that takes.
        """
        parameters = {"who": who, "since": since, "limit": limit, "symbol": symbol}
        with translated_errors(self._engine), self._engine.connect() as connection:
            connection.execute(NO_TIMEOUT)
            ranks = [(one, connection.execute(DOUBTS[one], parameters).all()) for one in criteria]
            chosen: dict[str, tuple[Criterion, float, str | None]] = {}
            for place in range(limit):
                for criterion, rows in ranks:
                    if place < len(rows) and len(chosen) < limit:
                        fingerprint, doubt, detail = rows[place]
                        chosen.setdefault(fingerprint, (criterion, float(doubt), detail))
            found = connection.execute(QUESTIONS, {"fingerprints": list(chosen), "since": since, "symbol": symbol})
            ids = dict(tuple(row) for row in found)
        posts = self._posts.find(list(ids.values()))
        return [
            Question(posts[ids[fingerprint]], *why)
            for fingerprint, why in chosen.items()
            if ids.get(fingerprint) in posts
        ]


def _row(correction: Correction) -> dict[str, str | None]:
    """The fields without NUL, which Postgres cannot hold."""
    return {
        name: value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
        for name, value in asdict(correction).items()
    }
