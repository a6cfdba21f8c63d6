"""A monitor that has followed another one goes on as one does that starts anew: it only has its detectors running."""

import random
from collections.abc import Sequence
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.monitor import Advance, Monitor, first_needed
from alerts.rules import RuleSet
from bearometer.alert import Alert, AlertState
from bearometer.mention import SeenMention
from tests.unit.alerts.test_monitor import (
    DAY,
    HISTORY,
    HOUR,
    MINUTE,
    ONE,
    START,
    chatter,
    crash,
    polls,
    recent,
    timelines,
)

POLLS = 14 * 24 * 3
numbers = st.integers(1, POLLS - 2)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(timelines(), st.sets(numbers, min_size=1, max_size=40), numbers, st.integers(0, 2), st.integers(0, 3))
def test_who_has_followed_says_what_one_says_that_starts_anew(
    timeline: tuple[RuleSet, Sequence[tuple[datetime, SeenMention]]], looks: set[int], end: int, ahead: int, busy: int
) -> None:
    """The standby knows `ahead` polls more than who evaluates; it has time for `busy` symbols a look, or for all."""
    rules, known = timeline
    all_polls = polls(known)
    evaluating, standby = Monitor(rules, 7), Monitor(rules, 7)
    stored: dict[str, Alert] = {}
    read = 0

    def look(number: int) -> None:
        nonlocal read, standby
        as_of = evaluating.as_of
        if read == 0:
            standby = Monitor(rules, 7, as_of)
        until = min(number + ahead, POLLS)
        standby.add(m for _, new in all_polls[read:until] for m in new)
        read = until
        if as_of is not None:
            times = iter(range(busy))
            standby.follow(as_of, lambda: busy > 0 and next(times, None) is None)

    for number, (watermark, new) in enumerate(all_polls[:end]):
        if number in looks:
            look(number)
        evaluating.add(new)
        stored |= {alert.id: alert for alert in evaluating.advance(watermark).alerts}
    as_of = evaluating.as_of
    assert as_of is not None
    alerts = recent(stored.values(), as_of)
    standby.follow(as_of)
    standby.take_over(alerts)
    assert standby.as_of == as_of

    anew = Monitor(rules, 7, as_of, alerts)
    seen = [m for _, new in all_polls[: max(read, end)] for m in new if m.published_at >= first_needed(as_of, 7)]
    random.Random(end).shuffle(seen)
    anew.add(seen)
    standby.add(m for _, new in all_polls[read : max(read, end)] for m in new)
    for watermark, new in [(all_polls[end][0], []), *all_polls[max(read, end) :]]:
        anew.add(new)
        standby.add(new)
        said, expected = standby.advance(watermark), anew.advance(watermark)
        assert said.notices == expected.notices
        assert {alert.id: alert for alert in said.alerts} == {alert.id: alert for alert in expected.alerts}
        assert standby.open_alerts() == anew.open_alerts()


def test_who_follows_judges_nothing() -> None:
    at = START + 14 * DAY
    standby = Monitor(ONE, HISTORY)
    standby.add(chatter(14, 1) + crash(at))
    standby.follow(at + HOUR)
    assert standby.as_of == at + HOUR
    assert standby.open_alerts() == ()
    assert standby.advance(at + HOUR) == Advance()


def test_what_nobody_has_looked_at_is_looked_at_on_the_next_tick() -> None:
    """The crash became known late, and to the standby alone: who evaluates was at work on an earlier poll."""
    at = START + 14 * DAY
    standby = Monitor(ONE, HISTORY, at)
    standby.add(chatter(14, 1) + crash(at))
    standby.follow(at + HOUR)
    standby.take_over(())
    assert next(n.alert.started_at for n in standby.advance(at + 4 * HOUR).notices) == at + HOUR + 5 * MINUTE


def test_who_takes_over_looks_after_the_alerts_as_they_were_stored() -> None:
    at = START + 14 * DAY
    first = Monitor(ONE, HISTORY)
    first.add(chatter(14, 1) + crash(at))
    [alert] = first.advance(at + HOUR).alerts
    standby = Monitor(ONE, HISTORY)
    standby.add(chatter(14, 1) + crash(at))
    standby.follow(at + HOUR)
    standby.take_over([alert])
    assert standby.open_alerts() == (alert,)
    assert standby.advance(at + 3 * DAY) == first.advance(at + 3 * DAY)
    assert first.open_alerts() == ()
    assert alert.state is AlertState.FIRING


def test_the_detectors_of_who_follows_are_running() -> None:
    standby = Monitor(ONE, HISTORY, START + 10 * DAY)
    standby.add(m for n in range(5) for m in chatter(14, 4, f"S{n}", seed=n))
    assert not any(watched.is_running for watched in standby._watched.values())
    standby.follow(START + 10 * DAY)
    assert all(watched.is_running for watched in standby._watched.values())
    standby.add(chatter(9, 1, "S1", seed=9))
    assert not standby._watched["S1"].is_running
    standby.follow(START + 10 * DAY)
    assert all(watched.is_running for watched in standby._watched.values())
