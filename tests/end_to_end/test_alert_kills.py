"""Kill the alert worker, at any moment, 50 times over five spikes: the story that people are told stays the same.

It does so too where a second worker waits, and goes on.

The worker is `alerts.worker.run_alerts` in a process of its own, as `bearometer alerts` runs it, forked from a server
that has imported everything: a start takes a fraction of a second.
"""

import multiprocessing
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from alerts.worker import run_alerts
from bearometer.alert import Alert
from bearometer.clock import SystemClock
from bearometer.logs import start_logging
from bearometer.mention import Scored
from bearometer.settings import AlertSettings, PostgresSettings, Settings, WebhookSettings
from bearometer.stopping import stop_on_signals
from storage.alerts import AlertStore
from storage.session import EVALUATOR_LOCK, LEASE_LOCK
from tests.conditions import wait_until
from tests.integration.test_watch import alerts_of, save
from tests.receivers import Answer, Request
from tests.stored_samples import CALM, scored
from tests.vendor_receivers import SECRET, WebhookReceiver

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SYMBOLS = ("ACME", "BOLT", "CORE", "DUNE", "ELSE")
SPIKES = {symbol: START + (5 + 2 * number) * DAY + 14 * HOUR for number, symbol in enumerate(SYMBOLS)}
END = START + 16 * DAY
KILLS = 50
LONGEST_SECONDS = 0.3
"""From the moment the worker evaluates to its death, at most: what there is to do takes about half as long. Every
third one dies as soon as a message is on its way, if one is within twice the time."""
ANSWER_SECONDS = 0.1
"""The receiver takes its time, so that some workers die with a message on its way."""
RULE = "negative-spike"

HELD = text("""
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND granted AND objid = :lock AND datname = current_database()
""")
STATUS = text("SELECT id, status FROM deliveries WHERE alert_id LIKE :rule ORDER BY number")


class SlowReceiver(WebhookReceiver):
    """Remembers which worker, by its number, sent each message of a spike that it took."""

    def __init__(self) -> None:
        super().__init__(SystemClock().now())
        # A worker that was killed takes no answer.
        self._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        self.worker = 0
        self.taken: list[tuple[int, str]] = []
        self.holding = threading.Event()
        """A message has come and is not answered yet."""

    def problems(self, request: Request, payload: Any) -> list[str]:
        self.now = SystemClock().now()
        problems = super().problems(request, payload)
        if not problems and payload["data"]["alert"]["rule"] == RULE:
            self.taken.append((self.worker, request.headers["webhook-id"]))
        return problems

    def answer(self, payload: dict[str, Any]) -> Answer:
        self.holding.set()
        time.sleep(ANSWER_SECONDS)
        self.holding.clear()
        return super().answer(payload)


@pytest.fixture
def receiver() -> Iterator[SlowReceiver]:
    with SlowReceiver() as running:
        yield running


@pytest.fixture
def worker_settings(database_url: str, receiver: SlowReceiver) -> Settings:
    return Settings(
        postgres=PostgresSettings(url=SecretStr(database_url)),
        alerts=AlertSettings(poll_seconds=0.02, explain_seconds=0, max_backoff_seconds=0.1),
        webhook=WebhookSettings(url=SecretStr(receiver.url), secret=SecretStr(SECRET)),
    )


def story() -> list[Scored]:
    """A few words on each symbol over sixteen days, and a storm on each in turn; in order of time."""
    source = random.Random(5)
    posts = [
        scored(
            f"calm-{symbol}-{n}",
            symbols=[symbol],
            sentiment=CALM if n % 3 else scored("bad").sentiment,
            published_at=START + 16 * DAY * source.random(),
            author=f"u{n}",
            fingerprint=f"{symbol}-{n}",
        )
        for symbol in SYMBOLS
        for n in range(24)
    ]
    posts += [
        scored(
            f"storm-{symbol}-{n}",
            symbols=[symbol],
            published_at=began + n * 4 * MINUTE,
            author=f"s{n}",
            fingerprint=f"storm-{symbol}-{n}",
            text=f"{symbol} warns for the {n}. time",
        )
        for symbol, began in SPIKES.items()
        for n in range(20)
    ]
    return sorted(posts, key=lambda s: s.post.published_at)


