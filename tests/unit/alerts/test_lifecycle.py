from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.lifecycle import alert_id, follow, is_over_and_done
from alerts.spike import Look
from bearometer.alert import Alert, AlertState, NotificationReason, Spike
from bearometer.settings import AlertSettings

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
OVER, BETWEEN, QUIET = "over", "between", "quiet"
FIRING, RESOLVED = NotificationReason.FIRING, NotificationReason.RESOLVED


def look(tick: int, kind: str, p_value: float | None = None) -> Look:
    p = p_value if p_value is not None else {OVER: 1e-9, BETWEEN: 1e-3, QUIET: 0.7}[kind]
    end = START + tick * STEP
    spike = Spike("ACME", end - timedelta(days=1), end, negative=9, expected=0.1, p_value=p, authors=9)
    return Look(spike, over=kind == OVER, quiet=kind == QUIET)


def told(kinds: Sequence[str], **changes: object) -> tuple[list[tuple[int, NotificationReason]], list[Alert]]:
    """What was told at which tick, and every alert in its last state."""
    settings = AlertSettings.model_validate({"clear_seconds": 600, "cooldown_seconds": 1200, **changes})
    alert: Alert | None = None
    notices, alerts = [], {}
    for tick, kind in enumerate(kinds):
        alert, reason = follow(alert, look(tick, kind), settings)
        if alert is not None:
            alerts[alert.id] = alert
        if reason is not None:
            notices.append((tick, reason))
    return notices, list(alerts.values())


O, B, Q = OVER, BETWEEN, QUIET  # noqa: E741 - columns of a table


@pytest.mark.parametrize(
    ("kinds", "changes", "expected"),
    [
        ([Q, B, Q], {}, []),
        ([O], {}, [(0, FIRING)]),
        ([O, O, B, O], {}, [(0, FIRING)]),
        ([O, Q, Q], {}, [(0, FIRING)]),
        ([O, Q, Q, Q], {}, [(0, FIRING), (3, RESOLVED)]),
        ([O, Q, Q, B, Q, Q, Q], {}, [(0, FIRING), (6, RESOLVED)]),
        ([O, Q, Q, Q], {"notify_resolved": False}, [(0, FIRING)]),
        ([O, Q], {"clear_seconds": 0}, [(0, FIRING), (1, RESOLVED)]),
        ([O, Q, O, O, O, O, O], {"clear_seconds": 0}, [(0, FIRING), (1, RESOLVED), (5, FIRING)]),
        ([O, Q, O], {"clear_seconds": 0, "cooldown_seconds": 0}, [(0, FIRING), (1, RESOLVED), (2, FIRING)]),
        ([O, O, O], {"pending_seconds": 600}, [(2, FIRING)]),
        ([O, B, B], {"pending_seconds": 600}, [(2, FIRING)]),
        ([O, O, Q, O, O, O], {"pending_seconds": 600}, [(5, FIRING)]),
    ],
)
def test_people_are_told_at_the_right_ticks(
    kinds: list[str], changes: dict[str, object], expected: list[tuple[int, NotificationReason]]
) -> None:
    assert told(kinds, **changes)[0] == expected


def test_an_alert_is_named_after_its_start() -> None:
    _, [alert] = told([Q, O, B])
    assert (
        alert.id == alert_id("negative-spike", "ACME", START + STEP) == "negative-spike:ACME:2026-03-02T00:05:00+00:00"
    )
    assert alert.started_at == alert.fired_at == START + STEP


def test_a_pending_alert_that_clears_is_resolved_and_nobody_hears_of_it() -> None:
    notices, [alert] = told([O, Q], pending_seconds=600)
    assert notices == []
    assert alert.state is AlertState.RESOLVED
    assert alert.fired_at is None


def test_the_peak_is_the_least_likely_look() -> None:
    settings = AlertSettings()
    alert, _ = follow(None, look(0, OVER, 1e-8), settings)
    assert alert is not None
    alert, _ = follow(alert, look(1, OVER, 1e-12), settings)
    assert alert is not None
    after, _ = follow(alert, look(2, OVER, 1e-10), settings)
    assert after is alert
    assert alert.peak.p_value == 1e-12
    assert alert.started_at == START


def test_a_look_that_changes_nothing_gives_the_same_object() -> None:
    settings = AlertSettings()
    alert, _ = follow(None, look(0, OVER), settings)
    assert follow(alert, look(1, BETWEEN), settings) == (alert, None)
    assert follow(alert, look(1, BETWEEN), settings)[0] is alert


kinds = st.lists(st.sampled_from([OVER, BETWEEN, QUIET]), max_size=60)
timings = st.fixed_dictionaries(
    {
        "pending_seconds": st.integers(0, 4).map(lambda n: n * 300),
        "clear_seconds": st.integers(0, 4).map(lambda n: n * 300),
        "cooldown_seconds": st.integers(0, 6).map(lambda n: n * 300),
    }
)


@given(kinds, timings)
def test_every_firing_is_followed_by_at_most_one_end_before_the_next(
    kinds: list[str], timing: dict[str, object]
) -> None:
    notices, alerts = told(kinds, **timing)
    assert [reason for _, reason in notices] == ([FIRING, RESOLVED] * len(notices))[: len(notices)]
    assert len([a for a in alerts if a.state is not AlertState.RESOLVED]) <= 1
    assert len([a for a in alerts if a.fired_at is not None]) == sum(reason is FIRING for _, reason in notices)


@given(kinds, timings)
def test_times_of_an_alert_are_in_order_and_keep_the_waits(kinds: list[str], timing: dict[str, object]) -> None:
    settings = AlertSettings.model_validate(timing)
    _, alerts = told(kinds, **timing)
    ended: datetime | None = None
    for alert in alerts:
        if alert.fired_at is not None:
            assert alert.fired_at - alert.started_at >= timedelta(seconds=settings.pending_seconds)
            if alert.resolved_at is not None:
                assert alert.quiet_since is not None
                assert alert.resolved_at - alert.quiet_since >= timedelta(seconds=settings.clear_seconds)
        if ended is not None:
            assert alert.started_at - ended >= timedelta(seconds=settings.cooldown_seconds)
        if alert.resolved_at is not None and alert.fired_at is not None:
            ended = alert.resolved_at


@given(kinds, timings, st.integers(0, 60))
def test_a_look_that_comes_again_changes_nothing(kinds: list[str], timing: dict[str, object], at: int) -> None:
    settings = AlertSettings.model_validate(timing)
    alert: Alert | None = None
    for tick, kind in enumerate(kinds):
        alert, _ = follow(alert, look(tick, kind), settings)
        if tick == at:
            assert follow(alert, look(tick, kind), settings) == (alert, None)


def test_an_open_alert_is_never_over_and_done() -> None:
    alert, _ = follow(None, look(0, OVER), AlertSettings())
    assert alert is not None
    assert not is_over_and_done(alert, START + timedelta(days=365), AlertSettings())
