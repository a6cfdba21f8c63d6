import dataclasses
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.deliver import deliver_next, run_delivery, wait_before_retry
from alerts.notifier import Notifier
from alerts.worker import run_together
from bearometer.alert import Delivery, NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Transient, Unavailable
from bearometer.settings import AlertSettings
from tests.conditions import wait_until
from tests.sample_alerts import START, MemoryQueue, make_alert, make_delivery, make_resolved

SETTINGS = AlertSettings(max_attempts=4, max_backoff_seconds=60, poll_seconds=0.01)


class Recording:
    """Raises what it was given, one each, then takes messages."""

    def __init__(self, name: str = "slack", troubles: Iterable[Exception] = ()) -> None:
        self.name = name
        self.troubles = list(troubles)
        self.taken: list[str] = []

    def send(self, delivery: Delivery) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.taken.append(delivery.id)


def deliver_all(
    queue: MemoryQueue, *notifiers: Notifier, clock: ManualClock, settings: AlertSettings = SETTINGS
) -> None:
    """Deliver what is due, moving the clock to what is due next, until nothing waits."""
    while queue.waiting:
        by_name = {notifier.name: notifier for notifier in notifiers}
        if not deliver_next(queue, by_name, settings, clock):
            later = (each.next_attempt_at for each in queue.waiting.values() if each.next_attempt_at > clock.now())
            clock.advance(min(later) - clock.now())


def test_what_is_taken_is_recorded_as_sent() -> None:
    clock, slack, delivery = ManualClock(START), Recording(), make_delivery()
    queue = MemoryQueue(delivery)
    assert deliver_next(queue, {"slack": slack}, SETTINGS, clock)
    assert not deliver_next(queue, {"slack": slack}, SETTINGS, clock)
    assert (slack.taken, queue.sent) == ([delivery.id], {delivery.id: START})


def test_trouble_is_tried_again_later_and_later_until_it_is_taken_once() -> None:
    clock, delivery = ManualClock(START), make_delivery()
    slack = Recording(troubles=[Transient("away"), Transient("away"), Transient("away")])
    queue = MemoryQueue(delivery)
    deliver_all(queue, slack, clock=clock)
    assert slack.taken == [delivery.id]
    waited = (queue.sent[delivery.id] - START).total_seconds()
    assert 0.5 + 1 + 2 <= waited <= 1 + 2 + 4


def test_the_other_side_says_how_long_to_wait() -> None:
    clock, delivery = ManualClock(START), make_delivery()
    queue = MemoryQueue(delivery)
    deliver_all(queue, Recording(troubles=[Transient("slow down", 30)]), clock=clock)
    assert queue.sent[delivery.id] == START + timedelta(seconds=30)


def test_too_many_attempts_end_with_the_last_reason() -> None:
    clock, delivery = ManualClock(START), make_delivery()
    queue = MemoryQueue(delivery)
    deliver_all(queue, Recording(troubles=[Transient("away")] * 9), clock=clock)
    assert queue.given_up == {delivery.id: "away (the last of 4 attempts)"}
    assert len(queue.errors) == 4


def test_a_final_refusal_is_not_tried_again() -> None:
    clock, delivery = ManualClock(START), make_delivery()
    queue = MemoryQueue(delivery)
    deliver_all(queue, Recording(troubles=[Failed("no such channel")]), clock=clock)
    assert queue.given_up == {delivery.id: "no such channel"}


def test_a_message_to_a_notifier_of_others_is_left_waiting_and_holds_up_no_other() -> None:
    clock, theirs, ours = ManualClock(START), make_delivery(notifier="pager"), make_delivery()
    queue, slack = MemoryQueue(theirs, ours), Recording()
    assert deliver_next(queue, {"slack": slack}, SETTINGS, clock)
    assert not deliver_next(queue, {"slack": slack}, SETTINGS, clock)
    assert slack.taken == [ours.id]
    assert queue.waiting == {theirs.id: theirs}


