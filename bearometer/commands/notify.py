"""`bearometer notify`: who is told, whether it works, and the messages that were given up."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.notifiers import configured_notifiers, send_trials
from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from pydantic import SecretStr

    from bearometer.settings import Settings
    from storage.alerts import AlertStore, FailedDelivery

__all__ = ["register", "resend_failed", "send_test", "show_failed", "show_routes"]

MAX_LISTED = 10_000
"""Of the messages that were given up; nobody reads more, and `resend --all` says when there are."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent, and to whom.")]


def register(app: typer.Typer) -> None:
    """Add `bearometer notify` and its subcommands."""
    notify = typer.Typer(help="See who is told, try it, and send again what could not be sent.", no_args_is_help=True)
    notify.command("routes")(show_routes)
    notify.command("test")(send_test)
    notify.command("failed")(show_failed)
    notify.command("resend")(resend_failed)
    app.add_typer(notify, name="notify")


def show_routes() -> None:
    """List everybody who is told, by the names that rules know them by. Shows no secrets and sends nothing.

    Example: bearometer notify routes
    """
    from bearometer.settings import load_settings

    settings = load_settings()
    rows: list[tuple[str, ...]] = [("ROUTE", "WHERE")]
    rows += [(notifier.name, _where(notifier.name, settings)) for notifier in configured_notifiers(settings)]
    _print_table(rows)


def send_test(
    route: Annotated[
        str,
        typer.Argument(
            metavar="[ROUTE]", help="Whom to tell: a name from `notify routes`, or a pattern such as 'email:*'."
        ),
    ] = "*",
    dry_run: DryRun = False,
) -> None:
    """Send a test message to everybody who is told, or to one ROUTE, and say of each whether it was taken.

    The message says that nothing has happened. Exit code 1 when any of them failed.

    Example: bearometer notify test telegram

    Example: bearometer notify test 'email:*' --dry-run
    """
    from alerts.message import compose, render_text
    from alerts.trial import trial_delivery
    from bearometer.clock import SystemClock
    from bearometer.settings import load_settings

    settings = load_settings()
    configured = configured_notifiers(settings)
    notifiers = [notifier for notifier in configured if fnmatchcase(notifier.name, route)]
    if not notifiers:
        names = ", ".join(notifier.name for notifier in configured)
        message = f"no route is named {plain(route, 80)!r}; there are {names}"
        raise Failed(message)
    if dry_run:
        for notifier in notifiers:
            typer.echo(f"{notifier.name}: would be sent to {_where(notifier.name, settings)}")
        shown = compose(trial_delivery(notifiers[0].name, SystemClock().now()), settings.alerts)
        typer.echo(f"\n{render_text(shown)}", nl=False)
        return
    send_trials(notifiers)


def show_failed(
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED, help="List at most so many, the latest first.")] = 50,
) -> None:
    """List the messages that were given up, the latest first, with the last error of each.

    A message is given up when the other side refuses it for good, or after `alerts.max_attempts` tries.

    Example: bearometer notify failed --limit 10
    """
    from alerts.message import time_utc

    failed = _open_store().failed_deliveries(limit)
    if not failed:
        typer.echo("no messages were given up")
        return
    rows: list[tuple[str, ...]] = [("QUEUED", "ROUTE", "ATTEMPTS", "ERROR", "ID")]
    rows += [
        (
            time_utc(each.created_at),
            plain(each.notifier, 60),
            str(each.attempts),
            plain(each.error, 100),
            plain(each.id, 300),
        )
        for each in failed
    ]
    _print_table(rows)


def resend_failed(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]…", help="Ids from `notify failed`, or beginnings of one.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Send all of them again.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Queue messages that were given up once more; a running `bearometer alerts` sends them at once.

    Each has all its attempts before it again. Nothing that was sent is sent twice.

    Example: bearometer notify resend negative-spike:WMT:2015-10-14T16:15:00+00:00:firing:slack

    Example: bearometer notify resend --all --dry-run
    """
    from bearometer.clock import SystemClock

    if bool(ids) == everything:
        message = "say which messages: their ids (`bearometer notify failed` shows them), or --all and no ids"
        raise Misconfigured(message)
    store = _open_store()
    failed = store.failed_deliveries(MAX_LISTED)
    chosen = failed if everything else [_find(failed, beginning) for beginning in ids or []]
    if dry_run:
        for each in chosen:
            typer.echo(f"{plain(each.id, 300)}: would be sent to {plain(each.notifier, 60)} again")
        return
    count = store.resend({each.id for each in chosen}, SystemClock().now())
    typer.echo(f"{count:,} {'message is' if count == 1 else 'messages are'} sent again")
    if everything and len(failed) == MAX_LISTED:
        typer.echo("there may be more: run it once more")


def _where(name: str, settings: "Settings") -> str:
    """Where a route leads, in words that hold no secret."""
    from urllib.parse import urlsplit

    def host(address: str) -> str:
        return plain(urlsplit(address.strip()).hostname or "?", 100)

    def of(secret: "SecretStr | None") -> str:
        return host(secret.get_secret_value() if secret else "")

    slack, mail = settings.slack, settings.email
    digest = f", a digest every {mail.digest_minutes:g} min" if mail.digest_minutes else ""
    places: dict[str, Callable[[], str]] = {
        "console": lambda: "standard output",
        "directory": lambda: f"the folder {settings.alerts.directory}",
        "slack": lambda: (
            f"channel {slack.channel}, by a bot" if slack.bot_token else f"a webhook at {of(slack.webhook_url)}"
        ),
        "email": lambda: f"the mail server {mail.host}:{mail.port}, from {mail.sender}{digest}",
        "pagerduty": lambda: f"events at {host(settings.pagerduty.url)}",
        "teams": lambda: f"a workflow at {of(settings.teams.webhook_url)}",
        "discord": lambda: f"a webhook at {of(settings.discord.webhook_url)}",
        "telegram": lambda: f"chat {settings.telegram.chat_id}, by a bot at {host(settings.telegram.url)}",
        "webhook": lambda: f"signed JSON at {of(settings.webhook.url)}",
        "apprise": lambda: "a service of apprise",
    }
    return plain(places[name.partition(":")[0]](), 200)


def _find(failed: "list[FailedDelivery]", beginning: str) -> "FailedDelivery":
    found = [each for each in failed if each.id.startswith(beginning)]
    exact = [each for each in found if each.id == beginning]
    if len(exact or found) != 1:
        problem = "no message that was given up has" if not found else f"{len(found)} messages have"
        message = f"{problem} an id that begins with {plain(beginning, 200)!r}; `bearometer notify failed` shows them"
        raise Failed(message)
    return (exact or found)[0]


def _open_store() -> "AlertStore":
    from bearometer.settings import load_settings
    from storage.alerts import AlertStore
    from storage.database import open_database

    return AlertStore(open_database(load_settings().postgres))


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
