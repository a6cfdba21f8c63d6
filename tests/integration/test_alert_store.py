"""AlertStore and the evaluator's lease against a real Postgres."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from bearometer.alert import (
    Alert,
    AlertState,
    ChartPoint,
    Delivery,
    Evidence,
    NotificationReason,
    Spike,
    TopPost,
)
from bearometer.errors import Unavailable
from bearometer.mention import Mention
from bearometer.progress import Progress
from bearometer.settings import PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect
from storage.lease import EvaluatorLease
from storage.posts import PostStore
from tests.conditions import WaitUntil
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored

HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)
EVERYBODY = ("slack", "email")


@pytest.fixture
def posts(engine: Engine) -> PostStore:
    return PostStore(engine)


@pytest.fixture
def store(engine: Engine) -> AlertStore:
    return AlertStore(engine)


@pytest.fixture
def lease(store: AlertStore) -> Iterator[EvaluatorLease]:
    lease = store.acquire_lease()
    assert lease is not None
    yield lease
    lease.release()


def alert(id_: str = "a1", state: AlertState = AlertState.FIRING, started_at: datetime = NOON) -> Alert:
    return Alert(
        id=id_,
        rule="negative-24h",
        symbol="ACME",
        state=state,
        started_at=started_at,
        peak=Spike("ACME", NOON - HOUR, NOON, 15, 0.1, 1e-320, 12),
        fired_at=started_at,
        resolved_at=started_at + HOUR if state is AlertState.RESOLVED else None,
        quiet_since=None,
        evidence=Evidence(
            top_posts=(TopPost("test:1", "It <b>fell</b> 日本", NOON, 1.0, 2, None, None, "https://example.org"),),
            chart=(ChartPoint(NOON, 15, 0.0), ChartPoint(NOON + HOUR, 0, 1 / 3)),
            models=("m1", "m2"),
        ),
    )


def delivery(
    of: Alert, notifier: str = "slack", reason: NotificationReason = NotificationReason.FIRING, at: datetime = NOON
) -> Delivery:
    return Delivery(f"{of.id}:{reason}:{notifier}", of, reason, notifier, 0, at)


def test_an_alert_comes_back_exactly_as_it_was_given(store: AlertStore, lease: EvaluatorLease) -> None:
    bare = replace(alert("a2"), evidence=None, fired_at=None, state=AlertState.PENDING)
    lease.commit(NOON, [alert(), bare], [delivery(alert())])

    assert store.alerts() == [alert(), bare]
    assert lease.recent_alerts(NOON) == [alert(), bare]
    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is not None
        assert claimed.delivery == delivery(alert())


def test_a_later_commit_replaces_alerts_and_leaves_deliveries(store: AlertStore, lease: EvaluatorLease) -> None:
    assert lease.as_of() is None
    lease.commit(NOON, [alert()], [delivery(alert())])
    ended = replace(alert(), state=AlertState.RESOLVED, resolved_at=NOON + HOUR, evidence=None)
    lease.commit(NOON + HOUR, [ended], [delivery(ended, at=NOON + YEAR)])

    assert lease.as_of() == NOON + HOUR
    assert store.alerts() == [ended]
    assert store.waiting_deliveries() == 1
    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is not None
        assert claimed.delivery.alert == alert()


def test_a_commit_is_all_or_nothing(store: AlertStore, lease: EvaluatorLease) -> None:
    with pytest.raises(Exception, match="alert_id"):
        lease.commit(NOON, [alert()], [delivery(alert("nobody"))])

    assert lease.as_of() is None
    assert store.alerts() == []


def test_alerts_are_found_by_time_and_state(store: AlertStore, lease: EvaluatorLease) -> None:
    old = alert("old", AlertState.RESOLVED, NOON - YEAR)
    lease.commit(NOON, [old, alert("new")], [])

    assert store.alerts(since=NOON) == [alert("new")]
    assert store.alerts(until=NOON) == [old]
    assert store.alerts(states=[AlertState.RESOLVED]) == [old]
    assert lease.recent_alerts(NOON) == [alert("new")]
    assert lease.recent_alerts(NOON - YEAR) == [old, alert("new")]


def test_one_process_at_a_time_has_the_lease(store: AlertStore, database_url: str) -> None:
    first = store.acquire_lease()
    assert first is not None
    other = AlertStore(connect(PostgresSettings(url=SecretStr(database_url))))

    assert other.acquire_lease() is None
    assert store.acquire_lease() is None
    first.release()
    first.release()

    second = other.acquire_lease()
    assert second is not None
    with pytest.raises(Unavailable, match="lease"):
        first.commit(NOON, [], [])
    second.release()


def test_a_lease_whose_connection_was_lost_writes_nothing_more(
    store: AlertStore, lease: EvaluatorLease, engine: Engine, wait_until: WaitUntil
) -> None:
    lease.commit(NOON, [], [])
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                " WHERE locktype = 'advisory' AND datname = current_database()"
            )
        )
    successor = wait_until(store.acquire_lease, what="another gets the lease")
    assert successor is not None
    successor.commit(NOON + HOUR, [], [])

    for _ in range(2):
        with pytest.raises(Unavailable):
            lease.commit(NOON + 2 * HOUR, [alert()], [])

    assert successor.as_of() == NOON + HOUR
    successor.release()


def test_the_first_poll_gives_the_past_and_each_later_one_what_is_new(posts: PostStore, lease: EvaluatorLease) -> None:
    old = scored("1", published_at=NOON - YEAR)
    posts.save([old, scored("2"), scored("3", sentiment=CALM), scored("4", symbols=("ZETA", "ACME"))], [])

    first = lease.poll(NOON, 60)
    assert [(n.post_id, n.symbol) for n in first.negatives] == [
        ("test:2", "ACME"),
        ("test:4", "ACME"),
        ("test:4", "ZETA"),
    ]
    assert (first.negatives[0].fingerprint, first.negatives[0].author) == ("f0", "ann")
    assert lease.poll(NOON, 60).negatives == ()

    late = scored("5", published_at=NOON - HOUR)
    posts.save([late, scored("2")], [])
    assert [n.post_id for n in lease.poll(NOON, 60).negatives] == ["test:5"]
    assert lease.poll(NOON, 60).negatives == ()


@pytest.mark.parametrize("earlier_commits_first", [True, False])
def test_each_mention_is_polled_once_whichever_transaction_commits_first(
    earlier_commits_first: bool, posts: PostStore, lease: EvaluatorLease, engine: Engine
) -> None:
    posts.save([scored("0", sentiment=CALM)], [])
    lease.poll(NOON, 60)
    insert = text(
        "INSERT INTO mentions (post_id, symbol, published_at, position, source, fingerprint, negative, neutral,"
        " positive, label, model) VALUES (:id, 'ACME', :at, 0, 'test', :id, 1, 0, 0, 'negative', 'm')"
    )
    seen = []

    def poll() -> None:
        seen.append([negative.post_id for negative in lease.poll(NOON, 60).negatives])

    with engine.connect() as earlier, engine.connect() as later, engine.connect() as never:
        never.execute(insert, {"id": "rolled back", "at": NOON})
        earlier.execute(insert, {"id": "earlier", "at": NOON})
        later.execute(insert, {"id": "later", "at": NOON})
        poll()
        for connection in (earlier, later) if earlier_commits_first else (later, earlier):
            connection.commit()
            poll()
        never.rollback()
        poll()

    assert seen == [[], *([["earlier"], ["later"]] if earlier_commits_first else [["later"], ["earlier"]]), []]


def test_polls_beside_writing_workers_give_each_mention_once(
    posts: PostStore, lease: EvaluatorLease, engine: Engine
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lease.poll(NOON, 60)
    batch = [scored(str(n), published_at=NOON + timedelta(seconds=n)) for n in range(300)]

    def work(mine: list) -> None:  # type: ignore[type-arg]
        for at in range(0, len(mine), 5):
            posts.save(mine[at : at + 5], [])

    seen: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(work, batch[n::3]) for n in range(3)]
        while not all(job.done() for job in jobs):
            seen += [negative.post_id for negative in lease.poll(NOON, 60).negatives]
        for job in jobs:
            job.result()
    seen += [negative.post_id for negative in lease.poll(NOON, 60).negatives]

    assert sorted(seen) == sorted(one.post.id for one in batch)


def test_the_watermark_is_the_least_of_the_partitions_that_are_not_idle(
    posts: PostStore, lease: EvaluatorLease, engine: Engine
) -> None:
    assert lease.poll(NOON, 60).watermark is None
    posts.save([], [Progress("posts", 0, 1, NOON), Progress("posts", 1, 1, NOON + HOUR)])
    assert lease.poll(NOON, 60).watermark == NOON

    with engine.begin() as connection:
        connection.execute(
            text("UPDATE progress SET updated_at = updated_at - interval '1 minute' WHERE partition = 0")
        )
    assert lease.poll(NOON, 59).watermark == NOON + HOUR
    assert lease.poll(NOON, 61).watermark == NOON

    posts.save([], [Progress("posts", 2, 0, None)])
    assert lease.poll(NOON, 61).watermark is None, "a partition that has begun and seen no time yet"


def test_top_posts_are_distinct_texts_the_most_repeated_first(posts: PostStore, lease: EvaluatorLease) -> None:
    posts.save(
        [
            scored("1", fingerprint="said-by-three", author="a", followers=None),
            scored("2", fingerprint="said-by-three", author="b", followers=500),
            scored("3", fingerprint="said-by-three", author="c", followers=20),
            scored("4", fingerprint="loud", author="d", followers=10_000),
            scored("5", fingerprint="quiet", author="e", followers=None),
            scored("6", fingerprint="calm", author="f", sentiment=CALM),
            scored("7", fingerprint="other", author="g", symbols=("ZETA",)),
            scored("8", fingerprint="outside", author="h", published_at=NOON + HOUR),
        ],
        [],
    )

    top = lease.top_posts("ACME", NOON, NOON + HOUR, 5)

    assert [(post.id, post.repeats) for post in top] == [("test:2", 2), ("test:4", 0), ("test:5", 0)]
    assert top[0] == TopPost("test:2", "ACME lost a customer", NOON, BAD.negative, 2, "b", 500, "https://example.org/1")
    assert [post.id for post in lease.top_posts("ACME", NOON, NOON + HOUR, 1)] == ["test:2"]


def test_models_are_those_that_scored_the_window(posts: PostStore, lease: EvaluatorLease) -> None:
    posts.save(
        [scored("1", model="b"), scored("2", model="a", sentiment=CALM), scored("3", model="c", symbols=("ZETA",))], []
    )

    assert lease.models("ACME", NOON, NOON + HOUR) == ("a", "b")


def test_a_claimed_delivery_is_nobody_elses(store: AlertStore, lease: EvaluatorLease) -> None:
    lease.commit(NOON, [alert()], [delivery(alert(), "slack"), delivery(alert(), "email")])

    with (
        store.claim_delivery(NOON, EVERYBODY) as first,
        store.claim_delivery(NOON, EVERYBODY) as second,
        store.claim_delivery(NOON, EVERYBODY) as third,
    ):
        assert first is not None
        assert second is not None
        assert {first.delivery.notifier, second.delivery.notifier} == {"slack", "email"}
        assert third is None
        first.sent(NOON)

    assert store.waiting_deliveries() == 1


def test_a_message_to_others_is_neither_claimed_nor_counted(store: AlertStore, lease: EvaluatorLease) -> None:
    lease.commit(NOON, [alert()], [delivery(alert(), "email"), delivery(alert(), "slack")])

    with store.claim_delivery(NOON, ["slack"]) as claimed, store.claim_delivery(NOON, ["slack"]) as other:
        assert claimed is not None
        assert claimed.delivery.notifier == "slack"
        assert other is None
        claimed.sent(NOON)
    with store.claim_delivery(NOON, ()) as claimed:
        assert claimed is None

    assert store.waiting_deliveries(["slack"]) == store.waiting_deliveries([]) == 0
    assert store.waiting_deliveries(EVERYBODY) == store.waiting_deliveries() == 1
    assert store.waiting_by_notifier() == {"email": 1}


def test_a_failed_delivery_comes_again_at_its_time_with_its_attempts(
    store: AlertStore, lease: EvaluatorLease, engine: Engine
) -> None:
    lease.commit(NOON, [alert()], [delivery(alert())])
    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is not None
        claimed.failed("429 \0 slow down", NOON + HOUR)

    with store.claim_delivery(NOON + HOUR - timedelta(seconds=1), EVERYBODY) as claimed:
        assert claimed is None
    with store.claim_delivery(NOON + HOUR, EVERYBODY) as claimed:
        assert claimed is not None
        assert claimed.delivery.attempts == 1
        claimed.failed("gone", None)

    assert store.waiting_deliveries() == 0
    with engine.connect() as connection:
        row = connection.execute(text("SELECT status, attempts, last_error FROM deliveries")).one()
        shown = connection.execute(text("SELECT deliveries, last_error, top_post FROM alert_history")).one()
    assert tuple(row) == ("failed", 2, "gone")
    assert tuple(shown) == ("slack firing: failed", "gone", "It <b>fell</b> 日本")


def test_a_sender_that_raises_leaves_the_delivery_for_another(store: AlertStore, lease: EvaluatorLease) -> None:
    lease.commit(NOON, [alert()], [delivery(alert())])

    with pytest.raises(RuntimeError), store.claim_delivery(NOON, EVERYBODY):
        raise RuntimeError

    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is not None
        assert claimed.delivery.attempts == 0


def test_the_end_of_an_alert_is_not_told_before_its_beginning(store: AlertStore, lease: EvaluatorLease) -> None:
    lease.commit(NOON, [alert()], [delivery(alert())])
    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is not None
        claimed.failed("away", NOON + HOUR)
    ended = replace(alert(), state=AlertState.RESOLVED)
    lease.commit(NOON, [ended], [delivery(ended, reason=NotificationReason.RESOLVED), delivery(ended, "email")])

    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is not None
        assert claimed.delivery.notifier == "email"
        claimed.sent(NOON)
    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is None
    for reason in (NotificationReason.FIRING, NotificationReason.RESOLVED):
        with store.claim_delivery(NOON + HOUR, EVERYBODY) as claimed:
            assert claimed is not None
            assert claimed.delivery.reason is reason
            claimed.sent(NOON + HOUR)


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pydantic import SecretStr
from bearometer.settings import PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect

store = AlertStore(connect(PostgresSettings(url=SecretStr(sys.argv[1]))))
lease = store.acquire_lease()
with store.claim_delivery(datetime(2100, 1, 1, tzinfo=UTC), {"slack"}) as claimed:
    print(claimed is not None and lease is not None, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_frees_its_lease_and_its_delivery_at_once(
    store: AlertStore, database_url: str, wait_until: WaitUntil
) -> None:
    lease = store.acquire_lease()
    assert lease is not None
    lease.commit(NOON, [alert()], [delivery(alert())])
    lease.release()

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, database_url], capture_output=True, timeout=60, check=False, text=True
    )
    assert (killed.returncode, killed.stdout) == (-9, "True\n"), killed.stderr

    again = wait_until(store.acquire_lease, seconds=5, what="the lease is free")
    assert again is not None
    again.release()

    def claim() -> bool:
        with store.claim_delivery(datetime(2100, 1, 1, tzinfo=UTC), EVERYBODY) as claimed:
            return claimed is not None and claimed.delivery.attempts == 0

    wait_until(claim, seconds=5, what="the delivery is free")


def test_of_a_post_that_praises_one_company_and_blames_another_only_the_blamed_one_is_seen(
    posts: PostStore, lease: EvaluatorLease
) -> None:
    mentions = (Mention("ACME", GOOD), Mention("ZETA", BAD))
    posts.save([replace(scored("1", symbols=("ACME", "ZETA"), sentiment=BAD), mentions=mentions)], [])

    assert [mention.symbol for mention in lease.poll(NOON, 60).negatives] == ["ZETA"]
    assert [post.id for post in lease.top_posts("ZETA", NOON, NOON + HOUR, 5)] == ["test:1"]
    assert lease.top_posts("ACME", NOON, NOON + HOUR, 5) == ()


def test_topics_and_the_market_are_no_symbols_that_spikes_are_looked_for_in(
    posts: PostStore, lease: EvaluatorLease
) -> None:
    posts.save([scored("1", symbols=(), topics={"Earnings": 1.0}), scored("2", topics={"Earnings": 1.0})], [])

    assert [mention.symbol for mention in lease.poll(NOON, 60).negatives] == ["ACME"]
