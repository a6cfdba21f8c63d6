"""What `alerts.notifier.Notifier` promises, asked of every notifier against a real other side."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts.console import ConsoleNotifier, DirectoryNotifier
from alerts.email import EmailNotifier
from alerts.notifier import Notifier
from alerts.slack import SlackNotifier
from bearometer.alert import Delivery, NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Transient
from bearometer.settings import AlertSettings, EmailSettings, SlackSettings
from tests.receivers import Answer, SlackReceiver, SmtpReceiver
from tests.sample_alerts import HOSTILE_TEXTS, START, make_alert, make_delivery, make_post, make_resolved

ALERTS = AlertSettings()


@dataclass
class Trial:
    """A notifier, what its other side has taken, and how to put the other side in trouble for one message."""

    notifier: Notifier
    taken: Callable[[], list[str]]
    trouble: Callable[[], None]
    refuse: Callable[[], None] | None
    """None where nothing that is sent can be refused for good."""


def slack_trial(stack: ExitStack, folder: Path) -> Trial:
    slack = stack.enter_context(SlackReceiver())
    return Trial(
        SlackNotifier(SlackSettings(webhook_url=SecretStr(slack.url)), ALERTS, ManualClock(START)),
        lambda: [str(payload) for payload in slack.accepted],
        lambda: slack.answers.append(Answer(503)),
        lambda: slack.answers.append(Answer(400, "invalid_blocks")),
    )


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


@pytest.fixture(params=[slack_trial, email_trial, console_trial, directory_trial])
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
