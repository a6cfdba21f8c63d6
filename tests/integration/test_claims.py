"""Messages that are due, claimed by one sender at a time, against a real Postgres."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from bearometer.alert import AlertState, NotificationReason
from storage.alerts import AlertStore
from storage.lease import EvaluatorLease
from tests.stored_alerts import EVERYBODY, HOUR, alert, delivery
from tests.stored_samples import NOON


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
