from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.lifecycle import acknowledge, alert_id, end_is_untold, follow, hold, is_over_and_done, resolve
from alerts.rules import Rule
from alerts.spike import Look
from bearometer.alert import Acknowledgement, Alert, AlertState, NotificationReason, Severity, Spike

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
OVER, WORSE, BETWEEN, QUIET = "over", "worse", "between", "quiet"
FIRING, ESCALATED, RESOLVED = NotificationReason.FIRING, NotificationReason.ESCALATED, NotificationReason.RESOLVED
REPEATED, ACKNOWLEDGED = NotificationReason.REPEATED, NotificationReason.ACKNOWLEDGED
P_VALUES = {OVER: 1e-6, WORSE: 1e-12, BETWEEN: 1e-3, QUIET: 0.7}
RULE = Rule("negative-spike")


def look(tick: int, kind: str, p_value: float | None = None, per_year: float | None = None) -> Look:
    p = p_value if p_value is not None else P_VALUES[kind]
    end = START + tick * STEP
    spike = Spike(
        "ACME", end - timedelta(days=1), end, negative=9, expected=0.1, p_value=p, authors=9, per_year=per_year
    )
    return Look(spike, over=kind in (OVER, WORSE), quiet=kind == QUIET)


def by(tick: int, who: str = "ann") -> Acknowledgement:
    return Acknowledgement(who, START + tick * STEP, "I look into it")


def rule_of(changes: dict[str, int]) -> Rule:
    return replace(RULE, **{"clear_seconds": 600, "cooldown_seconds": 1200, **changes})  # type: ignore[arg-type]


def told(kinds: Sequence[str], **changes: int) -> tuple[list[tuple[int, NotificationReason]], list[Alert]]:
    """What was told at which tick, and every alert in its last state; `ack` and `end` are a person's words."""
    rule = rule_of(changes)
    alert: Alert | None = None
    notices: list[tuple[int, NotificationReason]] = []
    alerts = {}
    for tick, kind in enumerate(kinds):
        reason: NotificationReason | None = None
        if kind in ("ack", "end"):
            assert alert is not None
            alert, reason = (acknowledge if kind == "ack" else resolve)(alert, by(tick))
        else:
            alert, reason = follow(alert, look(tick, kind), rule)
        if alert is not None:
            alerts[alert.id] = alert
        if reason is not None:
            notices.append((tick, reason))
    return notices, list(alerts.values())


def firing(tick: int = 0) -> Alert:
    alert, _ = follow(None, look(tick, OVER), RULE)
    assert alert is not None
    return alert


O, W, B, Q = OVER, WORSE, BETWEEN, QUIET  # noqa: E741 - columns of a table


