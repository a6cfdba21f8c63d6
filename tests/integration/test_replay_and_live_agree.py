"""A replay at 1,000 times the speed and the live feed find the same spikes.

What may differ between them is how much is known at each poll, and how far one partition is ahead of the other. What
does not differ is that everything up to the watermark is known: event time waits for the slower partition.
"""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine

from alerts.monitor import Advance, Monitor
from alerts.rules import SCALES, Rule, RuleSet, default_rules
from bearometer.alert import Alert, AlertState
from bearometer.mention import Scored, SeenMention
from bearometer.progress import Progress
from bearometer.settings import AlertSettings, PostgresSettings
from storage.database import connect
from storage.migrate import migrate
from storage.posts import PostStore
from tests.conditions import WaitUntil
from tests.integration.test_watch import Watch, alerts_of, deliveries_of
from tests.stored_samples import CALM, scored

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=15)
PAST_END = END + timedelta(seconds=1)
"""Event time that makes END a moment of which everything is known."""
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
STEP = timedelta(minutes=5)
PARTITIONS = (0, 1)
HISTORY_DAYS = 90

# symbol, when it begins (days after START), how long it lasts (hours), posts, different authors, different texts
Burst = tuple[str, float, float, int, int, int]

BURSTS: list[Burst] = [
    ("ACME", 10.5, 1, 25, 20, 15),
    ("BOLT", 11.2, 3, 60, 60, 1),  # a text that everybody repeats
    ("BOLT", 12.1, 2, 30, 20, 25),
    ("CORE", 12.5, 2, 60, 1, 60),  # an author who floods
    ("ACME", 12.9, 1, 30, 30, 30),
    ("CORE", 14.9, 1, 15, 15, 15),  # not over at the end
]


def story(bursts: Sequence[Burst], seed: int) -> list[Scored]:
    """Some complaints and some calm words about three companies over 15 days, and the bursts; in order of time."""
    source = random.Random(seed)
    told = [(symbol, source.uniform(0, 15), f"u{n}", f"f{n}") for n in range(15) for symbol in ("ACME", "BOLT", "CORE")]
    for number, (symbol, day, hours, count, authors, texts) in enumerate(bursts):
        told += [
            (symbol, day + source.uniform(0, hours / 24), f"b{number}-{n % authors}", f"f{100 * number + n % texts}")
            for n in range(count)
        ]
    posts = [
        scored(
            f"{number}",
            symbols=[symbol],
            sentiment=CALM if number % 7 == 3 else scored("bad").sentiment,
            published_at=START + timedelta(days=day),
            author=author,
            fingerprint=fingerprint,
            text=f"{symbol} remark {fingerprint}",
        )
        for number, (symbol, day, author, fingerprint) in enumerate(told)
    ]
    return sorted((s for s in posts if s.post.published_at < END), key=lambda s: s.post.published_at)


def of_partition(posts: Sequence[Scored], partition: int) -> list[Scored]:
    """Their messages' key is the fingerprint, so what repeats a text is in the text's partition."""
    return [s for s in posts if int(s.post.fingerprint[1:]) % len(PARTITIONS) == partition]


def mentions(posts: Sequence[Scored]) -> list[SeenMention]:
    return [
        SeenMention(
            m.symbol,
            s.post.id,
            s.post.published_at,
            s.post.fingerprint,
            s.post.author,
            s.post.source,
            m.sentiment.label == "negative",
        )
        for s in posts
        for m in s.mentions
    ]


# The monitor alone


bursts = st.tuples(
    st.sampled_from(["ACME", "BOLT", "CORE"]),
    st.floats(5, 14.9),
    st.floats(0.2, 6),
    st.integers(10, 40),
    st.integers(5, 40),
    st.integers(5, 40),
)
gaps_and_lags = st.tuples(st.integers(20, 720), st.integers(0, 300))
"""Minutes of event time since the poll before, and by how many minutes the slower partition is behind."""


@examples(max_examples=40, deadline=None)
@given(
    told=st.builds(story, st.lists(bursts, min_size=1, max_size=5), st.integers(0, 999)),
    between=st.lists(gaps_and_lags, min_size=1, max_size=50),
    scales=st.sampled_from([tuple(SCALES), ("1h", "24h"), ("1h",)]),
    pending_seconds=st.sampled_from([0, 1800]),
)
def test_in_whatever_polls_the_mentions_come_the_same_alerts_are_found(
    told: list[Scored], between: list[tuple[int, int]], scales: tuple[str, ...], pending_seconds: int
) -> None:
    rule = Rule("spike", scales=scales, pending_seconds=pending_seconds, cooldown_seconds=7200, clear_seconds=1800)
    rules = RuleSet((rule,))
    assert in_many_polls(rules, told, between) == in_one_poll(rules, told)


