import dataclasses
import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from alerts.slack_bot import SlackBotNotifier, check_bot
from bearometer.alert import Acknowledgement, Alert, AlertState, NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import AlertSettings, SlackSettings
from tests.receivers import Answer
from tests.sample_alerts import START, hostile_text, make_alert, make_delivery, make_post, make_resolved
from tests.slack_api import BOT_TOKEN, SlackServer

ALERTS = AlertSettings()
FIRING, ESCALATED, REPEATED, ACKNOWLEDGED, RESOLVED = NotificationReason
ALERT = make_alert()
TAKEN_ON = dataclasses.replace(
    ALERT, state=AlertState.ACKNOWLEDGED, acknowledged=Acknowledgement("ann", START + timedelta(minutes=9))
)


@pytest.fixture(scope="module")
def workspace() -> Iterator[SlackServer]:
    with SlackServer() as running:
        yield running


@pytest.fixture
def slack(workspace: SlackServer) -> SlackServer:
    workspace.reset()
    return workspace


@pytest.fixture(scope="module")
def sender(workspace: SlackServer) -> SlackBotNotifier:
    return bot(workspace)


def bot(slack: SlackServer, **changes: object) -> SlackBotNotifier:
    return SlackBotNotifier(slack.settings(**{"chart": False, **changes}), ALERTS, ManualClock(START))


def tell(sender: SlackBotNotifier, reason: NotificationReason, thread: str | None, alert: Alert = ALERT) -> str | None:
    return sender.send(make_delivery(alert, reason=reason, thread=thread))


def test_the_first_message_is_posted_and_its_place_is_the_receipt(slack: SlackServer, sender: SlackBotNotifier) -> None:
    receipt = tell(sender, FIRING, None)
    (message,) = slack.shown
    assert receipt == f"C0RISK:{message.ts}"
    assert message.body["text"].startswith("HBRM: 15 negative posts by 14 authors in 24 h")
    assert message.body["unfurl_links"] is False


def test_a_channel_may_be_named_and_its_id_is_kept(slack: SlackServer) -> None:
    for name in ("risk", "#risk"):
        receipt = tell(bot(slack, channel=name), FIRING, None)
        assert receipt is not None
        assert receipt.startswith("C0RISK:")


def test_one_message_shows_how_things_stand_and_its_thread_what_happened(
    slack: SlackServer, sender: SlackBotNotifier
) -> None:
    receipt = tell(sender, FIRING, None)
    (message,) = slack.shown
    first = message.title
    titles = []
    for reason, alert in ((ESCALATED, ALERT), (ACKNOWLEDGED, TAKEN_ON), (RESOLVED, make_resolved())):
        assert tell(sender, reason, receipt, alert) == receipt
        titles.append(message.title)
    assert len({first, *titles}) == 4, "each state looks different"
    assert message.edits == 3
    assert [answer.title for answer in slack.thread(message)] == [titles[0], titles[2]]
    assert message.body["text"].startswith("HBRM: over after")
    assert [shown.ts for shown in slack.shown] == [message.ts, slack.thread(message)[0].ts]
    assert slack.refused == []


@pytest.mark.parametrize(
    ("reason", "answers", "in_channel"),
    [(ESCALATED, 1, True), (REPEATED, 1, True), (ACKNOWLEDGED, 0, False), (RESOLVED, 1, False)],
)
def test_an_answer_is_shown_in_the_channel_when_somebody_should_look_now(
    slack: SlackServer, sender: SlackBotNotifier, reason: NotificationReason, answers: int, in_channel: bool
) -> None:
    receipt = tell(sender, FIRING, None)
    tell(sender, reason, receipt)
    found = slack.thread(slack.messages[0])
    assert len(found) == answers
    assert [answer.in_channel for answer in found] == [in_channel] * answers


def test_a_message_sent_twice_is_there_once(slack: SlackServer, sender: SlackBotNotifier) -> None:
    receipt = tell(sender, FIRING, None)
    assert tell(sender, FIRING, None) == receipt
    for reason in (ESCALATED, RESOLVED):
        for _ in range(2):
            tell(sender, reason, receipt)
    assert len(slack.messages) == 3
    other = tell(sender, FIRING, None, make_alert("OTHR"))
    assert other != receipt
    assert len(slack.messages) == 4


@pytest.mark.parametrize("lost", ["the post", "the edit", "the answer"])
def test_a_message_whose_confirmation_was_lost_is_sent_again_and_is_there_once(
    slack: SlackServer, sender: SlackBotNotifier, lost: str
) -> None:
    receipt = None if lost == "the post" else tell(sender, FIRING, None)
    reason = FIRING if lost == "the post" else ESCALATED
    if lost == "the answer":
        slack.codes["chat.postMessage"] = "internal_error"
        with pytest.raises(Transient):
            tell(sender, reason, receipt)
        del slack.codes["chat.postMessage"]
    slack.lose_answers = 1
    with pytest.raises(Unavailable):
        tell(sender, reason, receipt)
    again = tell(sender, reason, receipt)
    assert again is not None
    assert len(slack.messages) == (1 if lost == "the post" else 2)


