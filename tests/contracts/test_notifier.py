"""What `alerts.notifier.Notifier` promises, asked of every notifier against a real other side."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import SecretStr

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
from bearometer.alert import Delivery, NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Transient
from bearometer.settings import (
    AlertSettings,
    AppriseSettings,
    DiscordSettings,
    EmailSettings,
    PagerDutySettings,
    SlackSettings,
    TeamsSettings,
    TelegramSettings,
    WebhookSettings,
)
from tests.receivers import Answer, HttpReceiver, SlackReceiver, SmtpReceiver
from tests.sample_alerts import HOSTILE_TEXTS, START, make_alert, make_delivery, make_post, make_resolved
from tests.slack_api import SlackServer
from tests.vendor_receivers import (
    BOT_TOKEN,
    ROUTING_KEY,
    SECRET,
    AppriseReceiver,
    DiscordReceiver,
    PagerDutyReceiver,
    TeamsReceiver,
    TelegramReceiver,
    WebhookReceiver,
)

ALERTS = AlertSettings()


@dataclass
class Trial:
    """A notifier, what its other side has taken, and how to put the other side in trouble for one message."""

    notifier: Notifier
    taken: Callable[[], list[str]]
    trouble: Callable[[], None]
    refuse: Callable[[], None] | None
    """None where nothing that is sent can be refused for good."""


def http_trial(notifier: Notifier, receiver: HttpReceiver, *, refuses: bool = True) -> Trial:
    return Trial(
        notifier,
        lambda: [str(payload) for payload in receiver.accepted],
        lambda: receiver.answers.append(Answer(503)),
        (lambda: receiver.answers.append(Answer(400, "invalid_blocks"))) if refuses else None,
    )


def slack_trial(stack: ExitStack, folder: Path) -> Trial:
    slack = stack.enter_context(SlackReceiver())
    return http_trial(SlackNotifier(SlackSettings(webhook_url=SecretStr(slack.url)), ALERTS, ManualClock(START)), slack)


def slack_bot_trial(stack: ExitStack, folder: Path) -> Trial:
    slack = stack.enter_context(SlackServer())
    return Trial(
        SlackBotNotifier(slack.settings(), ALERTS, ManualClock(START)),
        lambda: [str(message.body) for message in slack.shown],
        lambda: slack.answers.append(Answer(503)),
        lambda: slack.answers.append(Answer(200, '{"ok": false, "error": "invalid_blocks"}')),
    )


def pagerduty_trial(stack: ExitStack, folder: Path) -> Trial:
    server = stack.enter_context(PagerDutyReceiver())
    settings = PagerDutySettings(routing_key=SecretStr(ROUTING_KEY), url=server.url)
    return http_trial(PagerDutyNotifier(settings, ALERTS, ManualClock(START)), server)


def teams_trial(stack: ExitStack, folder: Path) -> Trial:
    server = stack.enter_context(TeamsReceiver())
    settings = TeamsSettings(webhook_url=SecretStr(server.url))
    return http_trial(TeamsNotifier(settings, ALERTS, ManualClock(START)), server)


def discord_trial(stack: ExitStack, folder: Path) -> Trial:
    server = stack.enter_context(DiscordReceiver())
    settings = DiscordSettings(webhook_url=SecretStr(server.url))
    trial = http_trial(DiscordNotifier(settings, ALERTS, ManualClock(START)), server)
    # Once with its picture, and once without.
    return replace(trial, refuse=lambda: server.answers.extend([Answer(400)] * 2))


def telegram_trial(stack: ExitStack, folder: Path) -> Trial:
    server = stack.enter_context(TelegramReceiver())
    settings = TelegramSettings(bot_token=SecretStr(BOT_TOKEN), chat_id=server.chat, url=server.origin)
    return http_trial(TelegramNotifier(settings, ALERTS, ManualClock(START)), server)


def webhook_trial(stack: ExitStack, folder: Path) -> Trial:
    server = stack.enter_context(WebhookReceiver(START))
    settings = WebhookSettings(url=SecretStr(server.url), secret=SecretStr(SECRET))
    return http_trial(WebhookNotifier(settings, ALERTS, ManualClock(START)), server)


def apprise_trial(stack: ExitStack, folder: Path) -> Trial:
    server = stack.enter_context(AppriseReceiver())
    notifier = AppriseNotifier(AppriseSettings(url=SecretStr(server.service)), ALERTS)
    return http_trial(notifier, server, refuses=False)  # apprise does not say why something failed


def email_trial(stack: ExitStack, folder: Path) -> Trial:
    server = stack.enter_context(SmtpReceiver())
    settings = EmailSettings(host="127.0.0.1", port=server.port, security="none")
    return Trial(
        EmailNotifier(settings, "risk@example.com", ALERTS, ManualClock(START)),
        lambda: [str(mail.get_body(("plain",))) + str(mail["Subject"]) for mail in server.mails],
        lambda: server.data_replies.append("451 later"),
        lambda: server.data_replies.append("554 never"),
    )


def console_trial(stack: ExitStack, folder: Path) -> Trial:
    class Stream(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.full = False
            self.shown: list[str] = []

        def write(self, text: str) -> int:
            if self.full:
                self.full = False
                raise OSError(28, "No space left on device")
            self.shown.append(text)
            return len(text)

    stream = Stream()
    return Trial(ConsoleNotifier(ALERTS, stream), lambda: stream.shown, lambda: setattr(stream, "full", True), None)


def directory_trial(stack: ExitStack, folder: Path) -> Trial:
    inside = folder / "alerts"

    def block() -> None:
        inside.write_text("in the way")

    class Unblocking(DirectoryNotifier):
        def send(self, delivery: Delivery) -> None:
            try:
                super().send(delivery)
            except Transient:
                inside.unlink()
                raise

    return Trial(
        Unblocking(inside, ALERTS, ManualClock(START)),
        lambda: [path.read_text("utf-8") for path in sorted(inside.glob("*.txt"))],
        block,
        None,
    )


@pytest.fixture(
    params=[
        slack_trial,
        slack_bot_trial,
        email_trial,
        console_trial,
        directory_trial,
        pagerduty_trial,
        teams_trial,
        discord_trial,
        telegram_trial,
        webhook_trial,
        apprise_trial,
    ]
)
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    with ExitStack() as stack:
        yield request.param(stack, tmp_path)


def test_its_name_is_short_fixed_and_without_blanks(trial: Trial) -> None:
    assert trial.notifier.name == trial.notifier.name
    assert 0 < len(trial.notifier.name) <= 80
    assert not any(character.isspace() for character in trial.notifier.name)


def test_returning_means_that_the_other_side_has_it(trial: Trial) -> None:
    trial.notifier.send(make_delivery(notifier=trial.notifier.name))
    (taken,) = trial.taken()
    assert "HBRM" in taken


def test_a_receipt_is_short_enough_to_be_kept(trial: Trial) -> None:
    receipt = trial.notifier.send(make_delivery(notifier=trial.notifier.name))
    assert receipt is None or 0 < len(receipt) <= 500


def test_trouble_is_transient_and_the_same_message_can_be_sent_later(trial: Trial) -> None:
    delivery = make_delivery(notifier=trial.notifier.name)
    trial.trouble()
    with pytest.raises(Transient):
        trial.notifier.send(delivery)
    trial.notifier.send(delivery)
    assert len(trial.taken()) == 1


def test_a_refusal_is_final(trial: Trial) -> None:
    if trial.refuse is None:
        return
    trial.refuse()
    with pytest.raises(Failed):
        trial.notifier.send(make_delivery(notifier=trial.notifier.name))
    assert trial.taken() == []


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_text_from_outside_keeps_a_message_from_being_taken(trial: Trial, text: str) -> None:
    post = make_post(text, author=text, url=text)
    trial.notifier.send(make_delivery(make_alert(text, posts=(post,)), notifier=trial.notifier.name))
    assert len(trial.taken()) == 1


@pytest.mark.parametrize("reason", list(NotificationReason))
def test_an_alert_without_evidence_is_taken_too(trial: Trial, reason: NotificationReason) -> None:
    alert = (
        make_resolved(make_alert(evidence=None)) if reason is NotificationReason.RESOLVED else make_alert(evidence=None)
    )
    trial.notifier.send(make_delivery(alert, trial.notifier.name, reason))
    assert len(trial.taken()) == 1
