"""`bearometer alerts`: the worker that finds spikes and tells people, and what has become of its alerts."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.alert import Alert, AlertState, Delivery
from bearometer.errors import BearometerError, Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from storage.alerts import AlertStore

__all__ = ["list_alerts", "register", "run_worker", "send_test", "show_alert"]


def register(app: typer.Typer) -> None:
    """Add `bearometer alerts` and its subcommands."""
    alerts = typer.Typer()
    alerts.callback(invoke_without_command=True)(run_worker)
    alerts.command("list")(list_alerts)
    alerts.command("show")(show_alert)
    alerts.command("test")(send_test)
    app.add_typer(alerts, name="alerts")


def run_worker(context: typer.Context) -> None:
    """Find spikes and tell people, until interrupted; or, with a subcommand, look at what was found.

    Several may run at once: one of them looks for spikes and all of them deliver. Ends with an error when one of its
    two loops fails; whatever started it should start it again.

    Example: BEAROMETER_ALERTS__CONSOLE=true bearometer alerts
    """
    if context.invoked_subcommand is not None:
        return
    from alerts.worker import run_alerts
    from bearometer.clock import SystemClock
    from bearometer.logs import start_logging
    from bearometer.settings import load_settings
    from bearometer.stopping import stop_on_signals

    settings = load_settings()
    start_logging(settings.log_level)
    run_alerts(settings, SystemClock(), stop_on_signals())


def list_alerts(
    since: Annotated[
        datetime | None, typer.Option(help="Only alerts that started at or after this time (UTC).")
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Only alerts that started before this time (UTC).")] = None,
    state: Annotated[list[AlertState] | None, typer.Option(help="Only alerts in this state; may be repeated.")] = None,
) -> None:
    """List alerts, the oldest first, one a line.

    Example: bearometer alerts list --since 2026-01-01 --state firing
    """
    from alerts.message import expected_count, odds, time_utc

    found = _open_store().alerts(
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
        states=tuple(state) if state else None,
    )
    if not found:
        typer.echo("no alerts")
        return
    rows = [("SYMBOL", "STATE", "STARTED", "OVER", "NEGATIVE", "EXPECTED", "ODDS", "ID")]
    rows += [
        (
            plain(alert.symbol, 20),
            alert.state,
            time_utc(alert.started_at),
            time_utc(alert.resolved_at) if alert.resolved_at else "-",
            str(alert.peak.negative),
            expected_count(alert.peak.expected),
            odds(alert.peak.p_value),
            plain(alert.id, 200),
        )
        for alert in sorted(found, key=lambda alert: (alert.started_at, alert.id))
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_alert(
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or a beginning that only it has.")],
) -> None:
    """Show one alert with its evidence, as its message tells it.

    Example: bearometer alerts show negative-spike:WMT (see `bearometer alerts list` for the ids)
    """
    from alerts.message import compose, render_text
    from bearometer.alert import NotificationReason
    from bearometer.settings import load_settings

    alert = _find(alert_id)
    reason = NotificationReason.RESOLVED if alert.state is AlertState.RESOLVED else NotificationReason.FIRING
    shown = Delivery(f"{alert.id}:{reason}:show", alert, reason, "show", 0, alert.started_at)
    typer.echo(render_text(compose(shown, load_settings().alerts)), nl=False)


def send_test() -> None:
    """Send a test message through every configured notifier, and say of each whether it was taken.

    The message says that nothing has happened. Exit code 1 when any of them failed.

    Example: BEAROMETER_ALERTS__CONSOLE=true bearometer alerts test
    """
    from alerts.route import build_notifiers
    from alerts.trial import trial_delivery
    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings

    clock = SystemClock()
    notifiers = build_notifiers(load_settings(), clock)
    if not notifiers:
        message = "no notifier is configured: set slack.webhook_url, email.host, alerts.console or alerts.directory"
        raise Misconfigured(message)
    failed: list[str] = []
    for notifier in notifiers:
        try:
            notifier.send(trial_delivery(notifier.name, clock.now()))
        except BearometerError as error:
            failed.append(notifier.name)
            typer.echo(f"{notifier.name}: failed: {error}")
        else:
            typer.echo(f"{notifier.name}: sent")
    if failed:
        message = f"{len(failed)} of {len(notifiers)} notifiers failed: {', '.join(failed)}"
        raise Failed(message)


def _open_store() -> "AlertStore":
    from bearometer.settings import load_settings
    from storage.alerts import AlertStore
    from storage.database import open_database

    return AlertStore(open_database(load_settings().postgres))


def _find(alert_id: str) -> Alert:
    found = [alert for alert in _open_store().alerts() if alert.id.startswith(alert_id)]
    exact = [alert for alert in found if alert.id == alert_id]
    if len(exact or found) != 1:
        problem = "no alert has" if not found else f"{len(found)} alerts have"
        message = f"{problem} an id that begins with {plain(alert_id, 100)!r}; `bearometer alerts list` shows them"
        raise Failed(message)
    return (exact or found)[0]