@pytest.mark.parametrize(
    ("kinds", "changes", "expected"),
    [
        ([Q, B, Q], {}, []),
        ([O], {}, [(0, FIRING)]),
        ([O, O, B, O], {}, [(0, FIRING)]),
        ([O, Q, Q], {}, [(0, FIRING)]),
        ([O, Q, Q, Q], {}, [(0, FIRING), (3, RESOLVED)]),
        ([O, Q, Q, B, Q, Q, Q], {}, [(0, FIRING), (6, RESOLVED)]),
        ([O, Q], {"clear_seconds": 0}, [(0, FIRING), (1, RESOLVED)]),
        ([O, Q, O, O, O, O, O], {"clear_seconds": 0}, [(0, FIRING), (1, RESOLVED), (5, FIRING)]),
        ([O, Q, O], {"clear_seconds": 0, "cooldown_seconds": 0}, [(0, FIRING), (1, RESOLVED), (2, FIRING)]),
        ([O, O, O], {"pending_seconds": 600}, [(2, FIRING)]),
        ([O, B, B], {"pending_seconds": 600}, [(2, FIRING)]),
        ([O, O, Q, O, O, O], {"pending_seconds": 600}, [(5, FIRING)]),
        # Much worse than what was told
        ([O, W, W, W], {}, [(0, FIRING), (1, ESCALATED)]),
        ([O, W, O, W], {}, [(0, FIRING), (1, ESCALATED)]),
        ([O, W], {"escalate_factor": 10**10}, [(0, FIRING)]),
        ([O, W, O], {"pending_seconds": 600}, [(2, FIRING)]),
        ([O, Q, W, W], {"clear_seconds": 0}, [(0, FIRING), (1, RESOLVED), (2, FIRING)]),
        ([O, Q, W, W], {"clear_seconds": 0, "pending_seconds": 600}, []),
        ([O, B, Q, W], {"clear_seconds": 0, "pending_seconds": 300}, [(1, FIRING), (2, RESOLVED), (3, FIRING)]),
        ([O, W, Q, W], {"clear_seconds": 0}, [(0, FIRING), (1, ESCALATED), (2, RESOLVED)]),
        # Again and again while nobody has taken it on
        ([O, B, B, B, B], {"repeat_seconds": 600}, [(0, FIRING), (2, REPEATED), (4, REPEATED)]),
        ([O, W, B, B], {"repeat_seconds": 600}, [(0, FIRING), (1, ESCALATED), (3, REPEATED)]),
        ([O, Q, Q, Q], {"repeat_seconds": 300, "clear_seconds": 900}, [(0, FIRING)]),
        # What people do
        ([O, "ack", B, B, B], {"repeat_seconds": 600}, [(0, FIRING), (1, ACKNOWLEDGED)]),
        ([O, "ack", W, B, B], {}, [(0, FIRING), (1, ACKNOWLEDGED), (2, ESCALATED)]),
        (
            [O, "ack", W, B, B],
            {"repeat_seconds": 600},
            [(0, FIRING), (1, ACKNOWLEDGED), (2, ESCALATED), (4, REPEATED)],
        ),
        ([O, "ack", Q, Q, Q], {}, [(0, FIRING), (1, ACKNOWLEDGED), (4, RESOLVED)]),
        ([O, "ack", "ack"], {}, [(0, FIRING), (1, ACKNOWLEDGED), (2, ACKNOWLEDGED)]),
        ([O, "end", "ack", "end"], {}, [(0, FIRING), (1, RESOLVED)]),
        ([O, "end", O, O, O, O], {}, [(0, FIRING), (1, RESOLVED), (5, FIRING)]),
        ([O, "end", W], {}, [(0, FIRING), (1, RESOLVED), (2, FIRING)]),
        ([O, "end", O, O, O, O], {"pending_seconds": 600}, []),
        ([O, "ack", O, O, Q, Q, Q], {"pending_seconds": 600}, [(1, ACKNOWLEDGED), (6, RESOLVED)]),
    ],
)
def test_people_are_told_at_the_right_ticks(
    kinds: list[str], changes: dict[str, int], expected: list[tuple[int, NotificationReason]]
) -> None:
    assert told(kinds, **changes)[0] == expected


def test_an_alert_is_named_after_its_start() -> None:
    _, [alert] = told([Q, O, B])
    assert (
        alert.id == alert_id("negative-spike", "ACME", START + STEP) == "negative-spike:ACME:2026-03-02T00:05:00+00:00"
    )
    assert alert.started_at == alert.fired_at == START + STEP


def test_an_alert_has_the_severity_and_the_name_of_its_rule() -> None:
    alert, _ = follow(None, look(0, OVER), Rule("shock", severity=Severity.CRITICAL))
    assert alert is not None
    assert (alert.rule, alert.severity, alert.id.partition(":")[0]) == ("shock", Severity.CRITICAL, "shock")


def test_a_pending_alert_that_clears_is_resolved_and_nobody_hears_of_it() -> None:
    notices, [alert] = told([O, Q], pending_seconds=600)
    assert notices == []
    assert alert.state is AlertState.RESOLVED
    assert alert.fired_at is None
    assert alert.told_at is None


def test_the_peak_is_the_least_likely_look() -> None:
    alert, _ = follow(None, look(0, OVER, 1e-8), RULE)
    assert alert is not None
    alert, _ = follow(alert, look(1, OVER, 1e-10), RULE)
    assert alert is not None
    after, _ = follow(alert, look(2, OVER, 1e-9), RULE)
    assert after is alert
    assert alert.peak.p_value == 1e-10
    assert alert.started_at == START


