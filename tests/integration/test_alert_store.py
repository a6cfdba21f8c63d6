"""Alerts and what is committed with them, against a real Postgres."""

from dataclasses import replace

import pytest

from bearometer.alert import AlertState
from storage.alerts import AlertStore
from storage.lease import EvaluatorLease
from tests.stored_alerts import EVERYBODY, HOUR, YEAR, alert, delivery, rich_alert
from tests.stored_samples import NOON


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
