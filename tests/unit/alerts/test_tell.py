from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from alerts.monitor import Notice
from alerts.rules import QuietHours, Rule, RuleSet
from alerts.tell import Messages, address, hold_back, is_quiet
from bearometer.alert import Alert, AlertState, NotificationReason, Severity, Silence, Spike

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
NOW = AT + timedelta(minutes=1)
FIRING, ESCALATED, RESOLVED = NotificationReason.FIRING, NotificationReason.ESCALATED, NotificationReason.RESOLVED
REPEATED, ACKNOWLEDGED = NotificationReason.REPEATED, NotificationReason.ACKNOWLEDGED
NIGHT = QuietHours(time(22), time(6), "Europe/Zurich")


def alert(
    symbol: str = "ACME", rule: str = "spike", severity: Severity = Severity.WARNING, per_year: float = 0.01
) -> Alert:
    peak = Spike(symbol, AT - timedelta(days=1), AT, 9, 0.1, 1e-9, 9, per_year=per_year)
    return Alert(
        id=f"{rule}:{symbol}:{AT.isoformat()}",
        rule=rule,
        symbol=symbol,
        state=AlertState.FIRING,
        started_at=AT,
        peak=peak,
        fired_at=AT,
        severity=severity,
        told=peak,
        told_at=AT,
    )


def silence(symbol: str = "*", rule: str = "*", begins: int = -1, ends: int = 1) -> Silence:
    return Silence("s-1", symbol, rule, "ann", "known", AT + timedelta(hours=begins), AT + timedelta(hours=ends))


def held(
    notice: Notice,
    rule: Rule = Rule("spike"),  # noqa: B008 - a frozen value
    silences: Sequence[Silence] = (),
    others: Sequence[Alert] = (),
    other_rules: Sequence[Rule] = (),
    at: datetime = AT,
) -> str | None:
    rules = RuleSet((rule, *other_rules))
    said, back = hold_back([notice], at, rules, silences, [notice.alert, *others])
    assert len(said) + len(back) == 1
    return back[0].by if back else None


# Silences


@pytest.mark.parametrize(
    ("told_of", "silences", "by"),
    [
        (alert(), [], None),
        (alert(), [silence()], "silence s-1"),
        (alert(), [silence("ACME")], "silence s-1"),
        (alert(), [silence("AC*", "sp?ke")], "silence s-1"),
        (alert(), [silence("acme")], None),
        (alert(), [silence(rule="shock")], None),
        (alert(), [silence(begins=1, ends=2)], None),
        (alert(), [silence(begins=0)], "silence s-1"),
        (alert(), [silence(ends=0)], None),
        (alert("*"), [silence("market")], "silence s-1"),
        (alert("#Earnings"), [silence("#*")], "silence s-1"),
        (alert(), [silence("BOLT"), replace(silence("ACME"), id="s-2")], "silence s-2"),
    ],
)
@pytest.mark.parametrize("reason", list(NotificationReason))
def test_a_silence_holds_back_everything_that_it_matches_while_it_lasts(
    told_of: Alert, silences: list[Silence], by: str | None, reason: NotificationReason
) -> None:
    assert held(Notice(told_of, reason), silences=silences) == by


# Quiet hours

SUNDAY = timedelta(days=-1)


