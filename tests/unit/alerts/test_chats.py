"""What holds for the message of every chat, with everything that an alert can have."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.discord import render_discord
from alerts.http import encode
from alerts.message import Message, compose
from alerts.pagerduty import render_pagerduty
from alerts.teams import render_teams
from alerts.telegram import render_telegram
from alerts.webhook import render_webhook
from bearometer.alert import Delivery, NotificationReason
from bearometer.settings import AlertSettings
from tests.sample_alerts import hostile_text, make_delivery, make_full_alert
from tests.vendor_receivers import (
    ROUTING_KEY,
    discord_problems,
    pagerduty_problems,
    teams_problems,
    telegram_problems,
)

PLAIN = AlertSettings()
LINKED = AlertSettings(link_base="https://risk.example.com/bearometer(1)")


def pagerduty(delivery: Delivery, message: Message) -> tuple[Any, list[str]]:
    event = {"routing_key": ROUTING_KEY, **render_pagerduty(delivery, message)}
    return event, pagerduty_problems(event)


def teams(delivery: Delivery, message: Message) -> tuple[Any, list[str]]:
    payload = render_teams(message)
    return payload, teams_problems(payload)


def discord(delivery: Delivery, message: Message) -> tuple[Any, list[str]]:
    payload = render_discord(message)
    return payload, discord_problems(payload)


def telegram(delivery: Delivery, message: Message) -> tuple[Any, list[str]]:
    payload = {"text": render_telegram(message), "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}
    return payload, telegram_problems(payload)


def webhook(delivery: Delivery, message: Message) -> tuple[Any, list[str]]:
    body = render_webhook(delivery, message)
    return body, [] if len(encode(body)) < 200_000 else ["too long"]


CHATS = [pagerduty, teams, discord, telegram, webhook]
Chat = Callable[[Delivery, Message], tuple[Any, list[str]]]


@pytest.mark.parametrize("chat", CHATS)
@settings(deadline=None, max_examples=60)
@given(said=hostile_text, reason=st.sampled_from(NotificationReason), alerts=st.sampled_from([PLAIN, LINKED]))
def test_nothing_that_an_alert_can_have_breaks_its_message(
    chat: Chat, said: str, reason: NotificationReason, alerts: AlertSettings
) -> None:
    alert = make_full_alert(said)
    delivery = make_delivery(alert, reason=reason, others=(alert,) * 30, dropped=3)
    payload, problems = chat(delivery, compose(delivery, alerts))
    assert problems == []
    json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize("chat", CHATS)
def test_other_alerts_messages_kept_back_and_the_link_are_shown(chat: Chat) -> None:
    alert = make_full_alert()
    delivery = make_delivery(alert, others=(alert,) * 400, dropped=3)
    message = compose(delivery, LINKED)
    payload, problems = chat(delivery, message)
    shown = json.dumps(payload, ensure_ascii=False)
    assert problems == []
    assert "3 earlier messages were kept back" in shown
    assert "https://risk.example.com/bearometer" in shown
    assert " more" in shown or '"others_left_out": 350' in shown
