"""A process that waits for the right to evaluate: it knows what is stored, says nothing, and goes on when it may."""

import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import orjson
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, inspect, text

from alerts.evaluator import Evaluator, Policy, WatchReport
from alerts.rules import Rule, RuleSet
from alerts.standby import Standby
from alerts.watch import open_evaluation
from bearometer.alert import Alert, AlertState
from bearometer.clock import SystemClock
from bearometer.embedded import Servers
from bearometer.errors import Unavailable
from bearometer.mention import Scored
from bearometer.settings import RedisSettings
from storage.alerts import AlertStore
from storage.forget import Whom, forget
from storage.forget_windows import ForgettingWindowStore
from storage.lease import take_lease
from storage.posts import PostStore
from storage.session import EVALUATOR_LOCK, LEASE_LOCK, EvaluatorSession
from tests.conditions import WaitUntil
from tests.integration import test_watch
from tests.integration.test_watch import CRASH, END, NOTIFIERS, RULES, Watch, alerts_of, deliveries_of, save
from tests.stored_samples import scored

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TWO = RuleSet(
    (
        Rule("spike", symbols=("ACME", "BOLT", "DONE"), false_alerts_per_symbol_year=0.05),
        Rule("slow", symbols=("SOON",), false_alerts_per_symbol_year=0.05, pending_seconds=2 * 3600),
    )
)
POLICY = Policy(RULES, TWO, NOTIFIERS)
OVER = CRASH + 70 * MINUTE
"""Whoever evaluates dies: of ACME an alert fires, of DONE one is over and cools down, of SOON one ripens."""

UNCOMMITTED = text(
    "INSERT INTO mentions (post_id, symbol, published_at, position, source, fingerprint, negative, neutral,"
    " positive, label, model) VALUES (:id, 'BOLT', :at, 0, 'test', :id, 1, 0, 0, 'negative', 'm')"
)
END_STANDBYS = text("""
SELECT count(pg_terminate_backend(pid)) FROM pg_locks AS known JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND objid = :known AND datname = current_database() AND NOT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = :lease AND pg_locks.pid = known.pid)
""")


def storm(symbol: str, begin: datetime, posts: int = 16) -> list[Scored]:
    return [
        scored(
            f"{symbol}-{begin:%d}-{n}",
            symbols=[symbol],
            published_at=begin + n * 3 * MINUTE,
            author=f"{symbol}{n}",
            fingerprint=f"{symbol}-{begin:%d}-{n}",
            text=f"{symbol} warns for the {n}. time",
        )
        for n in range(posts)
    ]


def history() -> list[Scored]:
    """Ten days of a few complaints, and storms; in order of time."""
    storms = [*storm("DONE", CRASH - 30 * HOUR), *storm("DONE", CRASH + 3 * HOUR), *storm("SOON", CRASH + 20 * MINUTE)]
    return sorted([*test_watch.history(), *storms], key=lambda s: s.post.published_at)


def late() -> list[Scored]:
    """What becomes known only after OVER, of a time before it."""
    return storm("BOLT", OVER - 50 * MINUTE, 12)


def after(moment: datetime) -> list[Scored]:
    return [s for s in history() if s.post.published_at > moment]


def until(moment: datetime) -> list[Scored]:
    return [s for s in history() if s.post.published_at <= moment]


@pytest.fixture
def session(store: AlertStore) -> Iterator[EvaluatorSession]:
    session = store.open_session()
    yield session
    session.close()


def evaluator_of(session: EvaluatorSession, standby: Standby) -> Evaluator:
    lease = take_lease(session)
    assert lease is not None
    return open_evaluation(lease, standby, POLICY, SystemClock(), threading.Event())


def look(standby: Standby) -> None:
    standby.look(threading.Event())


def everything_stored(engine: Engine) -> dict[str, list[bytes]]:
    """Every row of every table, and who wrote it."""
    with engine.connect() as connection:
        rows = {
            name: connection.execute(text(f'SELECT to_jsonb(t), xmin::text FROM "{name}" AS t')).all()
            for name in inspect(connection).get_table_names()
        }
    return {name: sorted(orjson.dumps(list(row)) for row in each) for name, each in rows.items()}


