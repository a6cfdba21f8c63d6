import dataclasses
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from pydantic import SecretStr

from alerts.message import compose
from alerts.pagerduty import PagerDutyNotifier, dedup_key, render_pagerduty
from bearometer.alert import NotificationReason, Severity
from bearometer.clock import ManualClock
from bearometer.errors import Misconfigured, Transient
from bearometer.settings import AlertSettings, PagerDutySettings
from tests.receivers import Answer
from tests.sample_alerts import START, hostile_text, make_alert, make_delivery, make_post, make_resolved
from tests.vendor_receivers import ROUTING_KEY, PagerDutyReceiver, pagerduty_problems

SETTINGS = AlertSettings()


def notifier(server: PagerDutyReceiver) -> PagerDutyNotifier:
    settings = PagerDutySettings(routing_key=SecretStr(ROUTING_KEY), url=server.url)
    return PagerDutyNotifier(settings, SETTINGS, ManualClock(START))


def test_an_alert_opens_an_incident_that_is_acknowledged_and_resolved() -> None:
    with PagerDutyReceiver() as server:
        sender = notifier(server)
        story = [NotificationReason.FIRING, NotificationReason.ESCALATED, NotificationReason.ACKNOWLEDGED]
        receipts = {sender.send(make_delivery(reason=reason)) for reason in story}
        key = dedup_key(make_alert())
        assert receipts == {key}
        assert server.incidents == {key: "acknowledge"}
        sender.send(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED))
        assert server.incidents == {key: "resolve"}
    opened = server.accepted[0]
    assert opened["payload"]["summary"].startswith("HBRM: 15 negative posts by 14 authors in 24 h")
    assert "Harbor Mills warns of a weak quarter & shuts a plant" in opened["payload"]["custom_details"]["Post 1"]
    assert opened["links"] == [{"href": "https://example.com/posts/1?a=1&b=2", "text": "Post 1"}]


def test_each_alert_has_a_key_of_its_own() -> None:
    later = make_alert(started_at=START + timedelta(days=9), id="negative-spike:HBRM:later")
    keys = {dedup_key(make_alert()), dedup_key(later), dedup_key(make_alert("OTHR")), dedup_key(make_alert("x" * 999))}
    assert len(keys) == 4
    assert dedup_key(make_alert()) == dedup_key(make_resolved())


@pytest.mark.parametrize("severity", list(Severity))
def test_the_severity_is_that_of_the_rule(severity: Severity) -> None:
    delivery = make_delivery(make_alert(severity=severity))
    event = render_pagerduty(delivery, compose(delivery, SETTINGS))
    assert event["payload"]["severity"] == severity.value


@settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_no_text_breaks_an_event(symbol: str, text: str, author: str, url: str) -> None:
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    delivery = make_delivery(make_alert(symbol, posts=(post,) * 10))
    event = {"routing_key": ROUTING_KEY, **render_pagerduty(delivery, compose(delivery, SETTINGS))}
    assert pagerduty_problems(json.loads(json.dumps(event))) == []


def test_other_alerts_of_the_same_message_are_listed() -> None:
    delivery = make_delivery()
    message = dataclasses.replace(compose(delivery, SETTINGS), others=("ABCD: 9 negative posts", "EFGH: 8 @channel"))
    details = render_pagerduty(delivery, message)["payload"]["custom_details"]
    assert details["Also"] == "ABCD: 9 negative posts\nEFGH: 8 @\u2060channel"


def test_an_answer_that_is_not_pagerdutys_is_no_success() -> None:
    with PagerDutyReceiver() as server:
        server.answers.append(Answer(202, "<html>Log in</html>"))
        with pytest.raises(Transient, match="the answer is not PagerDuty's"):
            notifier(server).send(make_delivery())


@pytest.mark.parametrize("key", ["", "short", "SECRET" * 10, "0123456789abcdef0123456789abcde\n"])
def test_a_key_must_be_an_integration_key(key: str) -> None:
    with pytest.raises(Misconfigured, match=r"pagerduty\.routing_key") as caught:
        PagerDutyNotifier(PagerDutySettings(routing_key=SecretStr(key)), SETTINGS, ManualClock(START))
    assert "SECRET" not in str(caught.value)


def test_the_error_does_not_repeat_the_key() -> None:
    with PagerDutyReceiver() as server:
        server.answers.append(Answer(403, f"no such key: {ROUTING_KEY}"))
        with pytest.raises(Transient, match="no such key: …"):
            notifier(server).send(make_delivery())
