"""Digests: what waits in a real store for a receiver, is told as one by a real mail server, and outlives a crash."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from bearometer.alert import Delivery, NotificationReason, Severity
from bearometer.settings import AlertSettings, EmailSettings, Settings
from storage.alerts import AlertStore
from tests.conditions import WaitUntil
from tests.delivering import delivering
from tests.receivers import SmtpReceiver
from tests.sample_alerts import make_alert, make_delivery, make_resolved

BOX = "email:risk@example.com"
HOUR = timedelta(hours=1)
ALERTS = AlertSettings(poll_seconds=0.02, max_backoff_seconds=1)


def told(
    symbol: str, reason: NotificationReason = NotificationReason.FIRING, box: str = BOX, **changes: str
) -> Delivery:
    alert = make_alert(symbol, severity=Severity(changes.get("severity", "warning")), evidence=None)
    return make_delivery(make_resolved(alert) if reason is NotificationReason.RESOLVED else alert, box, reason)


def queue(store: AlertStore, *deliveries: Delivery) -> None:
    lease = store.acquire_lease()
    assert lease is not None
    alerts = {delivery.alert.id: delivery.alert for delivery in deliveries}
    lease.commit(datetime.now(UTC), list(alerts.values()), deliveries)
    lease.release()


def statuses(engine: Engine) -> list[tuple[str, str, int]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT alert_id, status, attempts FROM deliveries ORDER BY number"))
        return [(row.alert_id.split(":")[1], row.status, row.attempts) for row in rows]


def collected(store: AlertStore, now: datetime, box: str = BOX) -> list[str]:
    """The symbols of the digest that is due, which is left as it was."""
    with store.claim_digest(box, now, HOUR) as claimed:
        return [] if claimed is None else [each.alert.symbol for each in claimed.deliveries]


def urgent(store: AlertStore) -> Iterator[str]:
    """The symbols of what is due at once, each marked as sent."""
    while True:
        with store.claim_delivery(datetime.now(UTC), [BOX], [BOX]) as claimed:
            if claimed is None:
                return
            claimed.sent(datetime.now(UTC))
            yield f"{claimed.delivery.alert.symbol} {claimed.delivery.reason}"


def test_messages_wait_until_the_oldest_has_waited_for_long_enough(store: AlertStore, engine: Engine) -> None:
    queue(store, told("AAA"), told("BBB"), told("XXX", box="email:desk@example.com"))
    now = datetime.now(UTC)
    assert list(urgent(store)) == []
    assert collected(store, now) == []
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE deliveries SET created_at = created_at - interval '59 min' WHERE alert_id ~ 'AAA'")
        )
    assert collected(store, now) == []
    assert collected(store, now + 2 * HOUR / 60) == ["AAA", "BBB"]
    assert collected(store, now + 2 * HOUR / 60, "email:desk@example.com") == []


def test_what_is_urgent_overtakes_what_waits_and_nothing_else_does(store: AlertStore) -> None:
    queue(
        store,
        told("AAA"),
        told("AAA", NotificationReason.ESCALATED),
        told("AAA", NotificationReason.RESOLVED),
        told("CRIT", severity="critical"),
    )
    later = datetime.now(UTC) + HOUR
    with store.claim_delivery(datetime.now(UTC), [BOX], [BOX]) as claimed:
        assert claimed is not None
        assert claimed.delivery.reason is NotificationReason.ESCALATED
        assert collected(store, later) == ["AAA"], "the end waits for what is being sent"
    assert sorted(urgent(store)) == ["AAA escalated", "CRIT firing"]
    with store.claim_digest(BOX, later, HOUR) as digest:
        assert digest is not None
        assert [each.reason for each in digest.deliveries] == [NotificationReason.RESOLVED], "the rest is old news"


def test_what_an_urgent_message_overtook_is_settled_with_it_and_nothing_else_is(
    store: AlertStore, engine: Engine
) -> None:
    group = replace(told("GRP"), others=(make_alert("ONE", evidence=None),))
    counts = replace(told("CNT"), dropped=3)
    queue(store, told("AAA"), told("AAA", box="email:desk@example.com"), told("BBB"), group, counts)
    later = datetime.now(UTC) + HOUR
    with store.claim_digest(BOX, later, HOUR) as digest:
        assert digest is not None
        digest.failed("away", later, {digest.deliveries[0].id})
    assert store.resend({store.failed_deliveries(1)[0].id}, later) == 1
    queue(store, *(told(symbol, NotificationReason.ESCALATED) for symbol in ("AAA", "GRP", "CNT")))
    assert sorted(urgent(store)) == ["AAA escalated", "CNT escalated", "GRP escalated"]
    assert collected(store, later) == ["BBB", "GRP", "CNT"]
    assert statuses(engine)[:2] == [("AAA", "sent", 0), ("AAA", "waiting", 0)]


def test_what_a_digest_has_when_an_urgent_message_is_sent_is_told_by_the_digest(
    store: AlertStore, engine: Engine
) -> None:
    queue(store, told("AAA"))
    later = datetime.now(UTC) + HOUR
    with store.claim_digest(BOX, later, HOUR) as digest:
        assert digest is not None
        queue(store, told("AAA", NotificationReason.ESCALATED))
        assert list(urgent(store)) == ["AAA escalated"]
        digest.sent(later)
    assert statuses(engine) == [("AAA", "sent", 1), ("AAA", "sent", 1)]


def test_an_urgent_message_that_is_not_taken_leaves_what_it_overtook(store: AlertStore) -> None:
    queue(store, told("AAA"), told("AAA", NotificationReason.ESCALATED))
    later = datetime.now(UTC) + HOUR
    with store.claim_delivery(datetime.now(UTC), [BOX], [BOX]) as claimed:
        assert claimed is not None
        claimed.failed("refused", None)
    assert collected(store, later) == ["AAA"]


def test_a_digest_is_marked_in_one_go(store: AlertStore, engine: Engine) -> None:
    queue(store, told("AAA"), told("BBB"), told("CCC"))
    later = datetime.now(UTC) + HOUR
    with store.claim_digest(BOX, later, HOUR) as claimed:
        assert claimed is not None
        claimed.failed("away", later, {claimed.deliveries[1].id})
    assert statuses(engine) == [("AAA", "waiting", 1), ("BBB", "failed", 1), ("CCC", "waiting", 1)]
    with store.claim_digest(BOX, later, HOUR) as claimed:
        assert claimed is not None
        assert [each.attempts for each in claimed.deliveries] == [1, 1]
        claimed.sent(later)
    assert statuses(engine) == [("AAA", "sent", 2), ("BBB", "failed", 1), ("CCC", "sent", 2)]
    assert collected(store, later + HOUR) == []
    assert store.resend({store.failed_deliveries(1)[0].id}, later) == 1
    assert collected(store, later) == ["BBB"], "it has waited for long enough"


def test_nobody_gets_a_part_of_a_digest_that_somebody_has(store: AlertStore) -> None:
    queue(store, told("AAA"))
    later = datetime.now(UTC) + HOUR
    with store.claim_digest(BOX, later, HOUR) as claimed:
        assert claimed is not None
        queue(store, told("BBB"))
        assert collected(store, later + HOUR) == []
        claimed.sent(later)
    assert collected(store, later + HOUR) == ["BBB"]


def test_a_digest_whose_sender_dies_before_it_is_marked_is_told_again_whole(store: AlertStore, engine: Engine) -> None:
    queue(store, told("AAA"), told("BBB"))
    later = datetime.now(UTC) + HOUR

    class Died(Exception):
        """Raised where the process would be gone."""

    with suppress(Died), store.claim_digest(BOX, later, HOUR) as claimed:
        assert claimed is not None
        raise Died
    assert statuses(engine) == [("AAA", "waiting", 0), ("BBB", "waiting", 0)]
    assert collected(store, later) == ["AAA", "BBB"]


def mail_settings(server: SmtpReceiver, boxes: Sequence[str] = ("risk@example.com",)) -> EmailSettings:
    return EmailSettings(
        host="127.0.0.1", port=server.port, security="none", recipients=tuple(boxes), digest_minutes=60
    )


def age(engine: Engine) -> None:
    """Let an hour pass for all that waits."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET created_at = created_at - interval '1 hour'"))


