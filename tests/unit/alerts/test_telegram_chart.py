"""The chart that follows an alert in Telegram, and that an alert is told whatever becomes of it."""

import dataclasses
import io
import json
import logging
from datetime import timedelta

import pytest
from PIL import Image
from pydantic import SecretStr

from alerts import telegram
from alerts.message import compose
from alerts.multipart import multipart
from alerts.pause import PAUSE_SECONDS
from alerts.telegram import TelegramNotifier
from bearometer.alert import NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Transient
from bearometer.settings import AlertSettings, TelegramSettings
from tests.forms import Part, read_form
from tests.receivers import Answer
from tests.sample_alerts import HOSTILE_TEXTS, START, make_alert, make_delivery, make_full_alert, make_resolved
from tests.vendor_receivers import BOT_TOKEN, TelegramReceiver, telegram_photo_problems

NO_RIGHT = '{"ok": false, "description": "Bad Request: not enough rights to send photos to the chat"}'
FLOOD = '{"ok": false, "description": "Too Many Requests: retry after 400", "parameters": {"retry_after": 400}}'


def notifier(
    server: TelegramReceiver, clock: ManualClock | None = None, timeout_seconds: float = 10
) -> TelegramNotifier:
    settings = TelegramSettings(
        bot_token=SecretStr(BOT_TOKEN), chat_id=server.chat, url=server.origin, timeout_seconds=timeout_seconds
    )
    return TelegramNotifier(settings, AlertSettings(), clock or ManualClock(START))


def test_the_chart_answers_its_message_without_a_sound() -> None:
    with TelegramReceiver() as server:
        assert notifier(server).send(make_delivery()) == "101"
    assert server.refused == []
    (photo,) = server.photos
    assert Image.open(io.BytesIO(photo["photo"].content)).size == (1400, 600)
    assert json.loads(photo["reply_parameters"].content)["message_id"] == 101
    assert photo["disable_notification"].content == b"true"
    (message,) = server.accepted
    assert "Chart: <code>" in message["text"]


def test_people_who_cannot_see_it_have_it_in_words() -> None:
    delivery = make_delivery(make_full_alert())
    with TelegramReceiver() as server:
        notifier(server).send(delivery)
    (photo,) = server.photos
    assert photo["caption"].content.decode() == compose(delivery, AlertSettings()).chart_alt
    assert photo["caption"].content.startswith(b"Bar chart: negative posts about HBRM per ")


def test_of_what_comes_later_only_what_is_much_worse_has_a_chart() -> None:
    with TelegramReceiver() as server:
        sender = notifier(server)
        for reason in NotificationReason:
            alert = make_resolved() if reason is NotificationReason.RESOLVED else make_alert()
            thread = None if reason is NotificationReason.FIRING else "101"
            sender.send(make_delivery(alert, reason=reason, thread=thread))
    assert len(server.accepted) == len(NotificationReason)
    # 102 is the first chart; the message of the escalation is 103, and what its chart answers.
    assert [json.loads(photo["reply_parameters"].content)["message_id"] for photo in server.photos] == [101, 103]


def test_an_alert_without_a_chart_is_a_message_only(caplog: pytest.LogCaptureFixture) -> None:
    with TelegramReceiver() as server:
        assert notifier(server).send(make_delivery(make_alert(evidence=None))) == "101"
    assert (server.photos, server.requests) == ([], 1)
    assert caplog.records == []


