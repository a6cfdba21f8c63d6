"""An alert's messages from a real store, through the real loop, as one thread of Slack's and one of mail."""

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from bearometer.alert import Delivery, NotificationReason
from bearometer.settings import AlertSettings, EmailSettings, Settings
from storage.alerts import AlertStore
from tests.conditions import WaitUntil
from tests.delivering import delivering
from tests.receivers import SmtpReceiver
from tests.sample_alerts import make_alert, make_delivery, make_resolved
from tests.slack_api import BOT_TOKEN, SlackServer

ALERTS = AlertSettings(poll_seconds=0.02, max_backoff_seconds=2, max_attempts=5)


@pytest.fixture
def store(engine: Engine) -> AlertStore:
    return AlertStore(engine)


def story(notifier: str) -> list[Delivery]:
    """What is said of one alert, from its beginning to its end."""
    alert = make_alert(evidence=None)  # a chart takes long to draw
    return [
        make_delivery(make_resolved(alert) if reason is NotificationReason.RESOLVED else alert, notifier, reason)
        for reason in NotificationReason
    ]


def queue(store: AlertStore, deliveries: list[Delivery]) -> None:
    lease = store.acquire_lease()
    assert lease is not None
    lease.commit(datetime.now(UTC), [deliveries[-1].alert], deliveries)
    lease.release()


def test_an_alert_is_one_message_of_slacks_that_ends_as_over(store: AlertStore, wait_until: WaitUntil) -> None:
    with SlackServer() as slack:
        queue(store, story("slack"))
        slack.codes["chat.update"] = "internal_error"
        with delivering(store, Settings(slack=slack.settings(), alerts=ALERTS)):
            wait_until(lambda: "chat.update" in slack.calls, seconds=240, what="an edit has had trouble")
            del slack.codes["chat.update"]
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=240, what="all is told")
        (message,) = [each for each in slack.messages if each.thread_ts is None]
        assert message.body["text"].startswith("HBRM: over after")
        assert message.edits == 4
        assert len(slack.thread(message)) == 3
    assert slack.refused == []


def test_an_alert_is_one_thread_of_mail(store: AlertStore, wait_until: WaitUntil) -> None:
    with SmtpReceiver() as server:
        email = EmailSettings(
            host="127.0.0.1", port=server.port, security="none", recipients=("risk@example.com",), timeout_seconds=20
        )
        queue(store, story("email:risk@example.com"))
        with delivering(store, Settings(email=email, alerts=ALERTS)):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=240, what="all is told")
        first, *later = server.mails
    assert len({mail["Message-ID"] for mail in (first, *later)}) == len(NotificationReason)
    assert {mail["References"] for mail in later} == {first["Message-ID"]}
    assert {mail["Subject"] for mail in later} == {f"Re: {first['Subject']}"}


def test_a_worker_killed_between_the_edit_and_the_answer_leaves_one_of_each(
    store: AlertStore, database_url: str, wait_until: WaitUntil
) -> None:
    begun, *_, over = story("slack")
    with SlackServer() as slack:
        queue(store, [begun, over])
        environment = {
            **os.environ,
            "BEAROMETER_POSTGRES__URL": database_url,
            "BEAROMETER_SLACK__BOT_TOKEN": BOT_TOKEN,
            "BEAROMETER_SLACK__CHANNEL": "C0RISK",
            "BEAROMETER_SLACK__API_URL": slack.url,
            "BEAROMETER_SLACK__TIMEOUT_SECONDS": "60",
            "BEAROMETER_ALERTS__POLL_SECONDS": "0.05",
        }
        slack.answer_late_from = 3  # the first message, its edit, and then the answer, which is taken
        worker = subprocess.Popen([sys.executable, "-m", "bearometer", "alerts"], env=environment)
        try:
            wait_until(lambda: len(slack.messages) == 2, seconds=240, what="the answer is there, and not confirmed")
        finally:
            worker.kill()
            worker.wait(10)
        slack.answer_late_from = None
        with delivering(store, Settings(slack=slack.settings(), alerts=ALERTS)):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=240, what="the end is told")
        (message,) = [each for each in slack.messages if each.thread_ts is None]
        assert message.body["text"].startswith("HBRM: over after")
        assert len(slack.thread(message)) == 1