def moments_of_death(chance: random.Random) -> list[datetime]:
    """How far event time has come at each of the kills: all over the spikes and their ends a day later."""
    each = KILLS // len(SPIKES)
    reached = [began + chance.uniform(0, 2) * HOUR for began in SPIKES.values() for _ in range(each // 2)]
    reached += [began + chance.uniform(2, 30) * HOUR for began in SPIKES.values() for _ in range(each - each // 2)]
    return sorted(reached)


def work(settings: Settings, log: Path) -> None:
    """What `bearometer alerts` does once it has read its settings."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    start_logging("info")
    run_alerts(settings, SystemClock(), stop_on_signals())


class Worker:
    """One life of the alert worker."""

    def __init__(self, settings: Settings, log: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._process: ForkServerProcess = context.Process(target=work, args=(settings, log), daemon=True)
        self._process.start()

    def kill(self) -> None:
        self._process.kill()
        self._process.join(20)
        assert self._process.exitcode == -9


def evaluates(engine: Engine) -> bool:
    return held(engine, LEASE_LOCK) == 1


def held(engine: Engine, lock: int) -> int:
    """By how many sessions."""
    with engine.connect() as connection:
        return int(connection.execute(HELD, {"lock": lock}).scalar_one())


def deliveries_of(engine: Engine) -> dict[str, str]:
    """The status of each message by its id, in the order in which they were queued."""
    with engine.connect() as connection:
        return {row.id: row.status for row in connection.execute(STATUS, {"rule": f"{RULE}:%"})}


def spikes_of(engine: Engine) -> list[Alert]:
    return [alert for alert in alerts_of(engine) if alert.rule == RULE]


def is_all_told(engine: Engine) -> bool:
    """Whether everything is evaluated, and no message waits."""
    as_of = AlertStore(engine).as_of()
    return as_of is not None and as_of >= END and set(deliveries_of(engine).values()) == {"sent"}


def message_id(delivery_id: str) -> str:
    """As docs/webhook.md has it: the message of a delivery is known by this."""
    return f"msg_{sha256(delivery_id.encode()).hexdigest()[:40]}"


def tell_all(engine: Engine, settings: Settings, log: Path) -> tuple[list[Alert], list[str]]:
    """Let a worker go on to the end: all alerts, and the ids of all messages in the order in which they were queued."""
    worker = Worker(settings, log)
    wait_until(lambda: is_all_told(engine), 60, "all that there is to tell is told")
    worker.kill()
    return spikes_of(engine), list(deliveries_of(engine))


@pytest.mark.timeout(600)
def test_an_alert_worker_that_is_killed_fifty_times_tells_the_same_story(
    engine: Engine, worker_settings: Settings, receiver: SlowReceiver, tmp_path: Path
) -> None:
    chance, posts = random.Random(7), story()
    log = tmp_path / "alerts.log"
    settled: dict[int, set[str]] = {}
    before = START - MINUTE
    for number, reached in enumerate(moments_of_death(chance)):
        receiver.worker = number
        save(engine, [s for s in posts if before < s.post.published_at <= reached], reached)
        before = reached
        worker = Worker(worker_settings, log)
        wait_until(lambda: evaluates(engine), 60, "the worker evaluates")
        if number % 3:
            time.sleep(chance.uniform(0, LONGEST_SECONDS))
        else:
            receiver.holding.wait(2 * LONGEST_SECONDS)
        worker.kill()
        wait_until(lambda: not evaluates(engine), 60, "Postgres has noticed that the worker is dead")
        settled[number] = {message_id(id_) for id_, status in deliveries_of(engine).items() if status == "sent"}
    receiver.worker = KILLS
    save(engine, [s for s in posts if s.post.published_at > before], END)
    alerts, deliveries = tell_all(engine, worker_settings, log)
    taken, accepted = list(receiver.taken), list(receiver.accepted)
    receiver.taken.clear()
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE evaluator, alerts, deliveries CASCADE"))
    assert tell_all(engine, worker_settings, log) == (alerts, deliveries), "undisturbed it is the same"
    assert Counter(identity for _, identity in receiver.taken) == Counter(map(message_id, deliveries))

    assert [alert.symbol for alert in alerts] == list(SYMBOLS)
    for alert in alerts:
        assert SPIKES[alert.symbol] < alert.started_at < SPIKES[alert.symbol] + HOUR
        assert alert.resolved_at is not None
    assert not receiver.refused
    assert {identity for _, identity in taken} == set(map(message_id, deliveries)), "every message has arrived"
    # Twice only what its worker died over: sent, and not yet noted as sent.
    assert set(Counter(taken).values()) == {1}, "one life of the worker sends a message once"
    for number, identity in taken:
        assert number == 0 or identity not in settled[number - 1], "what was noted as sent is not sent again"
    told = [each["data"]["alert"] for each in accepted if each["data"]["alert"]["rule"] == RULE]
    assert {(each["id"], each["started_at"]) for each in told} == {
        (alert.id, alert.started_at.isoformat()) for alert in alerts
    }
    assert len(taken) > len(deliveries), "no worker died over a message"
    print(f"{KILLS} kills, {len(deliveries)} messages, {len(taken) - len(deliveries)} of them once more")


@pytest.mark.timeout(600)
def test_a_worker_that_waits_goes_on_when_the_one_that_evaluates_is_killed(
    engine: Engine, worker_settings: Settings, receiver: SlowReceiver, tmp_path: Path
) -> None:
    chance, posts = random.Random(11), story()
    log = tmp_path / "alerts.log"
    before = START - MINUTE
    evaluating = Worker(worker_settings, log)
    for reached in moments_of_death(chance)[::4]:
        wait_until(lambda: evaluates(engine), 60, "a worker evaluates")
        waiting = Worker(worker_settings, log)
        wait_until(lambda: held(engine, EVALUATOR_LOCK) == 2, 60, "the other one waits")
        save(engine, [s for s in posts if before < s.post.published_at <= reached], reached)
        before = reached
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        evaluating.kill()
        evaluating = waiting
    save(engine, [s for s in posts if s.post.published_at > before], END)
    wait_until(lambda: is_all_told(engine), 60, "all that there is to tell is told")
    evaluating.kill()
    alerts, deliveries = spikes_of(engine), list(deliveries_of(engine))
    taken = {identity for _, identity in receiver.taken}
    warm = re.findall(r" ([1-9][0-9]*) mentions are known already", log.read_text())
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE evaluator, alerts, deliveries CASCADE"))
    assert tell_all(engine, worker_settings, log) == (alerts, deliveries), "undisturbed it is the same"
    assert [alert.symbol for alert in alerts] == list(SYMBOLS)
    assert taken == set(map(message_id, deliveries)), "every message has arrived"
    assert len(warm) > 5, "most had read what was stored when their turn came"