def story(engine: Engine, successor: str | None) -> tuple[WatchReport, list[Alert], list[Alert], list[object]]:
    """The last poll's report, the alerts at OVER, and at the end the alerts and messages.

    At OVER another process goes on, which was `warm` or `cold`.
    """
    with engine.begin() as connection:
        connection.execute(
            text("TRUNCATE evaluator, alerts, alert_actions, deliveries, posts, post_ids, mentions, progress")
        )
    store = AlertStore(engine)
    first, second = store.open_session(), store.open_session()
    evaluator, standby = evaluator_of(first, Standby(first, POLICY)), Standby(second, POLICY)
    save(engine, until(OVER - HOUR), OVER - HOUR)
    evaluator.poll(threading.Event())
    if successor == "warm":
        look(standby)
    save(engine, [s for s in after(OVER - HOUR) if s.post.published_at <= OVER], OVER)
    evaluator.poll(threading.Event())
    [firing] = store.alerts(states=[AlertState.FIRING])
    store.request(firing.id, "acknowledge", "ann", "I call them")
    assert evaluator.poll(threading.Event()).as_of == OVER
    then = store.alerts()
    with engine.connect() as slow:
        slow.execute(UNCOMMITTED, {"id": "slow", "at": OVER - 10 * MINUTE})
        if successor == "warm":
            look(standby)
            assert standby.known == len(until(OVER))
        save(engine, [*late(), *after(OVER)], END)
        slow.commit()
    if successor is not None:
        first.close()
        evaluator = evaluator_of(second, standby)
    report = evaluator.poll(threading.Event())
    first.close()
    second.close()
    return report, then, store.alerts(), list(deliveries_of(engine))


@pytest.mark.parametrize("successor", ["warm", "cold"])
def test_whoever_goes_on_tells_the_same_story(successor: str, engine: Engine) -> None:
    undisturbed = story(engine, None)
    report, then, alerts, deliveries = undisturbed
    assert {(a.symbol, a.state) for a in then} == {
        ("ACME", AlertState.ACKNOWLEDGED),
        ("DONE", AlertState.RESOLVED),
        ("SOON", AlertState.PENDING),
    }
    assert [a.symbol for a in alerts] == ["DONE", "ACME", "SOON", "BOLT"]
    assert {a.state for a in alerts} == {AlertState.RESOLVED}
    assert alerts[3].started_at == OVER + 5 * MINUTE, "a storm that became known late"
    new = len(after(OVER)) + len(late()) + 1
    assert report.mentions == new

    report, *rest = story(engine, successor)
    assert rest == [then, alerts, deliveries]
    assert report.mentions == new + (0 if successor == "warm" else len(until(OVER)))


def test_who_waits_writes_nothing(engine: Engine, session: EvaluatorSession) -> None:
    other = AlertStore(engine).open_session()
    evaluator = evaluator_of(other, Standby(other, POLICY))
    save(engine, until(OVER), OVER)
    evaluator.poll(threading.Event())
    before = everything_stored(engine)
    assert before["alerts"]
    standby = Standby(session, POLICY)
    look(standby)
    look(standby)
    assert standby.known == len(until(OVER))
    assert everything_stored(engine) == before
    other.close()


def test_where_the_journal_was_put_back_everything_is_read_again(
    engine: Engine, session: EvaluatorSession, caplog: pytest.LogCaptureFixture
) -> None:
    other = AlertStore(engine).open_session()
    save(engine, history(), END)
    evaluator_of(other, Standby(other, POLICY)).poll(threading.Event())
    other.close()
    standby = Standby(session, POLICY)
    look(standby)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE evaluator, alerts, deliveries CASCADE"))
    report = evaluator_of(session, standby).poll(threading.Event())
    assert (report.mentions, report.as_of) == (len(history()), END)
    assert [a.symbol for a in alerts_of(engine)] == ["DONE", "ACME", "SOON"]
    assert "event time has gone back" in caplog.text


def test_a_long_first_look_ends_when_it_must(engine: Engine, session: EvaluatorSession) -> None:
    class After(threading.Event):
        """Is set once it was asked so often."""

        def __init__(self, asked: int) -> None:
            super().__init__()
            self._left = asked

        def is_set(self) -> bool:
            self._left -= 1
            return self._left < 0

    save(engine, history(), END)
    standby = Standby(session, POLICY)
    standby.look(After(10))
    assert standby.known == 11


def test_who_is_forgotten_is_forgotten_by_those_who_wait(
    engine: Engine, session: EvaluatorSession, store: AlertStore, redis_url: str
) -> None:
    save(engine, until(OVER), OVER)
    lease = store.acquire_lease()
    assert lease is not None
    standby = Standby(session, POLICY)
    look(standby)
    forget(
        engine,
        ForgettingWindowStore(RedisSettings(url=SecretStr(redis_url))),
        Whom(post_ids=frozenset({"test:crash1"})),
        SystemClock(),
    )
    with pytest.raises(Unavailable):
        look(standby)
    lease.release()
    again = store.open_session()
    standby = Standby(again, POLICY)
    look(standby)
    assert standby.known == len(until(OVER)) - 1
    again.close()


