"""The life of an alert: none → pending → firing → resolved.

Pure: what comes next follows from the alert so far, one look, and the settings.

    none      a look over the threshold                          → pending, or at once firing without a pending time
    pending   a quiet look                                       → resolved, and nobody is told
    pending   `pending_seconds` after its start                  → firing, people are told
    firing    quiet for `clear_seconds` without interruption     → resolved, people are told if they want to be
    resolved  over again, `cooldown_seconds` after the end       → a new alert; before that, nothing

While an alert is pending or firing only its peak changes: nothing is said twice.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.spike import Look
from bearometer.alert import Alert, AlertState, NotificationReason, Spike
from bearometer.settings import AlertSettings

__all__ = ["RULE", "alert_id", "follow", "is_over_and_done"]

RULE = "negative-spike"


def alert_id(rule: str, symbol: str, started_at: datetime) -> str:
    """The id of the one alert that a rule can start for a symbol at a moment."""
    return f"{rule}:{symbol}:{started_at.isoformat()}"


def follow(alert: Alert | None, look: Look, settings: AlertSettings) -> tuple[Alert | None, NotificationReason | None]:
    """The symbol's alert after this look, and what people must be told now.

    `alert` is the symbol's latest one. It comes back as the same object when nothing about it changed. Looks must
    come in order of time; a second look at the same moment changes nothing.
    """
    if alert is None or alert.state is AlertState.RESOLVED:
        if not look.over or (alert is not None and not is_over_and_done(alert, look.spike.end, settings)):
            return alert, None
        return _ripen(_start(look.spike), look.spike.end, settings)
    seen = _with_peak(alert, look.spike)
    if seen.state is AlertState.PENDING:
        if look.quiet:
            return replace(seen, state=AlertState.RESOLVED, resolved_at=look.spike.end), None
        return _ripen(seen, look.spike.end, settings)
    return _calm(seen, look, settings)


def is_over_and_done(alert: Alert, at: datetime, settings: AlertSettings) -> bool:
    """Whether the alert has ended and its cool-down too: it has no influence on anything any more.

    An alert that nobody was told of has no cool-down.
    """
    if alert.state is not AlertState.RESOLVED or alert.resolved_at is None:
        return False
    cooldown = timedelta(seconds=settings.cooldown_seconds if alert.fired_at is not None else 0)
    return at > alert.resolved_at and at >= alert.resolved_at + cooldown


def _start(spike: Spike) -> Alert:
    return Alert(
        id=alert_id(RULE, spike.symbol, spike.end),
        rule=RULE,
        symbol=spike.symbol,
        state=AlertState.PENDING,
        started_at=spike.end,
        peak=spike,
    )


def _with_peak(alert: Alert, spike: Spike) -> Alert:
    higher = (spike.p_value, -spike.negative) < (alert.peak.p_value, -alert.peak.negative)
    return replace(alert, peak=spike) if higher else alert


def _ripen(alert: Alert, at: datetime, settings: AlertSettings) -> tuple[Alert, NotificationReason | None]:
    if at - alert.started_at < timedelta(seconds=settings.pending_seconds):
        return alert, None
    return replace(alert, state=AlertState.FIRING, fired_at=at), NotificationReason.FIRING


def _calm(alert: Alert, look: Look, settings: AlertSettings) -> tuple[Alert, NotificationReason | None]:
    if not look.quiet:
        return (alert if alert.quiet_since is None else replace(alert, quiet_since=None)), None
    at = look.spike.end
    since = alert.quiet_since or at
    if at - since < timedelta(seconds=settings.clear_seconds):
        return (alert if alert.quiet_since is not None else replace(alert, quiet_since=since)), None
    resolved = replace(alert, state=AlertState.RESOLVED, quiet_since=since, resolved_at=at)
    return resolved, NotificationReason.RESOLVED if settings.notify_resolved else None
