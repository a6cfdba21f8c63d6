import dataclasses
import json
import logging
import socket
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from alerts.message import compose
from alerts.slack import SlackNotifier, check
from alerts.slack_blocks import cut, escape, length, render_slack, render_slack_reply
from bearometer.alert import NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import AlertSettings, SlackSettings
from tests.receivers import Answer, SlackReceiver, slack_problems
from tests.sample_alerts import HOSTILE_TEXTS, START, hostile_text, make_alert, make_delivery, make_post, make_resolved

SETTINGS = AlertSettings()


def notifier(url: str, timeout_seconds: float = 10.0) -> SlackNotifier:
    settings = SlackSettings(webhook_url=SecretStr(url), timeout_seconds=timeout_seconds)
    return SlackNotifier(settings, SETTINGS, ManualClock(START))


def test_the_receiver_takes_the_message_with_its_evidence() -> None:
    with SlackReceiver() as slack:
        notifier(slack.url).send(make_delivery())
    (payload,) = slack.accepted
    shown = json.dumps(payload, ensure_ascii=False)
    assert payload["text"].startswith("HBRM: 15 negative posts by 14 authors in 24 h")
    assert "Harbor Mills warns of a weak quarter &amp; shuts a plant" in shown
    assert "<https://example.com/posts/1?a=1&amp;b=2|open the post>" in shown
    assert "at most one false alert per symbol in 5 years" in shown
    assert payload["unfurl_links"] is False


def test_an_end_looks_different_from_a_beginning() -> None:
    begun = render_slack(compose(make_delivery(), SETTINGS))
    over = render_slack(compose(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED), SETTINGS))
    assert begun["blocks"][0]["text"]["text"] != over["blocks"][0]["text"]["text"]


def test_each_reason_has_a_header_of_its_own() -> None:
    titles = {
        render_slack(compose(make_delivery(reason=reason), SETTINGS))["blocks"][0]["text"]["text"]
        for reason in NotificationReason
    }
    assert len(titles) == len(NotificationReason)


def test_other_alerts_of_the_same_message_are_listed_and_those_that_do_not_fit_are_counted() -> None:
    def shown(*others: str) -> str:
        message = dataclasses.replace(compose(make_delivery(), SETTINGS), others=others)
        payload = render_slack(message)
        assert slack_problems(payload) == []
        return "\n".join(block["text"]["text"] for block in payload["blocks"] if "text" in block)

    assert "\nOTHR: 9 negative posts\nTHRD: 8 negative posts" in shown(
        "OTHR: 9 negative posts", "THRD: 8 negative posts"
    )
    assert "more" not in shown("OTHR: 9 negative posts")
    assert "and 76 more" in shown(*["x" * 100] * 100)
    assert "and 1 more" in shown("&" * 5000)


def test_a_message_of_very_many_facts_keeps_every_limit() -> None:
    for value, shown in (("&" * 2, 50), ("&" * 200, 4), ("&" * 5000, 1)):
        facts = tuple((f"Fact {number}", value) for number in range(300))
        payload = render_slack(dataclasses.replace(compose(make_delivery(), SETTINGS), facts=facts))
        assert slack_problems(payload) == []
        assert sum(len(block["fields"]) for block in payload["blocks"] if "fields" in block) >= shown
        assert [block for block in payload["blocks"] if block["type"] == "divider"], "a post is shown too"


def test_the_alerts_own_page_is_linked() -> None:
    settings = AlertSettings(link_base="https://desk.example.com/bear?a=1&b=2")
    payload = render_slack(compose(make_delivery(), settings))
    assert slack_problems(payload) == []
    texts = [item["text"] for item in payload["blocks"][-1]["elements"] if item["type"] == "mrkdwn"]
    assert len(texts) == 1
    assert texts[0].startswith("<https://desk.example.com/bear?a=1&amp;b=2/alerts/")
    assert texts[0].endswith("|acknowledge or silence>")


def test_the_answer_in_a_thread_says_what_has_happened() -> None:
    over = make_delivery(make_resolved(), reason=NotificationReason.RESOLVED)
    payload = render_slack_reply(compose(over, SETTINGS))
    assert slack_problems(payload) == []
    assert [block["type"] for block in payload["blocks"]] == ["header", "section"]
    assert payload["text"].startswith("HBRM: over after")


@hypothesis_settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_no_text_breaks_a_slack_message(symbol: str, text: str, author: str, url: str) -> None:
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    payload = render_slack(compose(make_delivery(make_alert(symbol, posts=(post,) * 10)), SETTINGS))
    assert slack_problems(json.loads(json.dumps(payload))) == []
    shown = json.dumps(payload)
    assert not [mark for mark in ("<!", "<@", "<#", "@here", "@channel", "@everyone") if mark in shown]


def test_a_message_of_the_longest_posts_keeps_every_limit_and_shows_most_of_them() -> None:
    post = make_post("&" * 5000, author="<" * 500, url="https://example.com/" + "&" * 1900)
    payload = render_slack(compose(make_delivery(make_alert(posts=(post,) * 50)), SETTINGS))
    assert slack_problems(payload) == []
    assert sum(block["type"] == "divider" for block in payload["blocks"]) >= 1


def test_text_from_posts_stands_in_plain_text_only() -> None:
    post = make_post("*bold* `tick` evilword", author="evilauthor")
    payload = render_slack(compose(make_delivery(make_alert("EVIL", posts=(post,))), SETTINGS))
    for block in payload["blocks"]:
        for item in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
            if item and item["type"] == "mrkdwn":
                assert "evil" not in item["text"].lower()