def test_a_defect_holds_up_no_other_message_and_its_text_is_not_stored() -> None:
    clock = ManualClock(START)
    broken = Recording("slack", [KeyError("https://hooks.example.com/SECRET")])
    mail = Recording("email")
    queue = MemoryQueue(make_delivery(notifier="slack"), make_delivery(notifier="email"))
    deliver_all(queue, broken, mail, clock=clock)
    assert (len(broken.taken), len(mail.taken)) == (1, 1)
    assert queue.errors == ["a defect in the notifier: KeyError (see the log)"]


def test_the_end_is_told_after_the_beginning_even_when_the_beginning_had_trouble() -> None:
    clock, alert = ManualClock(START), make_alert()
    begun = make_delivery(alert)
    over = make_delivery(make_resolved(alert), reason=NotificationReason.RESOLVED)
    slack = Recording(troubles=[Transient("away")])
    deliver_all(MemoryQueue(over, begun), slack, clock=clock)
    assert slack.taken == [begun.id, over.id]


def test_the_loop_outlives_a_store_that_is_away() -> None:
    queue, slack, stop = MemoryQueue(make_delivery()), Recording(), threading.Event()
    queue.away = [Unavailable("Postgres does not answer")]
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run_delivery, queue, {"slack": slack}, SETTINGS, ManualClock(START), stop)
        wait_until(lambda: slack.taken, what="the message is sent")
        stop.set()
        running.result(timeout=5)


def test_a_defect_of_the_store_is_raised() -> None:
    queue = MemoryQueue()
    queue.away = [RuntimeError("a defect")]
    with pytest.raises(RuntimeError, match="a defect"):
        run_delivery(queue, {}, SETTINGS, ManualClock(START), threading.Event())


def test_two_loops_never_send_the_same_message() -> None:
    alerts = [make_alert(f"SYM{number}") for number in range(60)]
    queue, slack, stop = MemoryQueue(*(make_delivery(alert) for alert in alerts)), Recording(), threading.Event()
    with ThreadPoolExecutor(3) as threads:
        loops = [
            threads.submit(run_delivery, queue, {"slack": slack}, SETTINGS, ManualClock(START), stop) for _ in range(3)
        ]
        wait_until(lambda: not queue.waiting, what="all are sent")
        stop.set()
        for loop in loops:
            loop.result(timeout=5)
    assert sorted(slack.taken) == sorted(queue.sent)
    assert len(slack.taken) == 60


@given(st.integers(1, 10**6), st.none() | st.floats(0, 1e12), st.floats(1, 1e5))
def test_a_wait_is_never_longer_than_the_greatest_nor_shorter_than_asked_for(
    failures: int, asked: float | None, most: float
) -> None:
    wait = wait_before_retry(failures, asked, most)
    assert min(most, max(asked or 0.0, 0.5)) <= wait <= most


def test_one_loop_that_fails_ends_the_other_and_is_raised() -> None:
    stop = threading.Event()

    def break_down() -> None:
        message = "broken"
        raise KeyError(message)

    with pytest.raises(KeyError, match="broken"):
        run_together({"good": lambda: _wait(stop), "bad": break_down}, stop)


def test_a_loop_that_ends_unasked_is_an_error() -> None:
    stop = threading.Event()
    with pytest.raises(Failed, match="the short loop ended"):
        run_together({"long": lambda: _wait(stop), "short": lambda: None}, stop)


def test_loops_that_are_asked_to_stop_end_quietly() -> None:
    stop = threading.Event()
    stop.set()
    run_together({"one": lambda: _wait(stop), "two": lambda: _wait(stop)}, stop)


def _wait(stop: threading.Event) -> None:
    stop.wait()


def test_attempts_before_a_restart_count() -> None:
    clock, delivery = ManualClock(START), dataclasses.replace(make_delivery(), attempts=3)
    queue = MemoryQueue(delivery)
    deliver_all(queue, Recording(troubles=[Transient("away")]), clock=clock)
    assert queue.given_up == {delivery.id: "away (the last of 4 attempts)"}