def test_windows_of_different_lengths_compare_by_what_a_year_would_bring() -> None:
    alert, _ = follow(None, look(0, OVER, 1e-8, per_year=0.05), RULE)
    assert alert is not None
    alert, _ = follow(alert, look(1, OVER, 1e-4, per_year=0.01), RULE)
    assert alert is not None
    assert alert.peak.per_year == 0.01
    assert follow(alert, look(2, OVER, 1e-30, per_year=0.02), RULE)[0] is alert


@pytest.mark.parametrize(
    ("per_year", "reasons"),
    [
        ([0.05, 1e-4, 5e-5, 5e-8], [FIRING, ESCALATED]),
        ([0.05, 1e-9, 1e-12, 1e-300, 0.0], [FIRING, ESCALATED]),  # once in a million years is as rare as anything
        ([1e-4, 1e-12], [FIRING]),
        ([1e-2, 0.0, 0.0], [FIRING, ESCALATED]),
    ],
)
def test_what_grows_all_day_escalates_only_as_long_as_the_odds_mean_something(
    per_year: list[float], reasons: list[NotificationReason]
) -> None:
    alert: Alert | None = None
    seen = []
    for tick, each in enumerate(per_year):
        alert, reason = follow(alert, look(tick, OVER, 1e-9, each), RULE)
        seen += [reason] if reason else []
    assert seen == reasons


def test_an_escalation_brings_an_acknowledged_alert_back_to_firing_and_keeps_who_had_it() -> None:
    _, [alert] = told([O, "ack", W])
    assert alert.state is AlertState.FIRING
    assert alert.acknowledged == by(1)
    assert alert.told == alert.peak
    assert alert.told_at == START + 2 * STEP


def test_of_two_who_take_an_alert_on_at_one_moment_the_last_one_has_it_and_one_message_is_told() -> None:
    first, reason = acknowledge(firing(), by(1))
    assert reason is ACKNOWLEDGED
    second, reason = acknowledge(first, by(1, "bob"))
    assert (second.acknowledged, reason) == (by(1, "bob"), None)


def test_who_ends_an_alert_by_hand_is_kept_unless_somebody_had_taken_it_on() -> None:
    _, [ended] = told([O, "end"])
    assert (ended.state, ended.resolved_at, ended.acknowledged) == (AlertState.RESOLVED, START + STEP, by(1))
    _, [ended] = told([O, "ack", "end"])
    assert ended.acknowledged == by(1)
    assert not end_is_untold(ended)


def test_a_look_that_changes_nothing_gives_the_same_object() -> None:
    alert = firing()
    assert follow(alert, look(1, BETWEEN), RULE) == (alert, None)
    assert follow(alert, look(1, BETWEEN), RULE)[0] is alert


# Messages that were held back


def test_a_firing_that_was_held_back_is_given_again_at_each_look_until_it_is_told() -> None:
    alert = firing()
    for tick in range(1, 4):
        alert = hold(alert, FIRING, None)
        again, reason = follow(alert, look(tick, BETWEEN), RULE)
        assert again is not None
        assert (reason, again.told_at, again.fired_at) == (FIRING, START + tick * STEP, START)
        alert = again
    assert follow(alert, look(4, BETWEEN), RULE) == (alert, None)


def test_a_firing_that_was_held_back_is_not_told_while_it_is_quiet() -> None:
    alert: Alert | None = hold(firing(), FIRING, None)
    reasons = []
    for tick, kind in enumerate([QUIET, QUIET, BETWEEN], start=1):
        alert, reason = follow(alert, look(tick, kind), RULE)
        reasons.append(reason)
    assert reasons == [None, None, FIRING]


def test_of_an_alert_that_nobody_was_told_of_no_end_is_told_and_it_has_no_cooldown() -> None:
    rule = rule_of({"clear_seconds": 0})
    alert = hold(firing(), FIRING, None)
    ended, reason = follow(alert, look(1, QUIET), rule)
    assert ended is not None
    assert (ended.state, reason, end_is_untold(ended)) == (AlertState.RESOLVED, None, False)
    assert is_over_and_done(ended, START + 2 * STEP, rule)


