"""Counts of mentions over time: buckets of a minute, and windows that are sums of buckets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bearometer.mention import Scored, Sentiment
from bearometer.post import MARKET, topic_key
from bearometer.weight import author_weight

__all__ = ["WINDOWS", "Bucket", "Window", "floor_minute", "name_buckets", "parse_window", "sum_buckets"]

WINDOWS: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was said of one symbol (or `*`, or on one topic, by its key) in one minute of event time.

    Distinct authors and stories are kept as sets, since a distinct count does not add up and a union does.
    A post without an author counts as an author of its own, and its fingerprint stands for a story that it lacks.
    All numbers are whole, so that they add up the same in any order.
    """

    symbol: str
    minute: datetime
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    score_micros: int = 0
    weight_millis: int = 0
    """The authors' weights (bearometer/weight.py), one for each post, in thousandths."""
    weighted_score_micros: int = 0
    """The scores, each times its author's weight, in millionths."""
    authors: frozenset[str] = frozenset()
    stories: frozenset[str] = frozenset()

    @classmethod
    def of(cls, symbol: str, scored: Scored, sentiment: Sentiment) -> "Bucket":
        """The bucket that holds this one post, which speaks of `symbol` with this sentiment."""
        post = scored.post
        weight_millis = round(author_weight(post.followers) * 1000)
        return cls(
            symbol=symbol,
            minute=floor_minute(post.published_at),
            negative=int(sentiment.label == "negative"),
            neutral=int(sentiment.label == "neutral"),
            positive=int(sentiment.label == "positive"),
            score_micros=sentiment.score_micros,
            weight_millis=weight_millis,
            weighted_score_micros=round(sentiment.score_micros * weight_millis / 1000),
            authors=frozenset((post.author or post.id,)),
            stories=frozenset((scored.story or post.fingerprint,)),
        )

    @property
    def posts(self) -> int:
        """All mentions, whatever their label."""
        return self.negative + self.neutral + self.positive


@dataclass(frozen=True, slots=True)
class Window:
    """The sum of a symbol's buckets with `start` <= minute < `end`.

    `posts` says how often something was said, repeats and all: its reach. `distinct_stories` says how many different
    things were said.
    """

    symbol: str
    start: datetime
    end: datetime
    negative: int
    neutral: int
    positive: int
    score_micros: int
    weight_millis: int
    weighted_score_micros: int
    distinct_authors: int
    distinct_stories: int

    @property
    def posts(self) -> int:
        """All mentions, whatever their label."""
        return self.negative + self.neutral + self.positive

    @property
    def mean_score(self) -> float | None:
        """Mean of positive - negative probability, from -1 to 1; None without posts."""
        return self.score_micros / self.posts / 1_000_000 if self.posts else None

    @property
    def weighted_score(self) -> float | None:
        """The mean score with each post weighed by its author's followers, from -1 to 1; only for who asks for it.

        None without weights: without posts, and where all were counted by a version that kept none. (In the day after
        an upgrade it is the mean of those that have one.)
        """
        return self.weighted_score_micros / self.weight_millis / 1000 if self.weight_millis else None


def floor_minute(moment: datetime) -> datetime:
    """The start of the minute that `moment` lies in, in UTC."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def name_buckets(scored: Scored) -> Iterator[tuple[str, Sentiment]]:
    """Whose buckets a post is counted in, and with which sentiment: each name once.

    Each symbol with the mention's sentiment; the likeliest topic, if the model knows topics, and MARKET with the
    post's own. Nobody's for spam: this is where windows leave it out, whoever counts them.
    """
    if scored.spam:
        return
    for mention in scored.mentions:
        yield mention.symbol, mention.sentiment
    if scored.topic is not None:
        yield topic_key(scored.topic), scored.sentiment
    yield MARKET, scored.sentiment


def parse_window(name: str) -> timedelta:
    """The length of a window by its name (`1m`, `5m`, `15m`, `1h`, `24h`); ValueError for any other."""
    if name not in WINDOWS:
        message = f"{name!r} is no window; it must be one of {', '.join(WINDOWS)}"
        raise ValueError(message)
    return WINDOWS[name]


def sum_buckets(symbol: str, start: datetime, end: datetime, buckets: Iterable[Bucket]) -> Window:
    """Add the buckets of `symbol` with `start` <= minute < `end`, in any order."""
    inside = [b for b in buckets if b.symbol == symbol and start <= b.minute < end]
    return Window(
        symbol=symbol,
        start=start,
        end=end,
        negative=sum(b.negative for b in inside),
        neutral=sum(b.neutral for b in inside),
        positive=sum(b.positive for b in inside),
        score_micros=sum(b.score_micros for b in inside),
        weight_millis=sum(b.weight_millis for b in inside),
        weighted_score_micros=sum(b.weighted_score_micros for b in inside),
        distinct_authors=len(frozenset[str]().union(*(b.authors for b in inside))),
        distinct_stories=len(frozenset[str]().union(*(b.stories for b in inside))),
    )
