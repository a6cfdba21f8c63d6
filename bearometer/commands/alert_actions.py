"""`bearometer alerts ack | resolve`: a person's word on an alert, which the one evaluator applies."""

from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.alert import Alert, AlertState
from bearometer.commands.alerts_shown import time_shown
from bearometer.commands.login import find_person
from bearometer.errors import Failed
from bearometer.terminal import plain

if TYPE_CHECKING:
    from storage.alerts import AlertStore
    from storage.silences import ActionKind

__all__ = ["AlertId", "acknowledge_alert", "find_alert", "open_store", "resolve_alert"]

MAX_COMMENT = 500
LOOK_SECONDS = 0.1

AlertId = Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or a beginning that only it has.")]
Comment = Annotated[str, typer.Option(help="What you are doing about it, or why it is over.")]
Who = Annotated[str | None, typer.Option(help="Who says so; the login name when missing.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait until an alert worker has applied it.")]


def acknowledge_alert(alert_id: AlertId, comment: Comment = "", who: Who = None, wait: Wait = 5.0) -> None:
    """Take an alert on: nothing more is said of it until it gets much worse or is over.

    Whoever was told of the alert is told who has it now. The alert worker does it, within a second; without one the
    word is kept, and the next worker to run does it.

    Example: bearometer alerts ack negative-spike:WMT --comment "calling investor relations"
    """
    _ask("acknowledge", alert_id, comment, who, wait)


def resolve_alert(alert_id: AlertId, comment: Comment = "", who: Who = None, wait: Wait = 5.0) -> None:
    """End an alert: it is over, whatever is still said. Its cool-down begins, as after an end by itself.

    Whoever was told of the alert is told of its end. The alert worker does it, within a second; without one the word
    is kept, and the next worker to run does it.

    Example: bearometer alerts resolve negative-spike:WMT --comment "a joke that went round"
    """
    _ask("resolve", alert_id, comment, who, wait)


def open_store() -> "AlertStore":
    """The alerts of the database that the settings name."""
    from bearometer.settings import load_settings
    from storage.alerts import AlertStore
    from storage.database import open_database

    return AlertStore(open_database(load_settings().postgres))


def find_alert(store: "AlertStore", alert_id: str) -> Alert:
    """The alert that is called so, or the only one that begins so; Failed, in one line, when there is none."""
    found = store.alerts(beginning=alert_id)
    exact = [alert for alert in found if alert.id == alert_id]
    if len(exact or found) != 1:
        problem = "no alert has" if not found else f"{len(found)} alerts have"
        message = f"{problem} an id that begins with {plain(alert_id, 100)!r}; `bearometer alerts list` shows them"
        raise Failed(message)
    return (exact or found)[0]


def _ask(action: "ActionKind", alert_id: str, comment: str, who: str | None, wait: float) -> None:
    person = find_person(who)
    store = open_store()
    alert = find_alert(store, alert_id)
    shown = plain(alert.id, 200)
    if alert.state is AlertState.RESOLVED:
        over = time_shown(alert.resolved_at) if alert.resolved_at else "before"
        message = f"{shown} was over at {over}: there is nothing to {action}"
        raise Failed(message)
    number = store.request(alert.id, action, person, plain(comment, MAX_COMMENT))
    if _is_applied(store, number, wait):
        typer.echo(_describe(find_alert(store, alert.id), person))
        return
    typer.echo(f"{shown}: {person}'s word is kept; no alert worker has applied it within {wait:g} s")
    typer.echo("is one running (`bearometer alerts`)? The next one to run applies it")


def _is_applied(store: "AlertStore", number: int, wait: float) -> bool:
    """Wait for the evaluator, which looks every alerts.poll_seconds."""
    from bearometer.clock import SystemClock

    clock = SystemClock()
    enough = clock.monotonic() + wait
    while not store.is_applied(number):
        if clock.monotonic() >= enough:
            return False
        clock.sleep(LOOK_SECONDS)
    return True


def _describe(alert: Alert, person: str) -> str:
    """What has come of it: somebody else, or the calm, may have been faster."""
    shown = plain(alert.id, 200)
    if alert.state is AlertState.RESOLVED:
        return f"{shown} is over" + (f" since {time_shown(alert.resolved_at)}" if alert.resolved_at else "")
    if alert.state is AlertState.ACKNOWLEDGED and alert.acknowledged is not None:
        by = plain(alert.acknowledged.who, 100)
        return f"{shown} is acknowledged by {by}" + ("" if by == person else ", who was faster")
    return f"{shown} is {alert.state}: it has got much worse since"
