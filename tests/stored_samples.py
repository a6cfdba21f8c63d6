"""Scored posts of our own making, for the tests of the stores."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bearometer.mention import Mention, Scored, Sentiment
from bearometer.post import Post

NOON = datetime(2024, 3, 31, 12, 0, tzinfo=UTC)
BAD = Sentiment(0.7, 0.2, 0.1)
CALM = Sentiment(0.1, 0.8, 0.1)
GOOD = Sentiment(0.05, 0.15, 0.8)
TOPICS = {"sales": 0.75, "law": 0.1}


def scored(
    id_: str,
    *,
    symbols: Sequence[str] = ("ACME",),
    sentiment: Sentiment = BAD,
    published_at: datetime = NOON,
    author: str | None = "ann",
    fingerprint: str = "f0",
    text: str = "ACME lost a customer",
    followers: int | None = 12,
    model: str = "test-1",
    topics: Mapping[str, float] = TOPICS,
    story: str = "",
    spam: Sequence[str] = (),
) -> Scored:
    return Scored(
        post=Post(
            id=f"test:{id_}",
            source="test",
            text=text,
            published_at=published_at,
            ingested_at=published_at + timedelta(seconds=2),
            fingerprint=fingerprint,
            symbols=tuple(symbols),
            author=author,
            followers=followers,
            url="https://example.org/1",
            links=("https://example.org/a", "https://example.org/b"),
            language="en",
            engagement=3,
        ),
        sentiment=sentiment,
        mentions=tuple(Mention(symbol, sentiment) for symbol in symbols),
        model=model,
        topics=topics,
        story=story,
        spam=tuple(spam),
    )
