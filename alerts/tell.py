"""Who is told what: from the notices of a moment to messages, or to the reason why nothing is said.

Pure, in two steps: `hold_back` takes out what must not be said now, and `address` makes messages of the rest.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from alerts.monitor import Notice
from alerts.rules import QuietHours, Rule, RuleSet
from alerts.spike import yearly
from bearometer.alert import Alert, AlertState, Delivery, NotificationReason, Severity, Silence
from bearometer.post import MARKET, source_of

__all__ = ["FOR_WHO_WAS_TOLD", "Held", "Messages", "address", "hold_back", "is_quiet"]

DAY = timedelta(days=1)
FOR_WHO_WAS_TOLD = (NotificationReason.ACKNOWLEDGED, NotificationReason.RESOLVED)
"""What is said only to those who know of the alert, wherever the rule's route leads by now."""
SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Held:
    """People are not told this now."""

    notice: Notice
    by: str
    """Why, for the log: `silence s-12`."""


@dataclass(frozen=True, slots=True)
class Messages:
    """What to queue, and what the receivers' caps keep back for good."""

    deliveries: tuple[Delivery, ...]
    dropped: tuple[Delivery, ...]


def hold_back(
    notices: Iterable[Notice], at: datetime, rules: RuleSet, silences: Collection[Silence], open_alerts: Iterable[Alert]
) -> tuple[list[Notice], list[Held]]:
    """What can be said at `at`, and what must be held back; both in the order of the notices.

    A silence that matches and has begun and not ended holds back everything. Quiet hours of the alert's rule hold
    back what is not severe enough. A firing alert whose rule inhibits the symbol holds back all but the end. Where
    two inhibit each other the earlier one does; all times are event times. That posts do not come is held back by no
    other alert, and by a silence of everything (`*`) or of sources' keys only.
    """
    by_name = rules.by_name()
    active = [silence for silence in silences if silence.starts_at <= at < silence.ends_at]
    inhibiting = [
        alert
        for alert in open_alerts
        if alert.state is not AlertState.PENDING and alert.rule in by_name and by_name[alert.rule].inhibits
    ]
    said, held = [], []
    for notice in notices:
        by = (
            _silenced(notice.alert, active)
            or _in_quiet_hours(notice.alert, at, by_name.get(notice.alert.rule))
            or (_inhibited(notice.alert, inhibiting, by_name) if _is_news(notice) else None)
        )
        if by is None:
            said.append(notice)
        else:
            held.append(Held(notice, by))
    return said, held


def address(
    said: Sequence[Notice],
    at: datetime,
    rules: RuleSet,
    notifiers: Sequence[str],
    *,
    sent: Mapping[str, int],
    told: Mapping[str, Collection[str]],
    now: datetime,
) -> Messages:
    """The messages for what is said at `at`, to be sent from `now` on.

    `sent` is how many each notifier got in the hour up to `at`; `told`, which notifiers each alert (by id) was told
    to. Ids follow from the alert, the reason and, for what an alert can say more than once, from `at`: the same
    notices at the same moment make the same ids. A group has the id of the alert that it leads with.

    Beyond the cap the least severe are dropped, then the likeliest. An end is never dropped, and is told to whoever
    was told of the alert.
    """
    routes = {name: rule.routes for name, rule in rules.by_name().items()}
    deliveries: list[Delivery] = []
    dropped: list[Delivery] = []
    for notifier in notifiers:
        mine = [notice for notice in said if _is_for(notice, notifier, routes, told)]
        room = rules.route_cap_per_hour - sent.get(notifier, 0)
        for notice, others in _group(mine, rules.group_at):
            delivery = Delivery(
                id=_delivery_id(notice, at, notifier),
                alert=notice.alert,
                reason=notice.reason,
                notifier=notifier,
                attempts=0,
                next_attempt_at=now,
                others=others,
            )
            if room > 0 or notice.reason is NotificationReason.RESOLVED:
                deliveries.append(delivery)
                room -= 1
            else:
                dropped.append(delivery)
    return Messages(tuple(deliveries), tuple(dropped))


