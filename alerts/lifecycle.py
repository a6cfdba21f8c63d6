"""The life of an alert: none → pending → firing → acknowledged → resolved.

Pure: what comes next follows from the alert so far, one look or one person's word, and the rule.

    none          a look over the threshold                          → pending, or at once firing without a pending time
    pending       a quiet look                                       → resolved, and nobody is told
    pending       `pending_seconds` after its start                  → firing, people are told
    firing        `escalate_factor` times less likely than told      → people are told again
    firing        `repeat_seconds` after people were last told       → people are told again
    any of these  somebody takes it on                               → acknowledged: nothing is repeated
    acknowledged  `escalate_factor` times less likely than told      → firing, people are told again
    the last two  quiet for `clear_seconds` without interruption     → resolved, people are told
    any of these  somebody says so                                   → resolved, people are told
    resolved      over again, `cooldown_seconds` after the end       → a new alert; before that, nothing
    resolved      over, `escalate_factor` times less likely than peak → a new alert, firing at once

`told` and `told_at` are set together with each reason to tell, as if it reached people. Where it was held back,
`hold` undoes that, and the next look that is not quiet gives the reason again: so a message that is held back is told
when it may be, if there is still something to tell, and nothing needs remembering but the alert.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.rules import Rule
from alerts.spike import Look, is_less_likely, yearly
from bearometer.alert import Acknowledgement, Alert, AlertState, NotificationReason, Spike

__all__ = ["acknowledge", "alert_id", "end_is_untold", "follow", "hold", "is_over_and_done", "resolve"]

RAREST_PER_YEAR = 1e-6
"""What comes once in a million years is as strange as anything: an alert that has said so does not escalate further.

