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
    Acknowledgement,
    Alert,
    AlertState,
    ChartPoint,
    Delivery,
    Evidence,
    Measure,
    NewTerm,
    NotificationReason,
    Severity,
    Silence,
    Spike,
    TopPost,
)
from bearometer.errors import Failed, Unavailable
from bearometer.mention import Mention, SeenMention
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


def rich_alert() -> Alert:
    """An alert with everything that one can have."""
    peak = Spike("ACME", NOON - HOUR, NOON, 15, 0.1, 1e-9, 12, Measure.SHARE, 20, 1 / 9)
    evidence = Evidence(
        top_posts=(TopPost("test:1", "It fell", NOON, 1.0, 2, words=("fell",), source="wire", roles=("first",)),),
        chart=(ChartPoint(NOON, 15, 0.0, 2.5),),
        models=("m1",),
        mentions=33,
        sources=(("wire", 30), ("\u2028", 3)),
        authors=(("ann", 9),),
        topics=(("Earnings", 12),),
        new_terms=(NewTerm("recall", 8, 0.25),),
    )
    return replace(
        alert("rich", AlertState.ACKNOWLEDGED),
        peak=peak,
        evidence=evidence,
        severity=Severity.CRITICAL,
        acknowledged=Acknowledgement("ann", NOON + HOUR, "calling them"),
        told=replace(peak, negative=9),
        told_at=NOON,
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
    assert [(seen.post_id, seen.symbol, seen.negative) for seen in first.mentions] == [
        ("test:2", "ACME", True),
        ("test:3", "ACME", False),
        ("test:4", "ACME", True),
        ("test:4", "ZETA", True),
    ]
    assert (first.mentions[0].fingerprint, first.mentions[0].author) == ("f0", "ann")
    assert lease.poll(NOON, 60).mentions == ()

    late = scored("5", published_at=NOON - HOUR)
    posts.save([late, scored("2")], [])
    assert [seen.post_id for seen in lease.poll(NOON, 60).mentions] == ["test:5"]
    assert lease.poll(NOON, 60).mentions == ()


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
        seen.append([mention.post_id for mention in lease.poll(NOON, 60).mentions])

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
            seen += [mention.post_id for mention in lease.poll(NOON, 60).mentions]
        for job in jobs:
            job.result()
    seen += [mention.post_id for mention in lease.poll(NOON, 60).mentions]

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

    assert [(seen.symbol, seen.negative) for seen in lease.poll(NOON, 60).mentions] == [("ACME", False), ("ZETA", True)]
    assert lease.evidence("ZETA", NOON, NOON + HOUR).mentions == 1
    assert lease.evidence("ACME", NOON, NOON + HOUR).mentions == 0


def test_topics_and_the_market_are_not_polled_where_nobody_asks_for_them(
    posts: PostStore, lease: EvaluatorLease
) -> None:
    posts.save([scored("1", symbols=(), topics={"Earnings": 1.0}), scored("2", topics={"Earnings": 1.0})], [])

    assert [mention.symbol for mention in lease.poll(NOON, 60).mentions] == ["ACME"]


def test_an_alert_with_everything_comes_back_and_so_does_its_message(store: AlertStore, lease: EvaluatorLease) -> None:
    rich = rich_alert()
    told = replace(delivery(rich), others=(alert("a1"), alert("a2")), dropped=3)
    lease.commit(NOON, [rich], [told])

    assert store.alerts() == lease.recent_alerts(NOON + YEAR) == [rich]
    assert store.alerts(beginning="ri") == [rich]
    assert store.alerts(beginning="r_") == []
    with store.claim_delivery(NOON, EVERYBODY) as claimed:
        assert claimed is not None
        assert claimed.delivery == told

    plainer = replace(rich, acknowledged=None, told=None, told_at=None, state=AlertState.FIRING)
    lease.commit(NOON, [plainer], [])
    assert store.alerts() == [plainer]


def test_later_messages_get_the_first_receipt_of_the_same_alert_and_notifier(
    store: AlertStore, lease: EvaluatorLease
) -> None:
    reasons = (NotificationReason.FIRING, NotificationReason.ESCALATED, NotificationReason.RESOLVED)
    mine = [delivery(alert(), reason=reason) for reason in reasons]
    lease.commit(NOON, [alert(), alert("a2")], [*mine, delivery(alert(), "email"), delivery(alert("a2"))])

    threads: dict[str, list[str | None]] = {}
    receipts = {"a1:firing:slack": None, "a1:escalated:slack": "17\0" + "x" * 600}
    for _ in range(5):
        with store.claim_delivery(NOON, EVERYBODY) as claimed:
            assert claimed is not None
            one = claimed.delivery
            threads.setdefault(f"{one.alert.id} {one.notifier}", []).append(one.thread)
            claimed.sent(NOON, receipts.get(one.id, "another"))

    assert threads == {"a1 slack": [None, None, "17" + "x" * 498], "a1 email": [None], "a2 slack": [None]}
    assert [message.receipt for message in store.messages_of("a2")] == ["another"]


def test_what_a_cap_drops_is_not_sent_and_the_next_message_says_how_many(
    store: AlertStore, lease: EvaluatorLease
) -> None:
    first, second = alert(), alert("a2")
    dropped = [
        delivery(second),
        delivery(first, reason=NotificationReason.ESCALATED),
        delivery(second, "email"),
    ]
    lease.commit(NOON, [first, second], [delivery(first)], dropped=dropped)
    lease.commit(NOON, [second], [], dropped=[delivery(second), delivery(second, reason=NotificationReason.REPEATED)])
    ended = [delivery(first, reason=NotificationReason.RESOLVED), delivery(second, reason=NotificationReason.RESOLVED)]
    lease.commit(NOON, [first], ended)

    told = []
    for _ in range(3):
        with store.claim_delivery(NOON, EVERYBODY) as claimed:
            assert claimed is not None
            told.append((claimed.delivery.id, claimed.delivery.dropped))
            claimed.sent(NOON)

    assert told == [("a1:firing:slack", 0), ("a1:resolved:slack", 3), ("a2:resolved:slack", 0)]
    assert store.waiting_deliveries() == 0
    assert [(each.reason, each.status, each.dropped) for each in store.messages_of("a1")] == [
        ("firing", "sent", 0),
        ("escalated", "dropped", 0),
        ("resolved", "sent", 3),
    ]


def test_messages_are_counted_for_the_cap_by_the_time_of_what_they_tell(lease: EvaluatorLease) -> None:
    resolved = alert(state=AlertState.RESOLVED)
    told = replace(alert("a2", started_at=NOON - YEAR), told_at=NOON)
    taken = replace(alert("a3", started_at=NOON - YEAR), acknowledged=Acknowledgement("ann", NOON))
    late = replace(alert("a4", AlertState.RESOLVED, NOON - YEAR), told_at=NOON)
    lease.commit(
        NOON,
        [resolved, told, taken, late],
        [
            delivery(resolved),
            delivery(resolved, reason=NotificationReason.RESOLVED),
            delivery(told, "email", NotificationReason.REPEATED),
            delivery(taken, "email", NotificationReason.ACKNOWLEDGED),
            delivery(late, "email", NotificationReason.RESOLVED),
        ],
        dropped=[delivery(resolved, "email")],
    )

    assert lease.sent_since(NOON) == {"slack": 2, "email": 3}
    assert lease.sent_since(NOON + HOUR) == {"slack": 1}
    assert lease.sent_since(NOON + 2 * HOUR) == {}


def test_who_was_told_of_an_alert_is_known_from_messages_of_its_own_and_of_groups(lease: EvaluatorLease) -> None:
    group = replace(delivery(alert("a1")), others=(alert("a2"), alert("a3")))
    lease.commit(
        NOON,
        [alert("a1"), alert("a2"), alert("a4")],
        [group, delivery(alert("a2"), "email", NotificationReason.ESCALATED)],
        dropped=[delivery(alert("a1"), "email"), delivery(alert("a4"))],
    )

    told = lease.told_to(["a1", "a2", "a4", "nobody"])
    assert told == {"a1": {"slack"}, "a2": {"slack", "email"}}
    assert lease.told_to(["a3"]) == {"a3": {"slack"}}
    assert lease.told_to([]) == {}


def test_messages_that_were_given_up_are_listed_and_can_be_sent_again(store: AlertStore, lease: EvaluatorLease) -> None:
    lease.commit(NOON, [alert()], [delivery(alert(), name) for name in ("slack", "email", "teams")])
    for name in ("slack", "email"):
        with store.claim_delivery(NOON, [name]) as claimed:
            assert claimed is not None
            claimed.failed(f"{name} is gone", None)

    failed = store.failed_deliveries(10)
    assert [(each.id, each.notifier, each.reason, each.attempts, each.error) for each in failed] == [
        ("a1:firing:email", "email", "firing", 1, "email is gone"),
        ("a1:firing:slack", "slack", "firing", 1, "slack is gone"),
    ]
    assert [each.notifier for each in store.failed_deliveries(1)] == ["email"]

    again = ["a1:firing:email", "a1:firing:teams", "nothing"]
    assert store.resend(again, NOON + HOUR) == 1
    assert store.resend(again, NOON + HOUR) == store.resend([], NOON) == 0
    with store.claim_delivery(NOON, ["email"]) as claimed:
        assert claimed is None
    with store.claim_delivery(NOON + HOUR, ["email"]) as claimed:
        assert claimed is not None
        assert claimed.delivery.attempts == 0
        claimed.sent(NOON + HOUR)
    assert [each.notifier for each in store.failed_deliveries(10)] == ["slack"]


def test_what_people_ask_for_waits_in_order_until_a_commit_has_applied_it(
    store: AlertStore, lease: EvaluatorLease
) -> None:
    lease.commit(NOON, [alert()], [])
    first = store.request("a1", "acknowledge", "ann", "calling them")
    second = store.request("a1", "resolve", "bob", "")

    asked = lease.waiting_actions()
    assert [(each.number, each.alert_id, each.action, each.who, each.comment) for each in asked] == [
        (first, "a1", "acknowledge", "ann", "calling them"),
        (second, "a1", "resolve", "bob", ""),
    ]
    assert store.waiting_actions() == asked
    with pytest.raises(Exception, match="alert_id"):
        lease.commit(NOON, [], [delivery(alert("nobody"))], applied=[first])
    assert not store.is_applied(first)

    lease.commit(NOON, [], [], applied=[first])
    assert store.is_applied(first)
    assert [each.number for each in lease.waiting_actions()] == [second]
    lease.commit(NOON, [], [], applied=[first, second])
    assert lease.waiting_actions() == []

    with pytest.raises(Failed, match="there is no alert 'nobody'"):
        store.request("nobody", "resolve", "bob", "")


def test_a_silence_is_kept_once_and_ends_when_it_is_told_to(store: AlertStore) -> None:
    silence = Silence("k7m2p", "AC*", "*", "ann", "known", NOON, NOON + 2 * HOUR)
    later = replace(silence, id="later", starts_at=NOON + HOUR, ends_at=NOON + 3 * HOUR)
    for _ in range(2):
        store.add_silence(silence)
    store.add_silence(later)
    with pytest.raises(Failed, match="another silence has the id 'k7m2p'"):
        store.add_silence(replace(silence, reason="another"))

    assert store.silences(None) == store.silences(NOON) == [silence, later]
    assert store.silences(NOON + 2 * HOUR) == [later]
    assert store.expire_silence("k7m2p", NOON + HOUR)
    assert not store.expire_silence("k7m2p", NOON + HOUR)
    assert not store.expire_silence("nobody", NOON)
    assert store.silences(None) == [replace(silence, ends_at=NOON + HOUR), later]

    assert store.expire_silence("later", NOON)
    assert not store.expire_silence("later", NOON)
    assert [each.id for each in store.silences(NOON)] == ["k7m2p"]
    assert replace(later, ends_at=later.starts_at) in store.silences(None)


def test_the_evaluator_reads_the_silences_that_its_event_time_has_not_passed(
    store: AlertStore, lease: EvaluatorLease
) -> None:
    silence = Silence("k7m2p", "ACME", "*", "ann", "known", NOON, NOON + HOUR)
    store.add_silence(silence)

    assert lease.silences() == [silence], "nothing was evaluated yet"
    lease.commit(NOON - YEAR, [], [])
    assert lease.silences() == [silence]
    lease.commit(NOON + HOUR, [], [])
    assert lease.silences() == []


def test_a_poll_gives_whole_posts_where_they_are_asked_for(
    posts: PostStore, lease: EvaluatorLease
) -> None:
    mixed = (Mention("ACME", GOOD), Mention("ZETA", BAD))
    posts.save(
        [
            scored("1", published_at=NOON - YEAR),
            replace(scored("2", symbols=("ACME", "ZETA"), sentiment=BAD), mentions=mixed),
            scored("3", symbols=(), sentiment=CALM, topics={}, author=None, fingerprint="f3"),
        ],
        [],
    )

    first = lease.poll(NOON, 60, whole_posts=True)
    assert [(each.post_id, each.symbol, each.negative) for each in first.mentions] == [
        ("test:2", "#sales", True),
        ("test:2", "*", True),
        ("test:2", "ACME", False),
        ("test:2", "ZETA", True),
        ("test:3", "*", False),
    ]
    assert first.mentions[-1] == SeenMention("*", "test:3", NOON, "f3", None, "test", False)

    posts.save([scored("2"), scored("4", sentiment=GOOD, topics={}), scored("5", published_at=NOON - HOUR)], [])
    second = lease.poll(NOON, 60)
    assert [(each.post_id, each.symbol, each.source) for each in second.mentions] == [
        ("test:5", "ACME", "test"),
        ("test:4", "ACME", "test"),
    ]
    assert lease.poll(NOON, 60, whole_posts=True).mentions == ()


def test_the_server_looks_whether_who_has_the_lease_is_still_there(lease: EvaluatorLease) -> None:
    with lease.transaction() as connection:
        assert connection.execute(text("SHOW client_connection_check_interval")).scalar_one() == "2s"


def test_the_end_of_an_alert_waits_for_the_message_about_many_that_told_its_beginning(
    store: AlertStore, lease: EvaluatorLease
) -> None:
    group = replace(delivery(alert("a1")), others=(alert("a2"),))
    lease.commit(NOON, [alert("a1"), alert("a2")], [group])
    lease.commit(NOON, [], [delivery(alert("a2"), reason=NotificationReason.RESOLVED)])
    with store.claim_delivery(NOON, ["slack"]) as claimed:
        assert claimed is not None and claimed.delivery.id == group.id
        with store.claim_delivery(NOON, ["slack"]) as other:
            assert other is None
        claimed.failed("busy", NOON + HOUR)
    with store.claim_delivery(NOON, ["slack"]) as claimed:
        assert claimed is None


def test_what_an_older_version_told_counts_as_told(lease: EvaluatorLease, engine: Engine) -> None:
    old, untold = replace(alert("old"), told_at=None), replace(alert("untold"), told_at=None)
    lease.commit(NOON, [old, untold], [delivery(old)])
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET event_at = NULL"))
    known = {each.id: each for each in lease.recent_alerts(NOON)}
    assert (known["old"].told_at, known["old"].told) == (old.fired_at, old.peak)
    assert known["untold"].told_at is None


def test_a_beginning_that_was_given_up_is_not_sent_again_after_the_end(
    store: AlertStore, lease: EvaluatorLease
) -> None:
    beginning, end = delivery(alert()), delivery(alert(), reason=NotificationReason.RESOLVED)
    lease.commit(NOON, [alert()], [beginning, end])
    with store.claim_delivery(NOON, ["slack"]) as claimed:
        assert claimed is not None
        claimed.failed("no such channel", None)
    assert store.resend([end.id], NOON) == 0
    with store.claim_delivery(NOON, ["slack"]) as claimed:
        assert claimed is not None and claimed.delivery.id == end.id
        claimed.sent(NOON)
    assert store.resend([beginning.id], NOON) == 0
    assert [each.id for each in store.failed_deliveries(10)] == [beginning.id]
