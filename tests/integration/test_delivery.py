"""Deliveries from a real store, through the real loop, to real receivers."""

import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr
from sqlalchemy import Engine, text

from alerts.worker import run_alerts
from bearometer.alert import Delivery, NotificationReason
from bearometer.clock import SystemClock
from bearometer.replay import Published, Watcher
from bearometer.settings import AlertSettings, EmailSettings, PostgresSettings, Settings, SlackSettings
from ingest.worker import IngestReport
from storage.alerts import AlertStore
from storage.database import connect
from storage.posts import PostStore
from tests.conditions import WaitUntil
from tests.delivering import delivering
from tests.receivers import Answer, SlackReceiver, SmtpReceiver
from tests.sample_alerts import HOSTILE_TEXTS, make_alert, make_delivery, make_post, make_resolved

ALERTS = AlertSettings(poll_seconds=0.02, max_backoff_seconds=2, max_attempts=5)


def queue(store: AlertStore, deliveries: Sequence[Delivery]) -> None:
    lease = store.acquire_lease()
    assert lease is not None
    alerts = {delivery.alert.id: delivery.alert for delivery in deliveries}
    lease.commit(datetime.now(UTC), list(alerts.values()), deliveries)
    lease.release()


def outcomes(engine: Engine) -> dict[str, tuple[str, int, str | None]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, status, attempts, last_error FROM deliveries")).all()
    return {row.id: (row.status, row.attempts, row.last_error) for row in rows}


def slack_settings(slack: SlackReceiver) -> SlackSettings:
    return SlackSettings(webhook_url=SecretStr(slack.url), timeout_seconds=20)


def test_a_receiver_that_is_busy_then_broken_then_well_gets_the_message_once(
    store: AlertStore, engine: Engine, wait_until: WaitUntil
) -> None:
    delivery = make_delivery()
    with SlackReceiver() as slack:
        slack.answers += [Answer(429, "rate_limited", {"Retry-After": "1"}), Answer(500, "oh no")]
        queue(store, [delivery])
        with delivering(store, Settings(slack=slack_settings(slack), alerts=ALERTS)):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="the message is delivered")
        assert (slack.requests, len(slack.accepted)) == (3, 1)
    assert outcomes(engine) == {delivery.id: ("sent", 3, None)}


def test_mail_goes_over_starttls_to_each_recipient_once_and_a_refused_one_is_recorded(
    store: AlertStore, engine: Engine, wait_until: WaitUntil, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    boxes = ("risk@example.com", "gone@example.com", "desk@example.com")
    deliveries = [make_delivery(notifier=f"email:{box}") for box in boxes]
    with SmtpReceiver(context, login=("bear", "secret")) as server:
        server.refused_recipients["gone@example.com"] = "550 left the firm"
        server.rcpt_replies.append("451 greylisted")
        email = EmailSettings(
            host="localhost",
            port=server.port,
            ca_file=tmp_path / "ca.pem",
            username="bear",
            password=SecretStr("secret"),
            recipients=boxes,
        )
        queue(store, deliveries)
        with delivering(store, Settings(email=email, alerts=ALERTS)):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="all mails are delivered or given up")
        assert sorted(box for envelope in server.envelopes for box in envelope.rcpt_tos) == [boxes[2], boxes[0]]
        assert server.secured == 2
    by_box = {id.rsplit(":", 1)[1]: outcome for id, outcome in outcomes(engine).items()}
    assert by_box["gone@example.com"][0] == "failed"
    assert "550 left the firm" in (by_box["gone@example.com"][2] or "")
    assert [by_box[box][0] for box in (boxes[0], boxes[2])] == ["sent", "sent"]


def test_an_alert_ends_after_it_began_although_its_beginning_had_trouble(
    store: AlertStore, wait_until: WaitUntil
) -> None:
    alert = make_alert()
    begun, over = make_delivery(alert), make_delivery(make_resolved(alert), reason=NotificationReason.RESOLVED)
    with SlackReceiver() as slack:
        slack.answers.append(Answer(503, "oh no"))
        queue(store, [begun, over])
        with delivering(store, Settings(slack=slack_settings(slack), alerts=ALERTS), workers=2):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="both are delivered")
        first, second = (payload["text"] for payload in slack.accepted)
    assert first.startswith("HBRM: 15 negative posts")
    assert second.startswith("HBRM: over after")


