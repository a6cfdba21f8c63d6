import pytest

from bearometer.errors import Failed
from stream.dead_letter import DeadLetterGuard


def test_a_few_dead_letters_are_let_through() -> None:
    guard = DeadLetterGuard(max_share=0.5)
    for _ in range(100):
        guard.check(messages=64, dead=10)


def test_a_flood_of_dead_letters_stops_the_worker() -> None:
    guard = DeadLetterGuard(max_share=0.5)
    guard.check(messages=40, dead=0)
    with pytest.raises(Failed, match="60 of the last 100 messages"):
        guard.check(messages=60, dead=60)


def test_a_handful_of_messages_is_too_few_to_call_a_flood() -> None:
    DeadLetterGuard(max_share=0.5).check(messages=49, dead=49)


def test_good_messages_of_long_ago_do_not_hide_a_flood() -> None:
    guard = DeadLetterGuard(max_share=0.5)
    guard.check(messages=100_000, dead=0)
    for _ in range(7):
        guard.check(messages=64, dead=0)
    with pytest.raises(Failed):
        for _ in range(8):
            guard.check(messages=64, dead=64)


def test_the_guard_can_be_told_to_let_everything_through() -> None:
    guard = DeadLetterGuard(max_share=1.0)
    for _ in range(20):
        guard.check(messages=64, dead=64)