A crash that grows all day would otherwise be told at every thousandfold.
"""


def alert_id(rule: str, symbol: str, started_at: datetime) -> str:
    """The id of the one alert that a rule can start for a symbol at a moment."""
    return f"{rule}:{symbol}:{started_at.isoformat()}"


def follow(alert: Alert | None, look: Look, rule: Rule) -> tuple[Alert | None, NotificationReason | None]:
    """The rule's alert for the symbol after this look, and what people must be told now.

    `alert` is the latest one of the rule and symbol. It comes back as the same object when nothing about it changed.
    Looks must come in order of time; a second look at the same moment changes nothing.
    """
    at = look.spike.end
    if alert is None or alert.state is AlertState.RESOLVED:
        return _begin(alert, look, rule) if look.over else (alert, None)
    seen = _with_peak(alert, look.spike)
    if seen.state is AlertState.PENDING:
        if look.quiet:
            return replace(seen, state=AlertState.RESOLVED, resolved_at=at), None
        return _ripen(seen, at, rule)
    if look.quiet:
        return _calm(seen, at, rule)
    if seen.quiet_since is not None:
        seen = replace(seen, quiet_since=None)
    reason = _reason_to_tell(seen, at, rule)
    return (seen if reason is None else _told(replace(seen, state=AlertState.FIRING), at)), reason


def acknowledge(alert: Alert, by: Acknowledgement) -> tuple[Alert, NotificationReason | None]:
    """The alert once somebody has taken it on, and what people must be told; one that is over stays as it is.

    Who takes it on knows of it: if nothing was told so far, nothing more is until it escalates. Of several who do so at
    one moment the last one has it, and people are told of the first.
    """
    if alert.state is AlertState.RESOLVED:
        return alert, None
    known = _known(alert, by.at)
    taken = replace(known, state=AlertState.ACKNOWLEDGED, fired_at=alert.fired_at or by.at, acknowledged=by)
    is_told = alert.acknowledged is not None and alert.acknowledged.at == by.at
    return taken, None if is_told else NotificationReason.ACKNOWLEDGED


def resolve(alert: Alert, by: Acknowledgement) -> tuple[Alert, NotificationReason | None]:
    """The alert once somebody has ended it, and what people must be told; one that is over stays as it is.

    The cool-down begins, whether people were told of it or not. Where nobody had taken it on, `by` has.
    """
    if alert.state is AlertState.RESOLVED:
        return alert, None
    known = replace(_known(alert, by.at), acknowledged=alert.acknowledged or by)
    ended = replace(known, state=AlertState.RESOLVED, resolved_at=by.at, told_at=by.at)
    return ended, None if alert.told_at is None else NotificationReason.RESOLVED


def hold(alert: Alert, reason: NotificationReason, before: Alert | None) -> Alert:
    """The alert as it is when people were not told `reason` after all; `before` is it as it was, None if it was not."""
    undone = replace(alert, told=before.told if before else None, told_at=before.told_at if before else None)
    if reason is NotificationReason.ESCALATED and before is not None:
        return replace(undone, state=before.state)
    if alert.resolved_at is not None and undone.told_at == alert.resolved_at:
        # Taken on and ended at one moment of event time: that the end is untold must show (`end_is_untold`).
        return replace(undone, told_at=alert.resolved_at - timedelta(microseconds=1))
    return undone


def end_is_untold(alert: Alert) -> bool:
    """Whether people know of the alert and not of its end."""
    return alert.resolved_at is not None and alert.told_at is not None and alert.told_at < alert.resolved_at


def is_over_and_done(alert: Alert, at: datetime, rule: Rule) -> bool:
    """Whether the alert has ended and its cool-down too: it has no influence on anything any more.

    An alert that nobody was told of has no cool-down.
    """
    if alert.state is not AlertState.RESOLVED or alert.resolved_at is None:
        return False
    cooldown = timedelta(seconds=rule.cooldown_seconds if alert.told_at is not None else 0)
    return at > alert.resolved_at and at >= alert.resolved_at + cooldown


def _begin(ended: Alert | None, look: Look, rule: Rule) -> tuple[Alert | None, NotificationReason | None]:
    at = look.spike.end
    if ended is None or is_over_and_done(ended, at, rule):
        return _ripen(_start(look.spike, rule), at, rule)
    if _breaks_the_cooldown(look.spike, ended, rule):
        return _fire(_start(look.spike, rule), at)  # what is so much worse than all that people know need not ripen
    return ended, None


def _start(spike: Spike, rule: Rule) -> Alert:
    return Alert(
        id=alert_id(rule.name, spike.symbol, spike.end),
        rule=rule.name,
        symbol=spike.symbol,
        state=AlertState.PENDING,
        started_at=spike.end,
        peak=spike,
        severity=rule.severity,
    )


def _with_peak(alert: Alert, spike: Spike) -> Alert:
    peak = alert.peak
    more = spike.negative > peak.negative and not is_less_likely(peak, spike)
    return replace(alert, peak=spike) if is_less_likely(spike, peak) or more else alert


def _ripen(alert: Alert, at: datetime, rule: Rule) -> tuple[Alert, NotificationReason | None]:
    if at - alert.started_at < timedelta(seconds=rule.pending_seconds):
        return alert, None
    return _fire(alert, at)


def _fire(alert: Alert, at: datetime) -> tuple[Alert, NotificationReason]:
    return _told(replace(alert, state=AlertState.FIRING, fired_at=at), at), NotificationReason.FIRING


def _told(alert: Alert, at: datetime) -> Alert:
    return replace(alert, told=alert.peak, told_at=at)


def _known(alert: Alert, at: datetime) -> Alert:
    return alert if alert.told_at is not None else _told(alert, at)


def _reason_to_tell(alert: Alert, at: datetime, rule: Rule) -> NotificationReason | None:
    if alert.told_at is None:
        return NotificationReason.FIRING if alert.state is AlertState.FIRING else None
    peak, told = (max(yearly(each), RAREST_PER_YEAR) for each in (alert.peak, alert.told or alert.peak))
    if peak < told and peak * rule.escalate_factor <= told:
        return NotificationReason.ESCALATED
    if alert.state is AlertState.FIRING and rule.repeat_seconds is not None:
        due = at > alert.told_at and at - alert.told_at >= timedelta(seconds=rule.repeat_seconds)
        return NotificationReason.REPEATED if due else None
    return None


def _breaks_the_cooldown(spike: Spike, ended: Alert, rule: Rule) -> bool:
    is_later = ended.resolved_at is not None and spike.end > ended.resolved_at
    return is_later and is_less_likely(spike, ended.peak, rule.escalate_factor)


def _calm(alert: Alert, at: datetime, rule: Rule) -> tuple[Alert, NotificationReason | None]:
    since = alert.quiet_since or at
    if at - since < timedelta(seconds=rule.clear_seconds):
        return (alert if alert.quiet_since is not None else replace(alert, quiet_since=since)), None
    ended = replace(alert, state=AlertState.RESOLVED, quiet_since=since, resolved_at=at)
    return (ended, None) if alert.told_at is None else (replace(ended, told_at=at), NotificationReason.RESOLVED)