def test_a_message_that_was_not_taken_has_no_chart() -> None:
    with TelegramReceiver() as server:
        server.answers.append(Answer(503))
        with pytest.raises(Transient):
            notifier(server).send(make_delivery())
    assert server.requests == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(400, NO_RIGHT), "400 'Bad Request: not enough rights to send photos to the chat'"),
        (Answer(429, FLOOD), "429 'Too Many Requests: retry after 400'"),
        (Answer(502, f"no route to /bot{BOT_TOKEN}/sendPhoto"), "502 'no route to …'"),
        (Answer(200, "<html>Log in</html>"), "the answer is not Telegram's: 200 '<html>Log in</html>'"),
        (Answer(307, "", {"Location": "http://127.0.0.1:9/"}), "307"),
    ],
)
def test_an_alert_is_told_although_its_chart_is_refused(
    answer: Answer, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with TelegramReceiver() as server:
        server.photo_answers.append(answer)
        assert notifier(server).send(make_delivery()) == "101"
    assert (len(server.accepted), server.photos, server.requests) == (1, [], 2)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert said in record.getMessage()
    assert "see that the bot may send photos in the chat" in record.getMessage()
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(("message_seconds", "chart_seconds"), [(600.0, 0.5), (0.5, 600.0)])
def test_a_chart_that_gets_no_answer_is_not_waited_for_long(
    message_seconds: float, chart_seconds: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(telegram, "EXTRA_SECONDS", chart_seconds)
    with TelegramReceiver() as server:
        server.photos_silent = True
        assert notifier(server, timeout_seconds=message_seconds).send(make_delivery()) == "101"
    assert len(server.accepted) == 1
    (record,) = caplog.records
    assert "Telegram cannot be reached: no answer in time" in record.getMessage()
    assert "SECRET" not in caplog.text


def test_after_a_failure_the_next_alerts_wait_for_no_chart(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(START)
    with TelegramReceiver() as server:
        sender = notifier(server, clock)
        server.photo_answers.append(Answer(503))
        for _ in range(3):
            sender.send(make_delivery())
        assert (len(server.accepted), server.requests) == (3, 4)
        clock.advance(timedelta(seconds=PAUSE_SECONDS))
        sender.send(make_delivery())
    assert len(server.photos) == 1
    assert len(caplog.records) == 1


def test_no_chart_is_sent_before_telegram_wants_one() -> None:
    clock = ManualClock(START)
    with TelegramReceiver() as server:
        sender = notifier(server, clock)
        server.photo_answers.append(Answer(429, FLOOD))
        sender.send(make_delivery())
        clock.advance(timedelta(seconds=399))
        sender.send(make_delivery())
        assert server.photos == []
        clock.advance(timedelta(seconds=1))
        sender.send(make_delivery())
    assert len(server.photos) == 1


def test_an_alert_is_told_although_its_chart_cannot_be_drawn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> bytes:
        raise OverflowError

    monkeypatch.setattr(telegram, "render_chart", fail)
    with TelegramReceiver() as server:
        assert notifier(server).send(make_delivery()) == "101"
    (record,) = caplog.records
    assert "a defect: OverflowError" in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_symbol_breaks_a_caption(text: str) -> None:
    with TelegramReceiver() as server:
        notifier(server).send(make_delivery(make_alert(text)))
    assert (len(server.photos), server.refused) == (1, [])


def test_nothing_that_is_logged_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with TelegramReceiver() as server:
        notifier(server).send(make_delivery())
    assert len(server.photos) == 1
    assert "SECRET" not in caplog.text


def test_the_receiver_itself_refuses_what_telegram_refuses() -> None:
    with TelegramReceiver() as server:
        notifier(server).send(make_delivery())
        (form,) = server.photos

    def problems(**changes: bytes) -> list[str]:
        changed = {name: dataclasses.replace(form[name], content=content) for name, content in changes.items()}
        return telegram_photo_problems({**form, **changed}, server.chat, {101})

    assert problems() == []
    png = form["photo"].content
    for changes in (
        {"chat_id": b"1"},
        {"caption": b"x" * 1025},
        {"caption": b"<b>x"},
        {"parse_mode": b"Markdown"},
        {"disable_notification": b"false"},
        {"reply_parameters": b'{"message_id": 7, "allow_sending_without_reply": true}'},
        {"reply_parameters": b'{"message_id": "101", "allow_sending_without_reply": true}'},
        {"reply_parameters": b'{"message_id": 101}'},
        {"photo": b"GIF89a" + png[6:]},
        {"photo": png[:16] + (9000).to_bytes(4, "big") + (1001).to_bytes(4, "big")},
        {"photo": png[:16] + (2100).to_bytes(4, "big") + (100).to_bytes(4, "big")},
        {"photo": png + bytes(10_000_000)},
    ):
        assert problems(**changes), changes.keys()
    assert telegram_photo_problems({**form, "silent": Part(b"1", None, {})}, server.chat, {101}) == ["unknown silent"]
    body, content_type = multipart({}, {"photo": ("", png, "image/png")})
    assert telegram_photo_problems({**form, **read_form(content_type, body)}, server.chat, {101}) == ["no file"]
