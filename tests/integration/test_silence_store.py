"""What people say to the evaluator, against a real Postgres."""

from dataclasses import replace

import pytest

from bearometer.alert import Silence
from bearometer.errors import Failed
from storage.alerts import AlertStore
from storage.lease import EvaluatorLease
from tests.stored_alerts import HOUR, YEAR, alert, delivery
from tests.stored_samples import NOON


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
