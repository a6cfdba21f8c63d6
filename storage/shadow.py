"""What a shadow said of live posts, in a table of its own, and how far that is from what was stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, text
from sqlalchemy.dialects.postgresql import insert

from bearometer.mention import Label
from bearometer.registry import ShadowScore
from storage.failures import translated_errors
from storage.post_statements import NO_TIMEOUT
from storage.posts import clean_value
from storage.tables import shadow_scores

__all__ = ["Agreement", "Comparison", "Disagreement", "ShadowStore"]

# Of texts (`whole`) and of mentions: how often each pair of labels came.
PAIRS = text("""
SELECT symbol = '*' AS whole, label, shadow_label, count(*) AS answers, sum(shadow_score - score) AS shift,
    sum(abs(shadow_score - score)) AS moved, sum(distance) AS distance,
    count(*) FILTER (WHERE topic IS NOT NULL AND shadow_topic IS NOT NULL) AS topics,
    count(*) FILTER (WHERE topic = shadow_topic) AS same_topics
FROM shadow_comparison
WHERE shadow_model = :shadow AND (CAST(:model AS text) IS NULL OR model = :model)
  AND published_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
GROUP BY 1, 2, 3
""")

MODELS = text("""
SELECT DISTINCT model FROM shadow_comparison
WHERE shadow_model = :shadow AND published_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
ORDER BY model
""")

# Where they disagree most, each text once (spam would fill the list), but for what two decimals do not show. Ties by
# post, so that the list stays the same.
FURTHEST = text("""
WITH furthest AS (
    SELECT DISTINCT ON (posts.fingerprint, compared.symbol) compared.*, posts.text
    FROM shadow_comparison AS compared
    JOIN posts ON posts.published_at = compared.published_at AND posts.id = compared.post_id
    WHERE compared.shadow_model = :shadow AND (CAST(:model AS text) IS NULL OR compared.model = :model)
      AND compared.published_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
    ORDER BY posts.fingerprint, compared.symbol, compared.distance DESC, compared.post_id
)
SELECT * FROM furthest WHERE distance >= 0.005 ORDER BY distance DESC, post_id, symbol LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a shadow's answers lie beside the stored ones."""

    answers: int
    same: int
    """Answers with the same label."""
    shifts: dict[tuple[Label, Label], int]
    """(stored label, shadow's label) to how many."""
    mean_shift: float
    """Mean of the shadow's score minus the stored one, from -2 to 2; a score is positive minus negative."""
    mean_moved: float
    """Mean of the absolute difference of the scores."""
    mean_distance: float
    """Mean total variation distance of the probabilities, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One answer on which the two differ."""

    post_id: str
    published_at: datetime
    symbol: str
    text: str
    label: Label
    shadow_label: Label
    score: float
    shadow_score: float
    distance: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A shadow's answers beside what was stored of the same posts."""

    models: tuple[str, ...]
    """The versions that the stored answers are of."""
    posts: Agreement | None
    """Of whole posts; None when there are none."""
    mentions: Agreement | None
    topics: int
    """Posts to which both gave a topic."""
    same_topics: int
    furthest: tuple[Disagreement, ...]


class ShadowStore:
    """A shadow's scores: never in windows, never seen by alerts. Raises Transient or Unavailable as other stores."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, model: str, scores: Sequence[ShadowScore]) -> None:
        """Store what is not there yet; the same again changes nothing. What is unstorable is cleaned as in posts."""
        if not scores:
            return
        rows = [
            {
                "model": model,
                "published_at": score.published_at,
                "post_id": clean_value(score.post_id),
                "symbol": clean_value(score.symbol),
                "negative": score.sentiment.negative,
                "neutral": score.sentiment.neutral,
                "positive": score.sentiment.positive,
                "label": score.sentiment.label,
                "topic": clean_value(score.topic),
            }
            for score in scores
        ]
        rows.sort(key=lambda row: (row["published_at"], row["post_id"], row["symbol"]))
        statement = insert(shadow_scores).on_conflict_do_nothing()
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(statement, rows)

    def forget(self, model: str) -> int:
        """Remove all that a model said as a shadow; gives how many answers that were."""
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(NO_TIMEOUT)
            return connection.execute(delete(shadow_scores).where(shadow_scores.c.model == model)).rowcount

    def compare(
        self, shadow: str, against: str | None = None, since: datetime | None = None, limit: int = 5
    ) -> Comparison:
        """Put the shadow's answers beside the stored ones, of one version or of all, for posts published since then.

        `limit` is how many of the furthest answers are given at most, each text and symbol once.
        """
        chosen: dict[str, Any] = {"shadow": shadow, "model": against, "since": since}
        with translated_errors(self._engine), self._engine.connect() as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            connection.execute(NO_TIMEOUT)
            pairs = connection.execute(PAIRS, chosen).all()
            models = tuple(connection.execute(MODELS, {"shadow": shadow, "since": since}).scalars())
            rows = connection.execute(FURTHEST, {**chosen, "limit": limit}).all()
        return Comparison(
            models=(against,) if against else models,
            posts=_agreement([row for row in pairs if row.whole]),
            mentions=_agreement([row for row in pairs if not row.whole]),
            topics=sum(row.topics for row in pairs),
            same_topics=sum(row.same_topics for row in pairs),
            furthest=tuple(
                Disagreement(
                    post_id=row.post_id,
                    published_at=row.published_at.astimezone(UTC),
                    symbol=row.symbol,
                    text=row.text,
                    label=row.label,
                    shadow_label=row.shadow_label,
                    score=row.score,
                    shadow_score=row.shadow_score,
                    distance=row.distance,
                )
                for row in rows
            ),
        )


def _agreement(pairs: Sequence[Any]) -> Agreement | None:
    answers = sum(pair.answers for pair in pairs)
    if not answers:
        return None
    return Agreement(
        answers=answers,
        same=sum(pair.answers for pair in pairs if pair.label == pair.shadow_label),
        shifts={(pair.label, pair.shadow_label): pair.answers for pair in pairs},
        mean_shift=sum(pair.shift for pair in pairs) / answers,
        mean_moved=sum(pair.moved for pair in pairs) / answers,
        mean_distance=sum(pair.distance for pair in pairs) / answers,
    )