def test_nobody_knows_anything_while_somebody_is_forgotten(engine: Engine, session: EvaluatorSession) -> None:
    save(engine, until(OVER), OVER)
    standby = Standby(session, POLICY)
    with engine.begin() as forgetting:
        forgetting.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": EVALUATOR_LOCK})
        look(standby)
        assert take_lease(session) is None
        assert standby.known == 0
    look(standby)
    assert standby.known == len(until(OVER))
    assert take_lease(session) is not None


def test_a_version_that_knows_no_standby_and_this_one_do_not_evaluate_both(engine: Engine, store: AlertStore) -> None:
    with engine.connect() as older:
        alone = text("SELECT pg_try_advisory_lock(:key)"), {"key": EVALUATOR_LOCK}
        assert older.execute(*alone).scalar_one()
        assert store.acquire_lease() is None
        older.execute(text("SELECT pg_advisory_unlock_all()"))
        lease = store.acquire_lease()
        assert lease is not None
        assert not older.execute(*alone).scalar_one()
        lease.release()


class Looking(Standby):
    """Notes after each look how many mentions it knows."""

    looks: list[int]

    def look(self, stop: threading.Event) -> None:
        super().look(stop)
        self.looks.append(self.known)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many mentions whoever waits in `run_watch` knows, look by look."""
    monkeypatch.setattr(Looking, "looks", [], raising=False)
    monkeypatch.setattr("alerts.watch.Standby", Looking)
    return Looking.looks


def test_the_next_process_has_read_what_is_stored_when_its_turn_comes(
    engine: Engine, wait_until: WaitUntil, looks: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    save(engine, until(OVER), OVER)
    second = Watch(engine, rule_set=TWO)
    with Watch(engine, rule_set=TWO).running() as first:
        wait_until(lambda: first.has_reached(OVER))
        with second.running():
            wait_until(lambda: len(looks) > 2)
            assert set(looks) == {len(until(OVER))}
            assert second.reports == []
            first.stop.set()
            save(engine, after(OVER), END)
            wait_until(lambda: second.has_reached(END))
    assert sum(report.mentions for each in (first, second) for report in each.reports) <= len(history())
    assert [a.symbol for a in alerts_of(engine)] == ["DONE", "ACME", "SOON"]
    assert len(deliveries_of(engine)) == len(set(deliveries_of(engine))) == 14
    assert caplog.text.count("another process evaluates; this one waits to take over") == 1
    assert f"evaluating from {OVER.isoformat()} on; {len(until(OVER))} mentions are known already" in caplog.text


def test_who_waits_begins_again_when_its_session_was_lost(
    engine: Engine, wait_until: WaitUntil, looks: list[int]
) -> None:
    save(engine, until(OVER), OVER)
    second = Watch(engine, rule_set=TWO)
    with Watch(engine, rule_set=TWO).running() as first:
        wait_until(lambda: first.has_reached(OVER))
        with second.running():
            wait_until(lambda: looks)
            PostStore(engine).save(late(), [])
            with engine.begin() as connection:
                locks = {"known": EVALUATOR_LOCK, "lease": LEASE_LOCK}
                assert connection.execute(END_STANDBYS, locks).scalar_one() == 1
            looks.clear()
            wait_until(lambda: len(until(OVER)) + len(late()) in looks)
            first.stop.set()
            save(engine, after(OVER), END)
            wait_until(lambda: second.has_reached(END))
    assert [a.symbol for a in alerts_of(engine)] == ["DONE", "ACME", "SOON", "BOLT"]
    assert len(deliveries_of(engine)) == len(set(deliveries_of(engine)))


def test_when_the_server_was_away_one_evaluates_again_and_the_other_waits(
    servers: Servers, engine: Engine, wait_until: WaitUntil, looks: list[int]
) -> None:
    save(engine, until(OVER), OVER)
    both = Watch(engine, rule_set=TWO), Watch(engine, rule_set=TWO)
    with both[0].running(), both[1].running():
        wait_until(lambda: looks and any(watch.has_reached(OVER) for watch in both))
        servers.postgres.kill()
        servers.postgres.start()
        looks.clear()
        reported = [len(watch.reports) for watch in both]
        wait_until(lambda: looks and [len(watch.reports) for watch in both] != reported, 60)
        [first] = [watch for watch, before in zip(both, reported, strict=True) if len(watch.reports) > before]
        first.stop.set()
        save(engine, [*late(), *after(OVER)], END)
        [second] = [watch for watch in both if watch is not first]
        wait_until(lambda: second.has_reached(END), 60)
    assert [a.symbol for a in alerts_of(engine)] == ["DONE", "ACME", "SOON", "BOLT"]
    assert len(deliveries_of(engine)) == len(set(deliveries_of(engine)))
