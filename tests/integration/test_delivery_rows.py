"""What is kept of messages: caps, who was told, and those that were given up, against a real Postgres."""

from dataclasses import replace

from sqlalchemy import Engine, text

from bearometer.alert import Acknowledgement, AlertState, NotificationReason
from storage.alerts import AlertStore
from storage.lease import EvaluatorLease
from tests.stored_alerts import EVERYBODY, HOUR, YEAR, alert, delivery
from tests.stored_samples import NOON


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

    assert lease.sent_since(NOON, NOON + 2 * HOUR) == {"slack": 2, "email": 3}
    assert lease.sent_since(NOON + HOUR, NOON + HOUR) == {"slack": 1}
    assert lease.sent_since(NOON + 2 * HOUR, NOON + 3 * HOUR) == {}
    assert lease.sent_since(NOON - HOUR, NOON - HOUR) == {}, "what is told by the clock is no message of this hour"


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
