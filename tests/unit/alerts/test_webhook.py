import base64
import dataclasses
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from alerts.message import compose
from alerts.webhook import MAX_OTHERS, WebhookNotifier, message_id, render_webhook
from bearometer.alert import Acknowledgement, NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured, Transient
from bearometer.settings import AlertSettings, WebhookSettings
from bearometer.signing import read_signing_key, sign
from tests.receivers import Answer
from tests.sample_alerts import (
    START,
    hostile_text,
    make_alert,
    make_delivery,
    make_full_alert,
    make_post,
    make_resolved,
)
from tests.vendor_receivers import SECRET, WebhookReceiver

SETTINGS = AlertSettings()
DOCUMENT = Path(__file__).parents[3] / "docs" / "webhook.md"
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of more bytes").decode()


def notifier(url: str, *, clock: ManualClock | None = None, **changes: Any) -> WebhookNotifier:
    given = {"url": SecretStr(url), "secret": SecretStr(SECRET), **changes}
    return WebhookNotifier(WebhookSettings(**given), SETTINGS, clock or ManualClock(START))


def test_the_signature_is_that_of_the_specification() -> None:
    # The vector of https://github.com/standard-webhooks/standard-webhooks, libraries/python/tests.
    key = read_signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "x")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_the_receiver_can_tell_that_it_is_ours_and_drops_repeats_by_the_id() -> None:
    clock = ManualClock(START)
    with WebhookReceiver(START) as server:
        sender = notifier(server.url, clock=clock)
        first = sender.send(make_delivery())
        clock.advance(timedelta(seconds=90))
        again = sender.send(make_delivery())
        other = sender.send(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED))
    assert first == again == message_id(make_delivery())
    assert other != first
    assert [headers["webhook-id"] for headers in server.headers] == [first, again, other]
    times = [int(headers["webhook-timestamp"]) for headers in server.headers]
    assert times == [int(START.timestamp()) + late for late in (0, 90, 90)]
    assert [payload["type"] for payload in server.accepted] == ["alert.firing", "alert.firing", "alert.resolved"]


def test_what_is_old_or_changed_or_signed_by_others_is_refused() -> None:
    with WebhookReceiver(START + timedelta(minutes=6)) as server, pytest.raises(Failed):
        notifier(server.url).send(make_delivery())
    with WebhookReceiver(START, OTHER_SECRET) as server, pytest.raises(Failed):
        notifier(server.url).send(make_delivery())


def test_while_the_secret_is_changed_both_are_good() -> None:
    for known in (SECRET, OTHER_SECRET):
        with WebhookReceiver(START, known) as server:
            notifier(server.url, secret=SecretStr(OTHER_SECRET), previous_secret=SecretStr(SECRET)).send(
                make_delivery()
            )
            assert len(server.accepted) == 1


def test_the_check_in_the_document_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    body, key = b'{"version": 1}', read_signing_key(SECRET, "x")
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1000",
        "webhook-signature": f"v1,AAAA {sign(key, 'msg_1', 1000, body)}",
    }
    assert names["is_ours"](headers, body, SECRET, 1200)
    assert not names["is_ours"](headers, body, SECRET, 1400)
    assert not names["is_ours"](headers, body + b" ", SECRET, 1200)
    assert not names["is_ours"](headers, body, OTHER_SECRET, 1200)


def test_the_document_names_every_field() -> None:
    alert = make_alert(acknowledged=Acknowledgement("ann", START, "on it"))
    delivery = make_delivery(alert, others=(make_alert("OTHR"),), dropped=3)
    body = render_webhook(delivery, compose(delivery, SETTINGS))
    described = DOCUMENT.read_text("utf-8")
    named = {name.rpartition(".")[2] for name in re.findall(r"`([a-z_.]+)`", described)}
    assert set(_keys(body)) - {"data"} <= named
    assert f"| `version` | {body['version']} |" in described
    assert all(f"`alert.{reason}`" in described for reason in NotificationReason)
    assert body["data"]["dropped"] == 3
    assert body["data"]["others"][0]["symbol"] == "OTHR"
    assert body["data"]["alert"]["acknowledged"]["who"] == "ann"


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in _keys(item))]
    return [key for item in value for key in _keys(item)] if isinstance(value, list) else []


@settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_no_text_breaks_the_body(symbol: str, text: str, author: str, url: str) -> None:
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    delivery = make_delivery(make_alert(symbol, posts=(post,) * 10))
    body = json.loads(json.dumps(render_webhook(delivery, compose(delivery, SETTINGS)), allow_nan=False).encode())
    for each in body["data"]["posts"]:
        assert not {"\n", "\r", "\0", "\x1b", "\u202e"} & set(
            each["text"] + (each["author"] or "") + (each["url"] or "")
        )


@settings(deadline=None)
@given(hostile_text, st.sampled_from(NotificationReason))
def test_an_id_has_no_dot_and_no_blank(symbol: str, reason: NotificationReason) -> None:
    assert re.fullmatch(r"msg_[0-9a-f]{40}", message_id(make_delivery(make_alert(symbol), reason=reason)))


def test_of_many_other_alerts_the_rest_is_counted() -> None:
    delivery = dataclasses.replace(make_delivery(), others=(make_alert("OTHR"),) * (MAX_OTHERS + 7))
    data = render_webhook(delivery, compose(delivery, SETTINGS))["data"]
    assert len(data["others"]) == MAX_OTHERS
    assert data["others_left_out"] == 7


def test_an_error_does_not_repeat_the_address() -> None:
    with WebhookReceiver(START) as server:
        server.answers.append(Answer(500, f"trouble at {server.url}"))
        with pytest.raises(Transient) as caught:
            notifier(server.url).send(make_delivery())
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "SECRET", "whsec_SECRET", "whsec_" + "SECRET" * 4, "whsec_ü" * 30])
def test_a_secret_must_be_long_enough_and_well_formed(secret: str) -> None:
    for setting in ("secret", "previous_secret"):
        changes: dict[str, Any] = {setting: SecretStr(secret)}
        with pytest.raises(Misconfigured, match=rf"`webhook\.{setting}` is not a signing secret") as caught:
            notifier("https://example.com/x", **changes)
        assert "SECRET" not in str(caught.value)


def test_an_address_without_a_secret_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"`webhook\.secret` is missing"):
        notifier("https://example.com/x", secret=None)


def test_the_body_counts_stories_and_spam() -> None:
    full = make_delivery(make_full_alert("it\x1b[2J"))
    told = render_webhook(full, compose(full, SETTINGS))["data"]
    assert (told["mentions"], told["stories"]) == (86, 31)
    assert told["spam"]["posts"] == 37
    assert told["spam"]["reasons"][:2] == [{"code": "it[2J", "posts": 20}, {"code": "same-text", "posts": 10}]
    assert told["posts"][0].items() >= {"repeats": 36, "accounts": 31, "sources": 2}.items()
    assert told["posts"][0]["since"] == "2026-03-01T08:05:00+00:00"
    old = make_delivery(make_alert(evidence=None))
    assert render_webhook(old, compose(old, SETTINGS))["data"]["spam"] is None
