import dataclasses
import itertools
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.deliver import Pauses, deliver_next, run_delivery, wait_before_retry
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

    def __init__(
        self, name: str = "slack", troubles: Iterable[Exception] = (), receipts: Iterable[str | None] = ()
    ) -> None:
        self.name = name
        self.troubles = list(troubles)
        self.receipts = list(receipts)
        self.tried = 0
        self.taken: list[str] = []
        self.threads: list[str | None] = []

    def send(self, delivery: Delivery) -> str | None:
        self.tried += 1
        if self.troubles:
            raise self.troubles.pop(0)
        self.taken.append(delivery.id)
        self.threads.append(delivery.thread)
        return self.receipts.pop(0) if self.receipts else None


def deliver_all(
    queue: MemoryQueue, *notifiers: Notifier, clock: ManualClock, settings: AlertSettings = SETTINGS
) -> None:
    """Deliver what is due, moving the clock to what is due next, until nothing waits."""
    by_name = {notifier.name: notifier for notifier in notifiers}
    pauses = Pauses(clock, settings.max_backoff_seconds)
    while queue.waiting:
        if not deliver_next(queue, by_name, settings, clock, pauses):
            later = (each.next_attempt_at for each in queue.waiting.values() if each.next_attempt_at > clock.now())
            clock.advance(min(later) - clock.now())


def pauses(clock: ManualClock) -> Pauses:
    return Pauses(clock, SETTINGS.max_backoff_seconds)


def test_what_is_taken_is_recorded_as_sent() -> None:
    clock, slack, delivery = ManualClock(START), Recording(), make_delivery()
    queue = MemoryQueue(delivery)
    assert deliver_next(queue, {"slack": slack}, SETTINGS, clock, pauses(clock))
    assert not deliver_next(queue, {"slack": slack}, SETTINGS, clock, pauses(clock))
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
    assert deliver_next(queue, {"slack": slack}, SETTINGS, clock, pauses(clock))
    assert not deliver_next(queue, {"slack": slack}, SETTINGS, clock, pauses(clock))
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


def test_the_receipt_of_an_alerts_first_message_comes_back_with_the_later_ones() -> None:
    clock, alert, slack = ManualClock(START), make_alert(), Recording(receipts=["C1:1.0", "C1:2.0", None])
    begun = make_delivery(alert)
    worse = make_delivery(alert, reason=NotificationReason.ESCALATED, next_attempt_at=START + timedelta(seconds=1))
    over = make_delivery(
        make_resolved(alert), reason=NotificationReason.RESOLVED, next_attempt_at=START + timedelta(seconds=2)
    )
    deliver_all(MemoryQueue(begun, worse, over), slack, clock=clock)
    assert slack.taken == [begun.id, worse.id, over.id]
    assert slack.threads == [None, "C1:1.0", "C1:1.0"]


def test_a_receipt_that_is_too_long_to_keep_is_dropped_and_the_message_counts_as_sent() -> None:
    clock, delivery = ManualClock(START), make_delivery()
    queue = MemoryQueue(delivery)
    deliver_all(queue, Recording(receipts=["x" * 501]), clock=clock)
    assert (list(queue.sent), list(queue.receipts.values())) == ([delivery.id], [None])


def test_a_notifier_that_failed_is_left_alone_while_the_others_deliver() -> None:
    clock = ManualClock(START)
    slack, mail = Recording("slack", [Unavailable("away")] * 99), Recording("email:a@example.com")
    alerts = [make_alert(f"SYM{number}") for number in range(20)]
    queue = MemoryQueue(
        *(make_delivery(alert, notifier=notifier.name) for alert in alerts for notifier in (slack, mail))
    )
    by_name, waits = {notifier.name: notifier for notifier in (slack, mail)}, pauses(clock)
    while deliver_next(queue, by_name, SETTINGS, clock, waits):
        pass
    assert (slack.tried, len(mail.taken)) == (1, 20)
    assert sorted(delivery.attempts for delivery in queue.waiting.values()) == [0] * 19 + [1]


def test_the_waits_of_a_notifier_grow_with_its_failures_and_a_success_ends_them() -> None:
    clock = ManualClock(START)
    slack = Recording("slack", [Transient("away")] * 5)
    queue = MemoryQueue(*(make_delivery(make_alert(f"SYM{number}")) for number in range(20)))
    waits, tries = pauses(clock), []
    for _ in range(600):
        while deliver_next(queue, {"slack": slack}, SETTINGS, clock, waits):
            tries.append((clock.now() - START).total_seconds())
        clock.advance(timedelta(milliseconds=100))
    gaps = [after - before for before, after in itertools.pairwise(tries[:6])]
    assert all(0.5 * 2**number <= gap <= 2**number + 0.2 for number, gap in enumerate(gaps))
    assert tries[5:24] == [tries[5]] * 19, "once one is taken, what is due goes at once"
    assert sorted(queue.sent) == sorted(slack.taken)
    assert len(slack.taken) == 20


def test_a_message_that_is_refused_as_such_does_not_keep_its_notifier_from_the_next() -> None:
    clock, slack = ManualClock(START), Recording("slack", [Failed("invalid_blocks")])
    queue, waits = MemoryQueue(make_delivery(make_alert("BAD")), make_delivery(make_alert("GOOD"))), pauses(clock)
    while deliver_next(queue, {"slack": slack}, SETTINGS, clock, waits):
        pass
    assert (len(queue.given_up), len(slack.taken)) == (1, 1)


def test_a_message_that_alone_has_trouble_does_not_hold_up_those_behind_it() -> None:
    clock = ManualClock(START)
    poisoned = make_delivery(make_alert("POISON"))

    class Choosy(Recording):
        def send(self, delivery: Delivery) -> str | None:
            if delivery.id == poisoned.id:
                message = "not this one"
                raise Transient(message)
            return super().send(delivery)

    slack = Choosy()
    others = [make_delivery(make_alert(f"SYM{number}")) for number in range(30)]
    queue = MemoryQueue(poisoned, *others)
    deliver_all(queue, slack, clock=clock)
    assert slack.taken == [delivery.id for delivery in others]
    assert list(queue.given_up) == [poisoned.id]
    assert max(queue.sent.values()) <= START + timedelta(seconds=1), "they wait for its first failure only"


def test_while_the_mail_server_is_away_one_recipient_asks_for_all() -> None:
    clock = ManualClock(START)
    boxes = [Recording(f"email:{number}@example.com", [Unavailable("away")] * 99) for number in range(10)]
    queue = MemoryQueue(*(make_delivery(notifier=box.name) for box in boxes))
    waits = pauses(clock)
    while deliver_next(queue, {box.name: box for box in boxes}, SETTINGS, clock, waits):
        pass
    assert sum(box.tried for box in boxes) == 1


def test_a_recipient_who_is_greylisted_keeps_no_mail_from_the_others() -> None:
    clock = ManualClock(START)
    grey = Recording("email:grey@example.com", [Transient("451 try later")] * 99)
    others = [Recording(f"email:{number}@example.com") for number in range(3)]
    queue = MemoryQueue(*(make_delivery(notifier=box.name) for box in (grey, *others)))
    waits = pauses(clock)
    while deliver_next(queue, {box.name: box for box in (grey, *others)}, SETTINGS, clock, waits):
        pass
    assert [len(box.taken) for box in others] == [1, 1, 1]


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
