import dataclasses
import json

import pytest
from hypothesis import given, settings
from pydantic import SecretStr, ValidationError

from alerts.message import compose
from alerts.telegram import TelegramNotifier, render_telegram
from bearometer.alert import NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured, Transient, Unavailable
from bearometer.settings import AlertSettings, TelegramSettings
from tests.receivers import Answer
from tests.sample_alerts import START, hostile_text, make_alert, make_delivery, make_post, make_resolved
from tests.vendor_receivers import BOT_TOKEN, TelegramReceiver, telegram_problems

SETTINGS = AlertSettings()


def notifier(server: TelegramReceiver) -> TelegramNotifier:
    settings = TelegramSettings(bot_token=SecretStr(BOT_TOKEN), chat_id=server.chat, url=server.origin)
    return TelegramNotifier(settings, SETTINGS, ManualClock(START))


def problems(text: str) -> list[str]:
    return telegram_problems({"text": text, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}})


def test_the_message_has_its_evidence_and_its_number_is_the_receipt() -> None:
    with TelegramReceiver() as server:
        assert notifier(server).send(make_delivery()) == "101"
    (payload,) = server.accepted
    assert payload["text"].startswith("🔻 <b>HBRM: 15 negative posts by 14 authors in 24 h")
    assert "<blockquote>Harbor Mills warns of a weak quarter &amp; shuts a plant</blockquote>" in payload["text"]
    assert '<a href="https://example.com/posts/1?a=1&amp;b=2">open the post</a>' in payload["text"]
    assert "<code>negative-spike:HBRM:2026-03-02T14:05:00+00:00</code>" in payload["text"]


def test_what_comes_later_answers_the_first_message() -> None:
    with TelegramReceiver() as server:
        receipt = notifier(server).send(make_delivery())
        over = make_delivery(make_resolved(), reason=NotificationReason.RESOLVED, thread=receipt)
        notifier(server).send(over)
        notifier(server).send(dataclasses.replace(over, thread="not a number"))
    first, second, third = server.accepted
    assert "reply_parameters" not in first
    assert second["reply_parameters"] == {"message_id": 101, "allow_sending_without_reply": True}
    assert "reply_parameters" not in third


@settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_no_text_breaks_a_telegram_message(symbol: str, text: str, author: str, url: str) -> None:
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    shown = render_telegram(compose(make_delivery(make_alert(symbol, posts=(post,) * 10)), SETTINGS))
    assert problems(json.loads(json.dumps(shown))) == []


def test_a_message_of_the_longest_texts_keeps_the_limit_and_the_id() -> None:
    post = make_post("&" * 5000, author="<" * 500, url="https://example.com/" + "&" * 1900)
    message = compose(make_delivery(make_alert(posts=(post,) * 50)), SETTINGS)
    facts = (*((f"A rather long label {number}", "<" * 900) for number in range(40)), ("Alert", "the-id"))
    shown = render_telegram(dataclasses.replace(message, facts=facts, headline="&" * 999, others=("x" * 50,) * 99))
    assert problems(shown) == []
    assert "<code>the-id</code>" in shown


def test_the_wait_that_telegram_asks_for_is_passed_on() -> None:
    with TelegramReceiver() as server:
        said = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 35}}
        server.answers.append(Answer(429, json.dumps(said)))
        with pytest.raises(Transient, match="429 'Too Many Requests'") as caught:
            notifier(server).send(make_delivery())
    assert caught.value.retry_after_seconds == 35


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Bad Request: chat not found"),
        (401, "Unauthorized"),
        (403, "Forbidden: bot was kicked from the group chat"),
        (404, "Not Found"),
    ],
)
def test_what_a_person_can_mend_is_worth_another_try(status: int, said: str) -> None:
    with TelegramReceiver() as server:
        server.answers.append(Answer(status, json.dumps({"ok": False, "error_code": status, "description": said})))
        with pytest.raises(Unavailable, match=said):
            notifier(server).send(make_delivery())


def test_a_group_that_has_moved_is_named_anew() -> None:
    with TelegramReceiver() as server:
        said = "Bad Request: group chat was upgraded to a supergroup chat"
        fields = {"ok": False, "description": said, "parameters": {"migrate_to_chat_id": -100987}}
        server.answers.append(Answer(400, json.dumps(fields)))
        with pytest.raises(Unavailable, match=r"set telegram\.chat_id to -100987"):
            notifier(server).send(make_delivery())


def test_a_message_that_telegram_cannot_read_is_given_up() -> None:
    with TelegramReceiver() as server:
        server.answers.append(Answer(400, '{"ok": false, "description": "Bad Request: can\'t parse entities"}'))
        with pytest.raises(Failed, match="can't parse entities"):
            notifier(server).send(make_delivery())


def test_no_error_holds_the_token() -> None:
    with TelegramReceiver() as server:
        server.answers.append(Answer(502, f"no route to /bot{BOT_TOKEN}/sendMessage"))
        with pytest.raises(Transient) as caught:
            notifier(server).send(make_delivery())
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("token", ["SECRET", "1:SEC/RET", "12:SECRET?x=y", ""])
def test_a_token_must_be_that_of_a_bot(token: str) -> None:
    with pytest.raises(Misconfigured, match=r"telegram\.bot_token") as caught:
        TelegramNotifier(TelegramSettings(bot_token=SecretStr(token), chat_id="1"), SETTINGS, ManualClock(START))
    assert "SECRET" not in str(caught.value)


def test_a_bot_without_a_chat_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"telegram\.chat_id"):
        TelegramNotifier(TelegramSettings(bot_token=SecretStr(BOT_TOKEN)), SETTINGS, ManualClock(START))
    with pytest.raises(ValidationError):
        TelegramSettings(chat_id="https://t.me/x")


def test_the_receiver_itself_refuses_what_telegram_refuses() -> None:
    for text in (
        "",
        "x" * 4097,
        "<b>x",
        "<i>x</i>",
        "&nbsp;",
        "a < b",
        "@someone",
        "/start",
        '<a href="tg://user?id=1">x</a>',
    ):
        assert problems(text), text
