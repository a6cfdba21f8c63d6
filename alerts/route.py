"""Who is told: every notifier that the settings name."""

from alerts.console import ConsoleNotifier, DirectoryNotifier
from alerts.email import EmailNotifier
from alerts.notifier import Notifier
from alerts.slack import SlackNotifier
from bearometer.clock import Clock, SystemClock
from bearometer.errors import Misconfigured
from bearometer.settings import Settings

__all__ = ["build_notifiers"]


def build_notifiers(settings: Settings, clock: Clock | None = None) -> list[Notifier]:
    """All configured notifiers, with distinct names; every alert goes to each of them. Nothing is connected yet.

    There is one per recipient of email. Raises Misconfigured for settings that no notifier could work with.
    """
    clock = clock or SystemClock()
    notifiers: list[Notifier] = []
    if settings.alerts.console:
        notifiers.append(ConsoleNotifier(settings.alerts))
    if settings.alerts.directory is not None:
        notifiers.append(DirectoryNotifier(settings.alerts.directory, settings.alerts, clock))
    if settings.slack.webhook_url is not None and settings.alerts.notify:
        notifiers.append(SlackNotifier(settings.slack, settings.alerts, clock))
    if settings.email.host is not None and settings.alerts.notify:
        if not settings.email.recipients:
            message = "`email.recipients` is empty; it must name who is told, since `email.host` is set"
            raise Misconfigured(message)
        notifiers += [
            EmailNotifier(settings.email, recipient, settings.alerts, clock) for recipient in settings.email.recipients
        ]
    names = [notifier.name for notifier in notifiers]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        message = f"`email.recipients` names {', '.join(sorted(repeated))} more than once; each must be there once"
        raise Misconfigured(message)
    return notifiers