@hypothesis_settings(deadline=None)
@given(hostile_text, st.integers(1, 60))
def test_cutting_keeps_entities_whole(text: str, limit: int) -> None:
    escaped = escape(text)
    shown = cut(escaped, limit)
    assert length(shown) <= limit
    rest = shown.removesuffix("…") if shown != escaped else shown
    assert escaped.startswith(rest)
    for entity in ("&amp;", "&lt;", "&gt;"):
        rest = rest.replace(entity, "")
    assert "&" not in rest


def test_a_rate_limit_passes_on_how_long_slack_wants_us_to_wait() -> None:
    dated = format_datetime(START + timedelta(seconds=90), usegmt=True)
    with SlackReceiver() as slack:
        for header, seconds in (("30", 30.0), (dated, 90.0), ("soon", None), ("nan", None), ("-5", 0.0)):
            slack.answers.append(Answer(429, "rate_limited", {"Retry-After": header}))
            with pytest.raises(Transient) as caught:
                notifier(slack.url).send(make_delivery())
            assert caught.value.retry_after_seconds == seconds
    assert slack.requests == 5


@pytest.mark.parametrize("status", [500, 502, 503])
def test_trouble_at_slack_may_pass(status: int) -> None:
    with SlackReceiver() as slack:
        slack.answers.append(Answer(status, "oh no"))
        with pytest.raises(Transient, match=f"Slack answered {status} 'oh no'"):
            notifier(slack.url).send(make_delivery())
    assert slack.requests == 1


@pytest.mark.parametrize(
    ("status", "body"), [(403, "action_prohibited"), (404, "no_service"), (410, "channel_is_archived")]
)
def test_what_a_person_can_mend_at_slack_is_worth_another_try(status: int, body: str) -> None:
    with SlackReceiver() as slack:
        slack.answers.append(Answer(status, body))
        with pytest.raises(Unavailable, match=f"Slack answered {status} '{body}'"):
            notifier(slack.url).send(make_delivery())


@pytest.mark.parametrize(("status", "body"), [(400, "invalid_blocks"), (400, "invalid_payload"), (413, "too large")])
def test_a_refusal_of_the_message_itself_is_final_and_says_what_slack_said(status: int, body: str) -> None:
    with SlackReceiver() as slack:
        slack.answers.append(Answer(status, body))
        with pytest.raises(Failed, match=f"Slack answered {status} '{body}'"):
            notifier(slack.url).send(make_delivery())


def test_a_page_of_a_proxy_is_not_taken_for_success() -> None:
    with SlackReceiver() as slack:
        slack.answers.append(Answer(200, "<html>Log in to the network</html>"))
        with pytest.raises(Transient, match="the answer is not Slack's"):
            notifier(slack.url).send(make_delivery())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with SlackReceiver() as slack, SlackReceiver() as elsewhere:
        slack.answers.append(Answer(status, "", {"Location": elsewhere.url}))
        with pytest.raises(Unavailable, match=f"Slack answered {status}"):
            notifier(slack.url).send(make_delivery())
        assert elsewhere.requests == 0


def test_silence_ends_at_the_timeout() -> None:
    with SlackReceiver() as slack:
        slack.silent = True
        with pytest.raises(Unavailable, match="no answer in time"):
            notifier(slack.url, timeout_seconds=0.2).send(make_delivery())


def test_no_error_and_no_log_line_holds_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    errors = []
    with SlackReceiver() as slack:
        for status in (429, 500, 404, 200):
            slack.answers.append(Answer(status, "x"))
            with pytest.raises((Transient, Failed)) as caught:
                notifier(slack.url).send(make_delivery())
            errors.append(str(caught.value))
        notifier(slack.url).send(make_delivery())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="Slack cannot be reached: Connection refused") as refused:
        notifier(f"http://127.0.0.1:{port}/services/T0SECRET").send(make_delivery())
    assert "SECRET" not in " ".join([*errors, str(refused.value), caplog.text])


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/SECRET", "ftp://127.0.0.1/SECRET", "SECRET", "https://", "https://h/SEC RET", ""]
)
def test_a_webhook_must_be_https_except_on_loopback(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"slack\.webhook_url") as caught:
        check(SlackSettings(webhook_url=SecretStr(url)))
    assert "SECRET" not in str(caught.value)


def test_a_webhook_on_loopback_may_be_plain() -> None:
    for url in ("http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]:8/x", "https://hooks.example.com/x"):
        assert check(SlackSettings(webhook_url=SecretStr(url))) == url


def test_the_receiver_itself_refuses_what_slack_refuses() -> None:
    good = render_slack(compose(make_delivery(), SETTINGS))
    assert slack_problems(good) == []
    for blocks in (
        [{"type": "divider"}] * 51,
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x", "verbatim": True}}],
        [{"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}],
        [{"type": "section", "text": {"type": "plain_text", "text": ""}}],
        [{"type": "section", "fields": [{"type": "plain_text", "text": "x"}] * 11}],
        [{"type": "context", "elements": []}],
        [{"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>", "verbatim": True}}],
        [{"type": "section", "text": {"type": "plain_text", "text": HOSTILE_TEXTS[3]}}],
        [{"type": "section", "text": {"type": "plain_text", "text": "&am"}}],
    ):
        assert slack_problems({**good, "blocks": blocks})