def test_several_workers_send_each_message_once_whatever_is_written_in_it(
    store: AlertStore, wait_until: WaitUntil
) -> None:
    texts = [text for text in HOSTILE_TEXTS if "\0" not in text and "\ud800" not in text]  # never stored
    deliveries = [
        make_delivery(make_alert(f"SYM{number}", posts=(make_post(texts[number % len(texts)]),)))
        for number in range(24)
    ]
    with SlackReceiver() as slack:
        queue(store, deliveries)
        with delivering(store, Settings(slack=slack_settings(slack), alerts=ALERTS), workers=3):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="all are delivered")
        symbols = [payload["text"].split(":")[0] for payload in slack.accepted]
    assert sorted(symbols) == sorted(delivery.alert.symbol for delivery in deliveries)
    assert slack.refused == []


def test_a_notifier_that_hangs_in_a_killed_worker_loses_nothing(
    store: AlertStore, engine: Engine, database_url: str, wait_until: WaitUntil
) -> None:
    delivery = make_delivery()
    with SlackReceiver() as slack:
        slack.silent = True
        environment = {
            **os.environ,
            "BEAROMETER_POSTGRES__URL": database_url,
            "BEAROMETER_SLACK__WEBHOOK_URL": slack.url,
            "BEAROMETER_ALERTS__POLL_SECONDS": "0.05",
        }
        queue(store, [delivery])
        with alert_worker(environment) as first:
            wait_until(lambda: slack.requests == 1, seconds=60, what="the first worker is sending")
            first.kill()
            first.wait(10)
        slack.silent = False
        with alert_worker(environment) as second:
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="the second worker has delivered")
            second.send_signal(signal.SIGTERM)
            assert second.wait(10) == 0
        assert len(slack.accepted) == 1
    assert outcomes(engine)[delivery.id][0] == "sent"


def test_a_worker_without_slack_leaves_slacks_messages_to_the_worker_that_has_it(
    store: AlertStore, database_url: str, wait_until: WaitUntil, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    queue(store, [make_delivery(notifier="slack"), make_delivery(notifier="directory")])
    postgres = PostgresSettings(url=SecretStr(database_url))
    without = Settings(postgres=postgres, alerts=ALERTS.model_copy(update={"directory": tmp_path / "messages"}))
    stop = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run_alerts, without, SystemClock(), stop)
        wait_until(lambda: store.waiting_by_notifier() == {"slack": 1}, seconds=30, what="the other one is delivered")
        stop.set()
        running.result(timeout=20)
    assert "not configured here, until they are: slack (1)" in caplog.text
    with SlackReceiver() as slack:
        with delivering(store, Settings(slack=slack_settings(slack), alerts=ALERTS)):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="Slack's message is delivered")
        assert len(slack.accepted) == 1


def test_a_replay_waits_for_messages_to_its_own_notifiers_only(store: AlertStore, database_url: str) -> None:
    queue(store, [make_delivery(notifier="slack"), make_delivery(notifier="console")])
    settings = Settings(postgres=PostgresSettings(url=SecretStr(database_url)), alerts=AlertSettings(console=True))
    watcher = Watcher(settings, PostStore(connect(settings.postgres)), store, SystemClock())
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        with store.claim_delivery(datetime.now(UTC), ["console"]) as claimed:
            assert claimed is not None
            claimed.sent(datetime.now(UTC))

    watcher.wait(Published(IngestReport(), next_offsets={}, until=None), lambda _: None, pause)

    assert len(waited) == 1
    assert store.waiting_by_notifier() == {"slack": 1}


def test_a_webhook_that_a_person_mends_gets_the_message(
    store: AlertStore, engine: Engine, wait_until: WaitUntil
) -> None:
    delivery = make_delivery()
    with SlackReceiver() as slack:
        slack.answers.append(Answer(410, "channel_is_archived"))
        queue(store, [delivery])
        with delivering(store, Settings(slack=slack_settings(slack), alerts=ALERTS)):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="the message is delivered")
        assert len(slack.accepted) == 1
    assert outcomes(engine) == {delivery.id: ("sent", 2, None)}


@contextmanager
def alert_worker(environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    worker = subprocess.Popen([sys.executable, "-m", "bearometer", "alerts"], env=environment)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(10)
