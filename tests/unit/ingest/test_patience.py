import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Failed, Transient
from ingest.patience import Patience, keep_reading, pause

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_waits_double_up_to_a_limit_and_start_over() -> None:
    patience = Patience(1.0, 10.0, random.Random(1))
    waits = [patience.after(Transient("x")) for _ in range(30)]
    for wait, middle in zip(waits, [1, 2, 4, 8, *[10] * 26], strict=True):
        assert 0.8 * middle <= wait <= 1.2 * middle
    assert len(set(waits)) > 20
    patience.reset()
    assert patience.after(Transient("x")) <= 1.2


def test_the_wait_is_at_least_what_the_server_asks_for() -> None:
    assert Patience(1.0, 10.0).after(Transient("x", 500.0)) == 500.0


def test_a_pause_gives_nothing_several_times_a_second() -> None:
    clock = ManualClock(NOW)
    assert 5 <= len(list(pause(clock, 1.0))) <= 6
    assert clock.monotonic() == pytest.approx(1.0, abs=0.01)


def test_sessions_follow_each_other_and_their_trouble_is_told() -> None:
    clock, told = ManualClock(NOW), list[str]()
    sessions: Iterator[list[int | Exception | None]] = iter(
        [[1, None, Transient("gone", 30.0)], [2], [3, Failed("refused")]]
    )

    def session() -> Iterator[int | None]:
        for item in next(sessions):
            if isinstance(item, Exception):
                raise item
            yield item

    given: list[int] = []

    def read_all() -> None:
        for item in keep_reading(session, Patience(1.0, 9.0), clock, told.append):
            if item is not None:
                given.append(item)

    with pytest.raises(Failed, match="refused"):
        read_all()
    assert given == [1, 2, 3]
    assert told[0] == "gone; tried again in 30 s"
    assert "closed the connection" in told[1]
    assert clock.monotonic() >= 30.8


def test_a_connection_that_held_long_is_followed_by_a_first_wait() -> None:
    clock, told = ManualClock(NOW), list[str]()

    def session() -> Iterator[int | None]:
        clock.advance(timedelta(minutes=2))
        yield None
        message = "gone"
        raise Transient(message)

    for _ in itertools.takewhile(
        lambda _: len(told) < 5, keep_reading(session, Patience(1.0, 99.0), clock, told.append)
    ):
        pass
    assert set(told) == {"gone; tried again in 1 s"}


def test_once_it_ends_when_nothing_more_comes_or_raises_what_is_wrong() -> None:
    clock = ManualClock(NOW)
    assert list(keep_reading(lambda: iter([None, 1, 2, None, 3]), Patience(1, 9), clock, print, once=True)) == [
        None,
        1,
        2,
        None,
    ]

    def silent() -> Iterator[int | None]:
        while True:
            clock.advance(timedelta(seconds=1))
            yield None

    assert len(list(keep_reading(silent, Patience(1, 9), clock, print, once=True))) == 11

    def busy() -> Iterator[int | None]:
        while True:
            clock.advance(timedelta(seconds=1))
            yield 1

    assert len(list(keep_reading(busy, Patience(1, 9), clock, print, once=True))) == 11
    with pytest.raises(Failed, match="closed the connection"):
        list(keep_reading(lambda: iter([None]), Patience(1, 9), clock, print, once=True))