def test_an_escalation_that_was_held_back_leaves_the_alert_with_who_has_taken_it_on() -> None:
    alert, _ = acknowledge(firing(), by(1))
    worse, reason = follow(alert, look(2, WORSE), RULE)
    assert worse is not None
    assert reason is ESCALATED
    held = hold(worse, ESCALATED, alert)
    assert (held.state, held.told, held.peak) == (AlertState.ACKNOWLEDGED, alert.told, worse.peak)
    assert follow(held, look(3, BETWEEN), RULE)[1] is ESCALATED


def test_an_end_that_was_held_back_is_known_as_untold() -> None:
    alert = firing()
    ended, reason = resolve(alert, by(1))
    assert reason is RESOLVED
    assert not end_is_untold(ended)
    assert end_is_untold(hold(ended, RESOLVED, alert))


def test_who_takes_on_what_nobody_was_told_of_knows_of_it() -> None:
    alert, reason = acknowledge(hold(firing(), FIRING, None), by(1))
    assert reason is ACKNOWLEDGED
    assert alert.told == alert.peak
    assert follow(alert, look(2, BETWEEN), RULE) == (alert, None)
    assert follow(alert, look(2, WORSE), RULE)[1] is ESCALATED


kinds = st.lists(st.sampled_from([OVER, WORSE, BETWEEN, QUIET]), max_size=60)
timings = st.fixed_dictionaries(
    {
        "pending_seconds": st.integers(0, 4).map(lambda n: n * 300),
        "clear_seconds": st.integers(0, 4).map(lambda n: n * 300),
        "cooldown_seconds": st.integers(0, 6).map(lambda n: n * 300),
    },
    optional={"repeat_seconds": st.integers(1, 4).map(lambda n: n * 300)},
)


@given(kinds, timings)
def test_every_firing_is_followed_by_at_most_one_end_before_the_next(kinds: list[str], timing: dict[str, int]) -> None:
    notices, alerts = told(kinds, **timing)
    ends = [reason for _, reason in notices if reason in (FIRING, RESOLVED)]
    assert ends == ([FIRING, RESOLVED] * len(ends))[: len(ends)]
    assert len([a for a in alerts if a.state is not AlertState.RESOLVED]) <= 1
    assert len([a for a in alerts if a.fired_at is not None]) == sum(reason is FIRING for _, reason in notices)


@given(kinds, timings)
def test_times_of_an_alert_are_in_order_and_keep_the_waits(kinds: list[str], timing: dict[str, int]) -> None:
    rule = rule_of(timing)
    _, alerts = told(kinds, **timing)
    ended: Alert | None = None
    for alert in alerts:
        breaks = ended is not None and alert.started_at - ended.resolved_at < timedelta(seconds=rule.cooldown_seconds)  # type: ignore[operator]
        if breaks:
            assert ended is not None
            assert alert.peak.p_value * rule.escalate_factor <= ended.peak.p_value
        if alert.fired_at is not None:
            assert alert.fired_at - alert.started_at >= timedelta(seconds=0 if breaks else rule.pending_seconds)
            if alert.resolved_at is not None:
                assert alert.quiet_since is not None
                assert alert.resolved_at - alert.quiet_since >= timedelta(seconds=rule.clear_seconds)
        if alert.resolved_at is not None and alert.fired_at is not None:
            ended = alert


@given(kinds, timings, st.integers(0, 60))
def test_a_look_that_comes_again_changes_nothing(kinds: list[str], timing: dict[str, int], at: int) -> None:
    rule = rule_of(timing)
    alert: Alert | None = None
    for tick, kind in enumerate(kinds):
        alert, _ = follow(alert, look(tick, kind), rule)
        if tick == at:
            assert follow(alert, look(tick, kind), rule) == (alert, None)


def test_an_open_alert_is_never_over_and_done() -> None:
    assert not is_over_and_done(firing(), START + timedelta(days=365), RULE)