def test_what_somebody_deleted_is_posted_anew_and_the_story_goes_on_there(
    slack: SlackServer, sender: SlackBotNotifier
) -> None:
    receipt = tell(sender, FIRING, None)
    slack.messages[0].deleted = True
    anew = tell(sender, ESCALATED, receipt)
    (message,) = slack.shown
    assert anew == f"C0RISK:{message.ts}" != receipt
    assert tell(sender, RESOLVED, anew, make_resolved()) == anew
    assert len(slack.thread(message)) == 1


def test_a_repeat_of_what_has_been_deleted_meanwhile_is_posted_once_more(
    slack: SlackServer, sender: SlackBotNotifier
) -> None:
    tell(sender, FIRING, None)
    slack.messages[0].deleted = True
    assert tell(sender, FIRING, None) == f"C0RISK:{slack.messages[1].ts}"


@pytest.mark.parametrize("code", ["cant_update_message", "message_not_found"])
def test_a_message_that_another_bot_wrote_is_left_and_a_new_one_posted(
    slack: SlackServer, sender: SlackBotNotifier, code: str
) -> None:
    slack.codes["chat.update"] = code
    receipt = tell(sender, RESOLVED, "C0RISK:1.000001", make_resolved())
    assert receipt == f"C0RISK:{slack.messages[0].ts}"


def test_where_the_workspace_allows_no_edits_the_thread_is_answered(
    slack: SlackServer, sender: SlackBotNotifier
) -> None:
    receipt = tell(sender, FIRING, None)
    slack.codes["chat.update"] = "edit_window_closed"
    assert tell(sender, RESOLVED, receipt, make_resolved()) == receipt
    assert len(slack.thread(slack.messages[0])) == 1


def test_a_locked_thread_is_followed_by_a_message_of_its_own(slack: SlackServer, sender: SlackBotNotifier) -> None:
    receipt = tell(sender, FIRING, None)
    refusal = Answer(200, json.dumps({"ok": False, "error": "restricted_action_thread_locked"}))
    slack.answers.extend([None, refusal])
    assert tell(sender, RESOLVED, receipt, make_resolved()) == f"C0RISK:{slack.messages[1].ts}"


def test_a_beginning_that_is_told_late_does_not_hide_the_end(slack: SlackServer, sender: SlackBotNotifier) -> None:
    receipt = tell(sender, RESOLVED, None, make_resolved())
    end = slack.messages[0].title
    tell(sender, FIRING, receipt)
    assert slack.messages[0].title == end
    (answer,) = slack.thread(slack.messages[0])
    assert not answer.in_channel


def test_a_message_that_tells_of_several_alerts_is_answered_and_never_changed(
    slack: SlackServer, sender: SlackBotNotifier
) -> None:
    receipt = sender.send(make_delivery(ALERT, others=(make_alert("OTHR"), make_alert("THRD"))))
    for reason in (ESCALATED, ACKNOWLEDGED, RESOLVED):
        assert tell(sender, reason, receipt) == receipt
    (message,) = [each for each in slack.messages if each.thread_ts is None]
    assert message.edits == 0
    assert len(slack.thread(message)) == 3


@pytest.mark.parametrize("receipt", ["", "nonsense", "C0RISK", "C0RISK:", "C0RISK:x.y", "a b:1.0", "C0RISK:1.0\n"])
def test_a_receipt_of_something_else_is_no_place(slack: SlackServer, sender: SlackBotNotifier, receipt: str) -> None:
    tell(sender, RESOLVED, receipt, make_resolved())
    assert slack.calls == ["chat.postMessage"]


@hypothesis_settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_no_text_breaks_a_message_an_edit_or_an_answer(
    workspace: SlackServer, sender: SlackBotNotifier, symbol: str, text: str, author: str, url: str
) -> None:
    workspace.reset()
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    alert = make_alert(symbol, posts=(post,) * 10, acknowledged=Acknowledgement(author, START, text))
    receipt = tell(sender, FIRING, None, alert)
    for reason in (ESCALATED, REPEATED, ACKNOWLEDGED, RESOLVED):
        tell(sender, reason, receipt, alert)
    assert workspace.refused == []
    assert (len(workspace.messages), workspace.messages[0].edits) == (4, 4)
    shown = json.dumps([message.body for message in workspace.messages])
    assert not [mark for mark in ("<!", "<@", "<#", "@here", "@channel", "@everyone") if mark in shown]


