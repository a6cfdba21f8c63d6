"""What storage/feedback.py says to Postgres."""

from sqlalchemy import TextClause, text

from bearometer.mention import WHOLE

__all__ = ["CORRECTIONS", "DOUBTS", "QUESTIONS", "RECENT", "SAVE", "WITHDRAW"]

# What is given adds to what the same person said before: what is left out stays. Keys are sorted, so that two who
# write the same rows wait for each other and never deadlock.
SAVE = text("""
INSERT INTO labels AS old (post_id, symbol, who, label, topic, text, fingerprint, model, model_label)
SELECT post_id, symbol, who, label, topic, text, fingerprint, model, model_label
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
    post_id text, symbol text, who text, label text, topic text, text text, fingerprint text, model text,
    model_label text)
ORDER BY post_id, symbol, who
ON CONFLICT (post_id, symbol, who) DO UPDATE SET
    label = coalesce(excluded.label, old.label),
    topic = coalesce(excluded.topic, old.topic),
    model = excluded.model,
    model_label = excluded.model_label,
    labelled_at = excluded.labelled_at
WHERE coalesce(excluded.label, old.label) IS DISTINCT FROM old.label
    OR coalesce(excluded.topic, old.topic) IS DISTINCT FROM old.topic
RETURNING 1
""")

WITHDRAW = text("DELETE FROM labels WHERE post_id = :post_id AND who = :who")

CORRECTIONS = text("""
SELECT post_id, symbol, who, label, topic, text, fingerprint, model, model_label FROM labels
WHERE label IS NOT NULL OR topic IS NOT NULL
ORDER BY labelled_at, post_id, symbol, who
""")

_ABOUT_SYMBOL = "(CAST(:symbol AS text) IS NULL OR CAST(:symbol AS text) = ANY(symbols))"

# Repeats of a text count once: it is put to people once, as the post that said it first (of the symbol).
QUESTIONS = text(f"""
SELECT DISTINCT ON (fingerprint) fingerprint, id FROM posts
WHERE fingerprint = ANY(:fingerprints) AND stored_at >= :since AND unscored IS NULL AND {_ABOUT_SYMBOL}
ORDER BY fingerprint, published_at, id
""")

RECENT = text("""
SELECT DISTINCT ON (fingerprint) text, positive - negative AS score, topic, model FROM posts
WHERE stored_at >= :since AND unscored IS NULL
ORDER BY fingerprint, published_at, id
LIMIT :limit
""")

# Shannon's entropy as a share of its greatest value, which is that of three equal parts.
_ENTROPY = """-(negative * ln(greatest(negative, CAST(1e-300 AS double precision)))
    + neutral * ln(greatest(neutral, CAST(1e-300 AS double precision)))
    + positive * ln(greatest(positive, CAST(1e-300 AS double precision)))) / ln(3)"""
# 1 less what the likeliest label is ahead of the second.
_MARGIN = """1 - 2 * greatest(negative, neutral, positive) - least(negative, neutral, positive)
    + negative + neutral + positive"""
# What a model said that is no longer the shadow is of no interest: it was promoted, or given up.
_SHADOW = "shadow_scores JOIN models ON models.version = shadow_scores.model AND models.state = 'shadow'"
# Total variation distance: 0 where two distributions are equal, 1 where they have nothing in common.
_DISTANCE = """(abs({0}.negative - {1}.negative) + abs({0}.neutral - {1}.neutral)
    + abs({0}.positive - {1}.positive)) / 2"""

_RECENT_POSTS = f"""
SELECT id, published_at, fingerprint, negative, neutral, positive, label FROM posts
WHERE stored_at >= :since AND unscored IS NULL AND {_ABOUT_SYMBOL}
"""
_RECENT_MENTIONS = """
SELECT mentions.*, posts.label AS text_label, ({distance}) AS distance
FROM mentions JOIN posts ON posts.published_at = mentions.published_at AND posts.id = mentions.post_id
WHERE in_text
"""

_UNSURE = """
SELECT fingerprint, {doubt} AS doubt, NULL AS detail FROM posts
UNION ALL SELECT fingerprint, {doubt}, symbol FROM named
"""


def _ranked(doubts: str) -> TextClause:
    """The most doubtful texts that the person has not been asked about."""
    named = _RECENT_MENTIONS.format(distance=_DISTANCE.format("mentions", "posts"))
    return text(f"""
WITH posts AS ({_RECENT_POSTS}), named AS ({named}), doubts AS ({doubts})
SELECT fingerprint, max(doubt) AS doubt, (array_agg(detail ORDER BY doubt DESC, detail))[1] AS detail FROM doubts
WHERE NOT EXISTS (SELECT FROM labels WHERE labels.who = :who AND labels.fingerprint = doubts.fingerprint)
GROUP BY fingerprint
ORDER BY doubt DESC, fingerprint
LIMIT :limit
""")


DOUBTS: dict[str, TextClause] = {
    "entropy": _ranked(_UNSURE.format(doubt=_ENTROPY)),
    "margin": _ranked(_UNSURE.format(doubt=_MARGIN)),
    "mentions": _ranked("SELECT fingerprint, distance AS doubt, symbol AS detail FROM named WHERE label <> text_label"),
    "repeats": _ranked("""
SELECT fingerprint, (max(positive - negative) - min(positive - negative)) / 2 AS doubt,
    string_agg(DISTINCT label, ', ' ORDER BY label) AS detail
FROM posts GROUP BY fingerprint HAVING count(DISTINCT label) > 1
"""),
    "shadow": _ranked(f"""
SELECT fingerprint, {_DISTANCE.format("shadow_scores", "posts")} AS doubt, shadow_scores.label AS detail
FROM {_SHADOW} JOIN posts ON posts.published_at = shadow_scores.published_at AND posts.id = shadow_scores.post_id
WHERE shadow_scores.symbol = '{WHOLE}' AND shadow_scores.label <> posts.label
UNION ALL
SELECT named.fingerprint, {_DISTANCE.format("shadow_scores", "named")}, named.symbol || ' ' || shadow_scores.label
FROM {_SHADOW} JOIN named USING (published_at, post_id, symbol)
WHERE shadow_scores.label <> named.label
"""),
}
"""Ways to choose what to ask people about, each with a doubt from 0 to 1 for a text, and what it is about."""
