"""What `bearometer alerts` and `bearometer silences` print."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from bearometer.alert import Alert, AlertState, Delivery, Measure, NotificationReason, Silence, Spike
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.settings import AlertSettings
    from storage.deliveries import SentMessage
    from storage.silences import Action

__all__ = ["print_alert", "print_alerts", "print_silences", "time_shown"]

MAX_NAME = 60
MAX_COMMENT = 500
MAX_ID = 200


def time_shown(moment: datetime) -> str:
    """A time to the minute, with its zone."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def print_alerts(alerts: Sequence[Alert], *, as_json: bool) -> None:
    """One a line, the oldest first; as JSON all but the evidence."""
    from alerts.wording import expected_count

    in_order = sorted(alerts, key=lambda alert: (alert.started_at, alert.id))
    if as_json:
        _print_json([_fields(alert, evidence=False) for alert in in_order])
        return
    if not alerts:
        typer.echo("no alerts")
        return
    header = ("SYMBOL", "STATE", "SEVERITY", "STARTED", "OVER", "SEEN", "EXPECTED", "ODDS", "ID")
    rows = [
        (
            plain(alert.symbol, 20),
            _state(alert),
            str(alert.severity),
            time_shown(alert.started_at),
            time_shown(alert.resolved_at) if alert.resolved_at else "-",
            _seen(alert.peak),
            expected_count(alert.peak.expected) if alert.peak.measure.is_of_posts else "-",
            _odds(alert.peak),
            plain(alert.id, MAX_ID),
        )
        for alert in in_order
    ]
    _print_table(header, rows)


def print_alert(
    alert: Alert,
    messages: Sequence["SentMessage"],
    asked: Sequence["Action"],
    settings: "AlertSettings",
    *,
    as_json: bool,
) -> None:
    """The alert as its message tells it, then what is asked for, and who was told."""
    from alerts.message import compose, render_text

    if as_json:
        waiting = [asdict(action) for action in asked]
        _print_json(
            _fields(alert, evidence=True) | {"messages": [asdict(each) for each in messages], "asked_for": waiting}
        )
        return
    reason = NotificationReason.RESOLVED if alert.state is AlertState.RESOLVED else NotificationReason.FIRING
    shown = Delivery(f"{alert.id}:{reason}:show", alert, reason, "show", 0, alert.started_at)
    typer.echo(render_text(compose(shown, settings)), nl=False)
    for action in asked:
        who, comment = plain(action.who, MAX_NAME), plain(action.comment, MAX_COMMENT)
        typer.echo(f"\nWaits for an alert worker: {action.action}, by {who} at {time_shown(action.at)}", nl=False)
        typer.echo(f": {comment}" if comment else "")
    typer.echo("\nMessages:" if messages else "\nNobody was told.")
    rows = [(f"  {plain(each.notifier, MAX_NAME)}", str(each.reason), _outcome(each)) for each in messages]
    _print_table(None, rows)


def print_silences(silences: Sequence[Silence], now: datetime, *, as_json: bool) -> None:
    """One a line, in the given order."""
    if as_json:
        _print_json([asdict(silence) for silence in silences])
        return
    if not silences:
        typer.echo("no silences")
        return
    rows = [
        (
            plain(silence.id, 40),
            plain(silence.symbol, MAX_NAME),
            plain(silence.rule, MAX_NAME),
            "over" if silence.ends_at <= now else "to come" if silence.starts_at > now else "in force",
            time_shown(silence.starts_at),
            time_shown(silence.ends_at),
            plain(silence.author, MAX_NAME),
            plain(silence.reason, MAX_COMMENT),
        )
        for silence in silences
    ]
    _print_table(("ID", "SYMBOL", "RULE", "STATE", "FROM", "UNTIL", "BY", "REASON"), rows)


def _state(alert: Alert) -> str:
    if alert.state is AlertState.ACKNOWLEDGED and alert.acknowledged is not None:
        return f"acknowledged by {plain(alert.acknowledged.who, MAX_NAME)}"
    return str(alert.state)


def _seen(spike: Spike) -> str:
    if not spike.measure.is_of_posts:
        from alerts.headline import seen

        return seen(spike)
    if spike.measure is Measure.VOLUME:
        return f"{spike.posts or 0:,} posts"
    if spike.measure is Measure.SHARE:
        return f"{spike.negative:,} of {spike.posts or spike.negative:,} negative"
    return f"{spike.negative:,} negative"


def _odds(spike: Spike) -> str:
    from alerts.wording import how_often, odds

    if not spike.measure.is_of_posts:
        return "-"
    return odds(spike.p_value) if spike.per_year is None else how_often(spike.per_year)


def _outcome(message: "SentMessage") -> str:
    error = f": {plain(message.error)}" if message.error else ""
    tries = "1 attempt" if message.attempts == 1 else f"{message.attempts} attempts"
    match message.status:
        case "sent":
            receipt = f", receipt {plain(message.receipt, 100)}" if message.receipt else ""
            told = f"sent {time_shown(message.sent_at or message.created_at)}{receipt}"
        case "failed":
            told = f"given up after {tries}{error}"
        case "dropped":
            told = f"dropped {time_shown(message.created_at)}: over the notifier's cap of messages an hour"
        case _:
            told = f"waits, next attempt {time_shown(message.next_attempt_at)}" + (
                f" after {tries}{error}" if message.attempts else ""
            )
    others = f"; with {message.others} other alerts" if message.others else ""
    return told + others + (f"; {message.dropped} dropped before it" if message.dropped else "")


def _fields(alert: Alert, *, evidence: bool) -> dict[str, Any]:
    from storage.alert_rows import alert_to_json

    fields = alert_to_json(alert)
    return fields if evidence else {name: value for name, value in fields.items() if name != "evidence"}


def _print_table(header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> None:
    lines = rows if header is None else [header, *rows]
    if not lines:
        return
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_json(content: Any) -> None:
    # In plain ASCII: posts are other people's text, and a terminal obeys more than the control characters of ASCII.
    typer.echo(json.dumps(content, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
