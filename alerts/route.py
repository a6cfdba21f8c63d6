"""Who is told: every notifier that the settings name."""

from collections.abc import Callable

from alerts.apprise import AppriseNotifier
from alerts.console import ConsoleNotifier, DirectoryNotifier
from alerts.discord import DiscordNotifier
from alerts.email import EmailNotifier
from alerts.notifier import Notifier
from alerts.pagerduty import PagerDutyNotifier
from alerts.slack import SlackNotifier
from alerts.slack_bot import SlackBotNotifier
from alerts.teams import TeamsNotifier
from alerts.telegram import TelegramNotifier
from alerts.webhook import WebhookNotifier
from bearometer.clock import Clock, SystemClock
from bearometer.errors import Misconfigured
from bearometer.settings import Settings

__all__ = ["build_notifiers"]


def build_notifiers(settings: Settings, clock: Clock | None = None) -> list[Notifier]:
    """All configured notifiers, with distinct names; a rule's routes choose among them. Nothing is connected yet.

    There is one per recipient of email. Raises Misconfigured for settings that no notifier could work with.
    """
    clock = clock or SystemClock()
    alerts = settings.alerts
    notifiers: list[Notifier] = []
    if alerts.console:
        notifiers.append(ConsoleNotifier(alerts))
    if alerts.directory is not None:
        notifiers.append(DirectoryNotifier(alerts.directory, alerts, clock))
    if alerts.notify:
        notifiers += _chats(settings, clock)
        notifiers += _mails(settings, clock)
    return notifiers


def _chats(settings: Settings, clock: Clock) -> list[Notifier]:
    """One for each service whose secret is set."""
    alerts = settings.alerts
    slack = SlackNotifier if settings.slack.bot_token is None else SlackBotNotifier
    makers: list[tuple[object, Callable[[], Notifier]]] = [
        (settings.slack.bot_token or settings.slack.webhook_url, lambda: slack(settings.slack, alerts, clock)),
        (settings.pagerduty.routing_key, lambda: PagerDutyNotifier(settings.pagerduty, alerts, clock)),
        (settings.teams.webhook_url, lambda: TeamsNotifier(settings.teams, alerts, clock)),
        (settings.discord.webhook_url, lambda: DiscordNotifier(settings.discord, alerts, clock)),
        (settings.telegram.bot_token, lambda: TelegramNotifier(settings.telegram, alerts, clock)),
        (settings.webhook.url, lambda: WebhookNotifier(settings.webhook, alerts, clock)),
        (settings.apprise.url, lambda: AppriseNotifier(settings.apprise, alerts)),
    ]
    return [make() for secret, make in makers if secret is not None]


def _mails(settings: Settings, clock: Clock) -> list[Notifier]:
    """One for each recipient."""
    if settings.email.host is None:
        return []
    if not settings.email.recipients:
        message = "`email.recipients` is empty; it must name who is told, since `email.host` is set"
        raise Misconfigured(message)
    mails: list[Notifier] = [
        EmailNotifier(settings.email, recipient, settings.alerts, clock) for recipient in settings.email.recipients
    ]
    names = [mail.name for mail in mails]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        message = f"`email.recipients` names {', '.join(sorted(repeated))} more than once; each must be there once"
        raise Misconfigured(message)
    return mails