@pytest.mark.parametrize(
    ("hours", "at", "quiet"),
    [
        (NIGHT, AT, False),
        (NIGHT, AT.replace(hour=20, minute=59), False),  # Zurich is an hour ahead
        (NIGHT, AT.replace(hour=21), True),
        (NIGHT, AT.replace(hour=4, minute=59), True),
        (NIGHT, AT.replace(hour=5), False),
        (NIGHT, AT.replace(month=7, hour=20), True),  # and two hours in summer
        (NIGHT, AT.replace(month=7, hour=4), False),
        (QuietHours(time(9), time(17)), AT, True),
        (QuietHours(time(9), time(12)), AT, False),
        (QuietHours(time(0), time(0)), AT, True),
        (QuietHours(time(0), time(0), days=(5, 6)), AT, False),
        (QuietHours(time(0), time(0), days=(5, 6)), AT + SUNDAY, True),
        (QuietHours(time(22), time(6), days=(6,)), AT.replace(hour=3), True),  # Sunday's night goes into Monday
        (QuietHours(time(22), time(6), days=(6,)), AT.replace(hour=23), False),
        (QuietHours(time(22), time(6), days=(0,)), AT.replace(hour=3), False),
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall(hours: QuietHours, at: datetime, quiet: bool) -> None:
    assert is_quiet(hours, at) is quiet


@pytest.mark.parametrize(
    ("severity", "unless", "by"),
    [
        (Severity.INFO, Severity.CRITICAL, "quiet hours of rule spike"),
        (Severity.WARNING, Severity.CRITICAL, "quiet hours of rule spike"),
        (Severity.CRITICAL, Severity.CRITICAL, None),
        (Severity.CRITICAL, Severity.WARNING, None),
        (Severity.WARNING, Severity.WARNING, None),
        (Severity.INFO, Severity.WARNING, "quiet hours of rule spike"),
        (Severity.CRITICAL, None, "quiet hours of rule spike"),
    ],
)
def test_what_is_severe_enough_is_told_in_quiet_hours_too(
    severity: Severity, unless: Severity | None, by: str | None
) -> None:
    rule = Rule("spike", quiet_hours=(replace(NIGHT, unless=unless),))
    midnight = AT.replace(hour=23)
    assert held(Notice(alert(severity=severity), FIRING), rule, at=midnight) == by
    assert held(Notice(alert(severity=severity), RESOLVED), rule, at=midnight) == by
    assert held(Notice(alert(severity=severity), FIRING), rule, at=AT) is None
    assert held(Notice(alert(rule="other"), FIRING), rule, at=midnight) is None


# Inhibition

SHOCK = Rule("shock", symbols=("market",), inhibits=("*",))


@pytest.mark.parametrize(
    ("other", "rules", "by"),
    [
        (alert("*", "shock"), [], None),  # its rule is not there any more
        (alert("*", "shock"), [Rule("shock")], None),
        (alert("*", "shock"), [SHOCK], f"alert shock:*:{AT.isoformat()}"),
        (replace(alert("*", "shock"), state=AlertState.ACKNOWLEDGED), [SHOCK], f"alert shock:*:{AT.isoformat()}"),
        (replace(alert("*", "shock"), state=AlertState.PENDING), [SHOCK], None),
        (alert("*", "shock"), [replace(SHOCK, inhibits=("BOLT",))], None),
    ],
)
def test_a_firing_alert_holds_back_what_its_rule_inhibits(other: Alert, rules: list[Rule], by: str | None) -> None:
    for reason, held_by in [(FIRING, by), (ESCALATED, by), (REPEATED, by), (ACKNOWLEDGED, None), (RESOLVED, None)]:
        assert held(Notice(alert(), reason), others=[other], other_rules=rules) == held_by
    assert held(Notice(other, FIRING), others=[alert()], other_rules=rules) is None


def test_of_two_that_inhibit_each_other_the_earlier_one_is_told() -> None:
    rules = RuleSet((Rule("spike", inhibits=("*",)), SHOCK))
    later = replace(alert("*", "shock"), started_at=AT + timedelta(minutes=5))
    notices = [Notice(later, FIRING), Notice(alert(), FIRING)]
    said, back = hold_back(notices, AT, rules, [], [later, alert()])
    assert said == notices[1:]
    assert [each.by for each in back] == [f"alert {alert().id}"]


# Messages


def addressed(
    notices: Sequence[Notice],
    rules: RuleSet | None = None,
    names: Sequence[str] = ("mail", "slack"),
    sent: dict[str, int] | None = None,
    told: dict[str, set[str]] | None = None,
) -> Messages:
    return address(notices, AT, rules or RuleSet((Rule("spike"),)), names, sent=sent or {}, told=told or {}, now=NOW)


def ids(messages: Messages) -> list[str]:
    return [delivery.id.replace(AT.isoformat(), "T") for delivery in messages.deliveries]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (FIRING, "spike:ACME:T:firing:mail"),
        (ESCALATED, "spike:ACME:T:escalated@T:mail"),
        (REPEATED, "spike:ACME:T:repeated@T:mail"),
        (ACKNOWLEDGED, "spike:ACME:T:acknowledged@T:mail"),
        (RESOLVED, "spike:ACME:T:resolved:mail"),
    ],
)
def test_a_message_is_named_after_the_alert_the_reason_and_the_receiver(
    reason: NotificationReason, expected: str
) -> None:
    messages = addressed([Notice(alert(), reason)], names=["mail"], told={alert().id: {"mail"}})
    assert ids(messages) == [expected]
    [delivery] = messages.deliveries
    assert (delivery.alert, delivery.reason, delivery.attempts, delivery.next_attempt_at) == (alert(), reason, 0, NOW)


@pytest.mark.parametrize(
    ("routes", "receivers"),
    [
        (("*",), ["mail", "slack"]),
        (("mail",), ["mail"]),
        (("sl*", "mail"), ["mail", "slack"]),
        (("pager",), []),
        ((), []),
    ],
)
def test_a_rule_says_to_whom_its_alerts_go(routes: tuple[str, ...], receivers: list[str]) -> None:
    messages = addressed([Notice(alert(), FIRING)], RuleSet((Rule("spike", routes=routes),)))
    assert [delivery.notifier for delivery in messages.deliveries] == receivers


