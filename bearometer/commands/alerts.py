"""`bearometer alerts`: the worker that finds spikes and tells people, and what has become of its alerts."""

from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from bearometer.alert import AlertState, Severity
from bearometer.commands.alert_actions import AlertId, acknowledge_alert, find_alert, open_store, resolve_alert
from bearometer.commands.alerts_shown import print_alert, print_alerts
from bearometer.commands.notifiers import configured_notifiers, send_trials

__all__ = ["list_alerts", "register", "run_worker", "send_test", "show_alert"]

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON instead of lines.")]


def register(app: typer.Typer) -> None:
    """Add `bearometer alerts` and its subcommands."""
    alerts = typer.Typer()
    alerts.callback(invoke_without_command=True)(run_worker)
    alerts.command("list")(list_alerts)
    alerts.command("show")(show_alert)
    alerts.command("ack")(acknowledge_alert)
    alerts.command("resolve")(resolve_alert)
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
    severity: Annotated[list[Severity] | None, typer.Option(help="Only alerts as severe; may be repeated.")] = None,
    symbol: Annotated[str, typer.Option(help="Only alerts for this symbol, or for those that the pattern fits.")] = "*",
    rule: Annotated[str, typer.Option(help="Only alerts of this rule, or of those that the pattern fits.")] = "*",
    as_json: AsJson = False,
) -> None:
    """List alerts, the oldest first, one a line.

    Example: bearometer alerts list --since 2026-01-01 --state firing

    Example: bearometer alerts list --symbol 'BRK*' --severity critical --json
    """
    found = open_store().alerts(
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
        states=tuple(state) if state else None,
    )
    wanted = [
        alert
        for alert in found
        if fnmatchcase(alert.symbol.upper(), symbol.upper())
        and fnmatchcase(alert.rule, rule)
        and (not severity or alert.severity in severity)
    ]
    print_alerts(wanted, as_json=as_json)


def show_alert(alert_id: AlertId, as_json: AsJson = False) -> None:
    """Show one alert with its evidence, as its message tells it; who has taken it on, and what became of its messages.

    Example: bearometer alerts show negative-spike:WMT (see `bearometer alerts list` for the ids)
    """
    from bearometer.settings import load_settings

    store = open_store()
    alert = find_alert(store, alert_id)
    asked = [action for action in store.waiting_actions() if action.alert_id == alert.id]
    print_alert(alert, store.messages_of(alert.id), asked, load_settings().alerts, as_json=as_json)


def send_test() -> None:
    """Send a test message through every configured notifier, and say of each whether it was taken.

    The message says that nothing has happened. Exit code 1 when any of them failed. The same as `bearometer notify
    test`, which can also try one of them, or only show what would be sent.

    Example: BEAROMETER_ALERTS__CONSOLE=true bearometer alerts test
    """
    from bearometer.settings import load_settings

    send_trials(configured_notifiers(load_settings()))
