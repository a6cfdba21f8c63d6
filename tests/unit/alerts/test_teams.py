import dataclasses
import json

import pytest
from hypothesis import given, settings
from pydantic import SecretStr

from alerts.message import compose
from alerts.teams import MAX_MESSAGE_BYTES, TeamsNotifier, render_teams
from bearometer.alert import NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Misconfigured, Transient
from bearometer.settings import AlertSettings, TeamsSettings
from tests.receivers import Answer
from tests.sample_alerts import START, hostile_text, make_alert, make_delivery, make_post, make_resolved
from tests.vendor_receivers import TeamsReceiver, teams_problems

SETTINGS = AlertSettings()


def notifier(url: str) -> TeamsNotifier:
    return TeamsNotifier(TeamsSettings(webhook_url=SecretStr(url)), SETTINGS, ManualClock(START))


def test_the_card_has_the_message_with_its_evidence() -> None:
    with TeamsReceiver() as server:
        assert notifier(server.url).send(make_delivery()) is None
    shown = json.dumps(server.accepted)
    assert "HBRM: 15 negative posts by 14 authors in 24 h" in shown
    assert "Harbor Mills warns of a weak quarter & shuts a plant" in shown
    assert '"selectAction": {"type": "Action.OpenUrl", "url": "https://example.com/posts/1?a=1&b=2"}' in shown


def test_an_end_looks_different_from_a_beginning() -> None:
    begun = render_teams(compose(make_delivery(), SETTINGS))
    over = render_teams(compose(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED), SETTINGS))
    colours = [each["attachments"][0]["content"]["body"][0]["inlines"][0]["color"] for each in (begun, over)]
    assert colours == ["attention", "good"]


@settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_no_text_breaks_a_card(symbol: str, text: str, author: str, url: str) -> None:
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    payload = render_teams(compose(make_delivery(make_alert(symbol, posts=(post,) * 10)), SETTINGS))
    assert teams_problems(json.loads(json.dumps(payload))) == []


def test_of_too_much_the_last_is_left_out() -> None:
    post = make_post("😀" * 600, author="<" * 500, url="https://example.com/" + "&" * 1900)
    message = compose(make_delivery(make_alert(posts=(post,) * 50)), SETTINGS)
    payload = render_teams(dataclasses.replace(message, others=("ABCD: 9 negative posts in 24 h",) * 500))
    assert len(json.dumps(payload, ensure_ascii=False).encode()) <= MAX_MESSAGE_BYTES + 1000
    shown = json.dumps(payload, ensure_ascii=False)
    assert " more" in shown
    assert "😀" in shown


def test_a_login_page_is_not_taken_for_success() -> None:
    with TeamsReceiver() as server:
        server.answers.append(Answer(200, "<html>Log in</html>", {"Content-Type": "text/html; charset=utf-8"}))
        with pytest.raises(Transient, match="the answer is not Teams's"):
            notifier(server.url).send(make_delivery())


def test_a_flow_that_answers_itself_has_taken_the_message() -> None:
    with TeamsReceiver() as server:
        server.answers.append(Answer(200, '{"done": true}', {"Content-Type": "application/json"}))
        notifier(server.url).send(make_delivery())
    assert server.requests == 1


@pytest.mark.parametrize("host", ["acme.webhook.office.com", "outlook.office.com"])
def test_an_office_365_connector_is_refused_with_a_hint(host: str) -> None:
    with pytest.raises(Misconfigured, match="make a webhook in Workflows") as caught:
        notifier(f"https://{host}/webhookb2/SECRET")
    assert "SECRET" not in str(caught.value)
