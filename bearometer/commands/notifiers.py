"""Everybody who is told, as the commands see them: which settings name them, and a test message to each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from bearometer.errors import BearometerError, Failed, Misconfigured
from bearometer.terminal import plain

if TYPE_CHECKING:
    from alerts.notifier import Notifier
    from bearometer.settings import Settings

__all__ = ["WHAT_TO_SET", "configured_notifiers", "send_trials"]

WHAT_TO_SET = (
    "set slack.bot_token or slack.webhook_url, email.host, pagerduty.routing_key, teams.webhook_url, "
    "discord.webhook_url, telegram.bot_token, webhook.url, apprise.url, alerts.console or alerts.directory"
)
"""One of these makes a notifier."""


def configured_notifiers(settings: "Settings") -> "list[Notifier]":
    """At least one; Misconfigured, with what to set, when there is none."""
    from alerts.route import build_notifiers

    notifiers = build_notifiers(settings)
    if not notifiers:
        message = f"no notifier is configured: {WHAT_TO_SET}"
        raise Misconfigured(message)
    return notifiers


def send_trials(notifiers: "Sequence[Notifier]") -> None:
    """Send each a message which says that nothing has happened, and print whether it was taken, a line each.

    All are tried; Failed at the end when any of them has failed.
    """
    from alerts.trial import trial_delivery
    from bearometer.clock import SystemClock

    clock, failed = SystemClock(), []
    for notifier in notifiers:
        try:
            receipt = notifier.send(trial_delivery(notifier.name, clock.now()))
        except BearometerError as error:
            failed.append(notifier.name)
            typer.echo(f"{notifier.name}: failed: {error}")
        else:
            typer.echo(f"{notifier.name}: sent{f' ({plain(receipt, 80)})' if receipt else ''}")
    if failed:
        message = f"{len(failed)} of {len(notifiers)} notifiers failed: {', '.join(failed)}"
        raise Failed(message)