@pytest.mark.parametrize("reason", [RESOLVED, ACKNOWLEDGED])
def test_what_becomes_of_an_alert_is_told_to_whoever_was_told_of_it(reason: NotificationReason) -> None:
    rules = RuleSet((Rule("spike", routes=("mail",)),))
    messages = addressed([Notice(alert(), reason)], rules, told={alert().id: {"slack", "gone"}})
    assert [delivery.notifier for delivery in messages.deliveries] == ["slack"]
    assert addressed([Notice(alert(), reason)], rules) == Messages((), ())


def test_many_that_fire_at_once_are_one_message_that_leads_with_the_most_severe_and_then_the_least_likely() -> None:
    alerts = [
        alert("A", per_year=0.03),
        alert("B", per_year=0.001),
        alert("C", per_year=0.02),
        alert("D", severity=Severity.CRITICAL, per_year=0.04),
    ]
    messages = addressed([Notice(each, FIRING) for each in alerts], RuleSet((Rule("spike"),), group_at=4), ["mail"])
    [delivery] = messages.deliveries
    assert ids(messages) == ["spike:D:T:firing:mail"]
    assert [each.symbol for each in (delivery.alert, *delivery.others)] == ["D", "B", "C", "A"]


@pytest.mark.parametrize(("group_at", "messages"), [(3, 4), (4, 4), (2, 3), (1, 3)])
def test_few_that_fire_at_once_are_told_one_by_one_and_other_news_always_is(group_at: int, messages: int) -> None:
    notices = [Notice(alert(symbol), FIRING) for symbol in "AB"] + [Notice(alert(s), ESCALATED) for s in "CD"]
    rules = RuleSet((Rule("spike"),), group_at=group_at)
    assert len(addressed(notices, rules, ["mail"]).deliveries) == messages


def test_alerts_are_grouped_by_receiver() -> None:
    rules = RuleSet((Rule("spike"), Rule("loud", routes=("mail",))), group_at=2)
    notices = [Notice(alert("A", per_year=0.01), FIRING), Notice(alert("B", "loud", per_year=0.02), FIRING)]
    assert ids(addressed(notices, rules)) == ["spike:A:T:firing:mail", "spike:A:T:firing:slack"]
    assert [len(delivery.others) for delivery in addressed(notices, rules).deliveries] == [1, 0]


@pytest.mark.parametrize(
    ("sent", "queued", "dropped"),
    [
        (0, ["firing:C", "firing:A", "repeated:B"], []),
        (2, ["firing:C", "firing:A"], ["repeated:B"]),
        (3, ["firing:C"], ["firing:A", "repeated:B"]),
        (9, [], ["firing:C", "firing:A", "repeated:B"]),
    ],
)
def test_beyond_the_cap_the_least_severe_and_then_the_likeliest_are_dropped(
    sent: int, queued: list[str], dropped: list[str]
) -> None:
    notices = [
        Notice(alert("A", per_year=0.01), FIRING),
        Notice(alert("B", per_year=0.02), REPEATED),
        Notice(alert("C", severity=Severity.CRITICAL, per_year=0.03), FIRING),
    ]
    messages = addressed(notices, RuleSet((Rule("spike"),), route_cap_per_hour=4), sent={"mail": sent}, names=["mail"])
    assert [f"{d.reason}:{d.alert.symbol}" for d in messages.deliveries] == queued
    assert [f"{d.reason}:{d.alert.symbol}" for d in messages.dropped] == dropped


def test_an_end_goes_first_and_is_never_dropped() -> None:
    notices = [Notice(alert("A"), FIRING), Notice(alert("B"), RESOLVED)]
    told = {alert("B").id: {"mail", "slack"}}
    rules = RuleSet((Rule("spike"),), route_cap_per_hour=1)
    messages = addressed(notices, rules, sent={"slack": 7}, told=told)
    assert ids(messages) == ["spike:B:T:resolved:mail", "spike:B:T:resolved:slack"]
    assert [(d.alert.symbol, d.notifier) for d in messages.dropped] == [("A", "mail"), ("A", "slack")]


def test_the_same_notices_make_the_same_messages_in_whatever_order_they_come() -> None:
    notices = [Notice(alert(symbol, per_year=0.01), reason) for symbol in "ABC" for reason in (FIRING, ESCALATED)]
    rules = RuleSet((Rule("spike"),), group_at=3, route_cap_per_hour=2)
    assert addressed(notices, rules) == addressed(notices[::-1], rules)