def is_quiet(hours: QuietHours, at: datetime) -> bool:
    """Whether `at` lies in the hours; as the clocks on the wall go there. Equal ends are a whole day."""
    local = at.astimezone(ZoneInfo(hours.zone))
    now, today, yesterday = local.time(), local.weekday(), (local - DAY).weekday()
    if hours.start < hours.end:
        return hours.start <= now < hours.end and today in hours.days
    return (now >= hours.start and today in hours.days) or (now < hours.end and yesterday in hours.days)


def _is_news(notice: Notice) -> bool:
    return notice.reason not in FOR_WHO_WAS_TOLD


def _name(symbol: str) -> str:
    return "market" if symbol == MARKET else symbol


def _matches(symbol: str, pattern: str) -> bool:
    if source_of(symbol) is not None and pattern != "*" and source_of(pattern) is None:
        return False
    return fnmatchcase(_name(symbol), pattern)


def _silenced(alert: Alert, active: Iterable[Silence]) -> str | None:
    for silence in active:
        if _matches(alert.symbol, silence.symbol) and fnmatchcase(alert.rule, silence.rule):
            return f"silence {silence.id}"
    return None


def _in_quiet_hours(alert: Alert, at: datetime, rule: Rule | None) -> str | None:
    for hours in rule.quiet_hours if rule else ():
        can_wait = hours.unless is None or SEVERITIES.index(alert.severity) < SEVERITIES.index(hours.unless)
        if can_wait and is_quiet(hours, at):
            return f"quiet hours of rule {alert.rule}"
    return None


def _inhibited(alert: Alert, inhibiting: Iterable[Alert], rules: Mapping[str, Rule]) -> str | None:
    for other in inhibiting:
        if other.id == alert.id or not _inhibits(rules[other.rule], alert):
            continue
        mutual = alert.rule in rules and _inhibits(rules[alert.rule], other)
        if not mutual or (other.started_at, other.id) < (alert.started_at, alert.id):
            return f"alert {other.id}"
    return None


def _inhibits(rule: Rule, alert: Alert) -> bool:
    if source_of(alert.symbol) is not None:
        return False
    return any(fnmatchcase(_name(alert.symbol), pattern) for pattern in rule.inhibits)


def _is_for(
    notice: Notice, notifier: str, routes: Mapping[str, Sequence[str]], told: Mapping[str, Collection[str]]
) -> bool:
    if notice.reason in FOR_WHO_WAS_TOLD:
        return notifier in told.get(notice.alert.id, ())
    return any(fnmatchcase(notifier, pattern) for pattern in routes.get(notice.alert.rule, ("*",)))


def _group(notices: Iterable[Notice], group_at: int) -> list[tuple[Notice, tuple[Alert, ...]]]:
    """Each message's notice and the further alerts that it tells of, in the order in which they have a right to go."""
    by_reason: defaultdict[NotificationReason, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_reason[notice.reason].append(notice)
    firing = sorted(by_reason[NotificationReason.FIRING], key=_urgency)
    if len(firing) >= max(2, group_at):
        by_reason.pop(NotificationReason.FIRING)
        grouped = [(firing[0], tuple(notice.alert for notice in firing[1:]))]
    else:
        grouped = []
    alone = [(notice, ()) for each in by_reason.values() for notice in each]
    return sorted(
        [*grouped, *alone], key=lambda one: (one[0].reason is not NotificationReason.RESOLVED, *_urgency(one[0]))
    )


def _urgency(notice: Notice) -> tuple[int, float, str]:
    return -SEVERITIES.index(notice.alert.severity), yearly(notice.alert.peak), notice.alert.id


def _delivery_id(notice: Notice, at: datetime, notifier: str) -> str:
    once = notice.reason in (NotificationReason.FIRING, NotificationReason.RESOLVED)
    reason = str(notice.reason) if once else f"{notice.reason}@{at.isoformat()}"
    return f"{notice.alert.id}:{reason}:{notifier}"