def test_critical_alerts_are_mailed_at_once_and_the_others_together_to_each_recipient(
    store: AlertStore, engine: Engine, wait_until: WaitUntil
) -> None:
    boxes = ("risk@example.com", "desk@example.com")
    with SmtpReceiver() as server:
        server.data_replies.append("451 later")  # also a digest is tried again
        for box in boxes:
            name = f"email:{box}"
            queue(store, told("AAA", box=name), told("CRIT", box=name, severity="critical"), told("BBB", box=name))
        with delivering(store, Settings(email=mail_settings(server, boxes), alerts=ALERTS), workers=2):
            wait_until(lambda: len(server.mails) == 2, seconds=60, what="the critical ones are mailed")
            server.data_replies.append("451 later")
            age(engine)
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="all is mailed")
        subjects = sorted(f"{mail['To']} {mail['Subject']}" for mail in server.mails)
    assert [subject.split(";")[0] for subject in subjects] == [
        "desk@example.com [Bearometer] CRIT: 15 negative posts by 14 authors in 24 h, 0.1 expected",
        "desk@example.com [Bearometer] Digest of 2 alerts: AAA, BBB",
        "risk@example.com [Bearometer] CRIT: 15 negative posts by 14 authors in 24 h, 0.1 expected",
        "risk@example.com [Bearometer] Digest of 2 alerts: AAA, BBB",
    ]


def test_a_worker_killed_before_the_server_has_confirmed_a_digest_loses_none_of_it(
    store: AlertStore, engine: Engine, database_url: str, wait_until: WaitUntil
) -> None:
    queue(store, told("AAA"), told("BBB"), told("CCC"))
    age(engine)
    with SmtpReceiver() as server:
        environment = {
            **os.environ,
            "BEAROMETER_POSTGRES__URL": database_url,
            "BEAROMETER_EMAIL__HOST": "127.0.0.1",
            "BEAROMETER_EMAIL__PORT": str(server.port),
            "BEAROMETER_EMAIL__SECURITY": "none",
            "BEAROMETER_EMAIL__RECIPIENTS": '["risk@example.com"]',
            "BEAROMETER_EMAIL__DIGEST_MINUTES": "60",
            "BEAROMETER_EMAIL__TIMEOUT_SECONDS": "60",
            "BEAROMETER_ALERTS__POLL_SECONDS": "0.05",
        }
        server.confirm_late = True
        worker = subprocess.Popen([sys.executable, "-m", "bearometer", "alerts"], env=environment)
        try:
            wait_until(lambda: server.mails, seconds=240, what="the digest is there, and not confirmed")
        finally:
            worker.kill()
            worker.wait(10)
        server.confirm_late = False
        with delivering(store, Settings(email=mail_settings(server), alerts=ALERTS), workers=1):
            wait_until(lambda: store.waiting_deliveries() == 0, seconds=60, what="the digest is confirmed")
        first, again = server.mails
    assert first["Subject"] == again["Subject"] == "[Bearometer] Digest of 3 alerts: AAA, BBB, CCC"
    assert first["Message-ID"] == again["Message-ID"]
    assert statuses(engine) == [("AAA", "sent", 1), ("BBB", "sent", 1), ("CCC", "sent", 1)]