@pytest.mark.parametrize("between", [(5, 0), (5, 90), (7, 200), (290, 5), (1440, 1440)])
def test_a_story_with_spikes_is_told_the_same_in_whatever_polls(between: tuple[int, int]) -> None:
    rules, told = default_rules(AlertSettings()), story(BURSTS, seed=1)
    live = in_many_polls(rules, told, [between])
    assert live == in_one_poll(rules, told)
    assert [alert.symbol for alert in live] == ["ACME", "BOLT", "ACME", "CORE"]


def in_one_poll(rules: RuleSet, told: Sequence[Scored]) -> list[Alert]:
    """As a replay that is faster than the evaluator."""
    monitor = Monitor(rules, HISTORY_DAYS)
    monitor.add(mentions(told))
    return latest([monitor.advance(END)])


def in_many_polls(rules: RuleSet, told: Sequence[Scored], between: Sequence[tuple[int, int]]) -> list[Alert]:
    """As the live feed: each poll gives what either partition had since the poll before; `between` over and over."""
    monitor = Monitor(rules, HISTORY_DAYS)
    advances = []
    waiting = [deque(of_partition(told, partition)) for partition in PARTITIONS]
    now = slower = START - HOUR
    pace = cycle(between)
    while slower < END:
        gap, lag = next(pace)
        if now == END:
            slower = END
        else:
            now = min(now + gap * MINUTE, END)
            slower = max(slower, now - lag * MINUTE)
        for posts, until in zip(waiting, (now, slower), strict=True):
            monitor.add(mentions(read_until(posts, until)))
        advances.append(monitor.advance(slower))
    return latest(advances)


def read_until(posts: deque[Scored], until: datetime) -> list[Scored]:
    read = []
    while posts and posts[0].post.published_at <= until:
        read.append(posts.popleft())
    return read


def latest(advances: Sequence[Advance]) -> list[Alert]:
    """Each alert as it was in the end, in the order in which they started."""
    return list({alert.id: alert for advance in advances for alert in advance.alerts}.values())


# The evaluator on a real Postgres


@pytest.fixture
def live(database_url: str) -> Iterator[Engine]:
    engine = connect(PostgresSettings(url=SecretStr(database_url)))
    yield engine
    engine.dispose()


@pytest.fixture
def replayed(empty_database_url: str) -> Iterator[Engine]:
    engine = connect(PostgresSettings(url=SecretStr(empty_database_url)))
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_stored_little_by_little_gives_the_alerts_of_what_was_stored_before(
    live: Engine, replayed: Engine, wait_until: WaitUntil, seed: int
) -> None:
    told = story(BURSTS, seed)

    posts = PostStore(replayed)
    posts.save(told, [Progress("posts", p, len(of_partition(told, p)), PAST_END) for p in PARTITIONS])
    with Watch(replayed).running() as watch:
        wait_until(lambda: watch.has_reached(END))

    with Watch(live).running() as watch:
        for watermark in store_little_by_little(PostStore(live), told, random.Random(seed)):
            wait_until(partial(watch.has_reached, watermark - STEP))
    polls_with_news = sum(report.mentions > 0 for report in watch.reports)

    expected = alerts_of(replayed)
    assert sorted(a.symbol for a in expected) == ["ACME", "ACME", "BOLT", "CORE"]
    assert {a.state for a in expected} == {AlertState.RESOLVED, AlertState.FIRING}
    assert polls_with_news > 20
    assert [whole(a) for a in alerts_of(live)] == [whole(a) for a in expected]
    assert alerts_of(live) == expected
    assert deliveries_of(live) == deliveries_of(replayed)


def whole(alert: Alert) -> tuple[object, ...]:
    return alert.id, alert.peak, alert.started_at, alert.fired_at, alert.resolved_at


def store_little_by_little(posts: PostStore, told: Sequence[Scored], source: random.Random) -> Iterator[datetime]:
    """As the stream does it: batches of either partition, their progress with them; gives the watermark after each."""
    posts.expect_partitions("posts", len(PARTITIONS))
    waiting = [of_partition(told, partition) for partition in PARTITIONS]
    offsets, newest = [0, 0], [START - HOUR, START - HOUR]
    while any(waiting):
        partition = source.choice([p for p in PARTITIONS if waiting[p]])
        size = source.randint(1, 8)
        batch, waiting[partition] = waiting[partition][:size], waiting[partition][size:]
        offsets[partition] += len(batch)
        newest[partition] = batch[-1].post.published_at
        posts.save(batch, [Progress("posts", partition, offsets[partition], newest[partition])])
        if min(newest) > START:
            yield min(newest)
    posts.save([], [Progress("posts", partition, offsets[partition], PAST_END) for partition in PARTITIONS])
    yield END + STEP