@pytest.mark.parametrize(
    "code", ["ratelimited", "rate_limited", "fatal_error", "internal_error", "service_unavailable", "update_failed"]
)
def test_trouble_at_slack_may_pass(slack: SlackServer, sender: SlackBotNotifier, code: str) -> None:
    slack.codes["chat.postMessage"] = code
    with pytest.raises(Transient, match=code) as caught:
        tell(sender, FIRING, None)
    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize(
    "code",
    [
        *("channel_not_found", "not_in_channel", "is_archived", "restricted_action", "missing_scope", "invalid_auth"),
        *("token_revoked", "account_inactive", "no_permission", "a_code_that_slack_has_yet_to_invent"),
    ],
)
def test_what_a_person_can_mend_is_worth_another_try(slack: SlackServer, sender: SlackBotNotifier, code: str) -> None:
    slack.codes["chat.postMessage"] = code
    with pytest.raises(Unavailable, match=code):
        tell(sender, FIRING, None)
    del slack.codes["chat.postMessage"]
    tell(sender, FIRING, None)
    assert len(slack.messages) == 1


@pytest.mark.parametrize("code", ["msg_too_long", "msg_blocks_too_long", "invalid_blocks", "no_text"])
def test_a_refusal_of_the_message_itself_is_final(slack: SlackServer, sender: SlackBotNotifier, code: str) -> None:
    slack.codes["chat.postMessage"] = code
    with pytest.raises(Failed, match=code):
        tell(sender, FIRING, None)


def test_a_rate_limit_passes_on_how_long_slack_wants_us_to_wait(slack: SlackServer, sender: SlackBotNotifier) -> None:
    limited = json.dumps({"ok": False, "error": "ratelimited"})
    for status, body in ((429, limited), (200, limited), (429, "")):
        slack.answers.append(Answer(status, body, {"Retry-After": "30"}))
        with pytest.raises(Transient) as caught:
            tell(sender, FIRING, None)
        assert caught.value.retry_after_seconds == 30.0
    assert slack.calls == ["chat.postMessage"] * 3


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, ""), (503, "oh no"), (200, "<html>Log in</html>"), (200, "[]"), (200, "{}"), (403, "no"), (200, "[" * 9999)],
)
def test_what_is_not_slacks_answer_is_no_success(
    slack: SlackServer, sender: SlackBotNotifier, status: int, body: str
) -> None:
    slack.answers.append(Answer(status, body))
    with pytest.raises(Transient):
        tell(sender, FIRING, None)
    slack.answers.append(Answer(status, '{"ok": true, "channel": "C0RISK", "ts": "nonsense"}'))
    if status == 200:
        assert tell(sender, FIRING, None) is None, "taken, but nobody knows where"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_follows_no_redirect(slack: SlackServer, sender: SlackBotNotifier, status: int) -> None:
    with SlackServer() as elsewhere:
        slack.answers.append(Answer(status, "", {"Location": elsewhere.url + "chat.postMessage"}))
        with pytest.raises(Unavailable):
            tell(sender, FIRING, None)
    assert elsewhere.calls == []


def test_silence_ends_at_the_timeout() -> None:
    with SlackServer() as slack:
        slack.silent = True
        with pytest.raises(Unavailable, match="no answer in time"):
            tell(bot(slack, timeout_seconds=0.2), FIRING, None)


def test_no_error_and_no_log_line_holds_the_token(
    slack: SlackServer, sender: SlackBotNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors = []
    for code in ("invalid_auth", "ratelimited", "invalid_blocks", BOT_TOKEN):
        slack.codes["chat.postMessage"] = code
        with pytest.raises((Transient, Failed)) as caught:
            tell(sender, FIRING, None)
        errors.append(str(caught.value))
    slack.codes.clear()
    tell(sender, FIRING, None)
    with SlackServer() as closed:
        away = bot(closed)
    with pytest.raises(Unavailable, match="Slack cannot be reached: Connection refused") as refused:
        tell(away, FIRING, None)
    assert "SECRET" not in " ".join([*errors, str(refused.value), repr(slack.settings()), caplog.text])


def test_a_wrong_token_is_told_without_posting(slack: SlackServer) -> None:
    assert check_bot(slack.settings()) == "bearometer of Risk desk"
    with pytest.raises(Unavailable, match=r"`slack\.bot_token` is wrong"):
        check_bot(slack.settings(bot_token=SecretStr("xoxb-other")))
    assert (slack.calls, slack.messages) == (["auth.test"] * 2, [])


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"channel": None}, "slack.channel"),
        ({"channel": "two words"}, "slack.channel"),
        ({"bot_token": None}, "slack.bot_token"),
        ({"bot_token": SecretStr("xoxb SECRET")}, "slack.bot_token"),
        ({"bot_token": SecretStr("xoxb-SECRET\r\nX: y")}, "slack.bot_token"),
        ({"api_url": "http://slack.example.com/api/"}, "slack.api_url"),
        ({"api_url": "nonsense"}, "slack.api_url"),
        ({"api_url": "https://[::1/"}, "slack.api_url"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], setting: str) -> None:
    settings = SlackSettings(bot_token=SecretStr(BOT_TOKEN), channel="C0RISK").model_copy(update=changes)
    with pytest.raises(Misconfigured, match=setting) as caught:
        SlackBotNotifier(settings, ALERTS, ManualClock(START))
    assert "SECRET" not in str(caught.value)
