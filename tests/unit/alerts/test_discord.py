import dataclasses
import json

import pytest
from hypothesis import given, settings
from pydantic import SecretStr

from alerts.discord import DiscordNotifier, escape, render_discord
from alerts.message import compose
from bearometer.alert import NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Transient, Unavailable
from bearometer.settings import AlertSettings, DiscordSettings
from tests.receivers import Answer
from tests.sample_alerts import START, hostile_text, make_alert, make_delivery, make_post, make_resolved
from tests.vendor_receivers import DiscordReceiver, discord_problems

SETTINGS = AlertSettings()


def notifier(url: str) -> DiscordNotifier:
    return DiscordNotifier(DiscordSettings(webhook_url=SecretStr(url)), SETTINGS, ManualClock(START))


def test_the_message_has_its_evidence_and_its_id_is_the_receipt() -> None:
    with DiscordReceiver() as server:
        assert notifier(server.url).send(make_delivery()) == "1000000000000000001"
    (payload,) = server.accepted
    assert payload["content"].startswith("🔻 HBRM\\: 15 negative posts by 14 authors in 24 h")
    (embed,) = payload["embeds"]
    assert "> Harbor Mills warns of a weak quarter & shuts a plant\n" in embed["description"]
    assert "[open the post](<https://example.com/posts/1?a=1&b=2>)" in embed["description"]


def test_an_end_looks_different_from_a_beginning() -> None:
    begun = render_discord(compose(make_delivery(), SETTINGS))
    over = render_discord(compose(make_delivery(make_resolved(), reason=NotificationReason.RESOLVED), SETTINGS))
    assert begun["embeds"][0]["color"] != over["embeds"][0]["color"]
    assert begun["content"][0] != over["content"][0]


@settings(deadline=None)
@given(symbol=hostile_text, text=hostile_text, author=hostile_text, url=hostile_text)
def test_no_text_breaks_a_discord_message(symbol: str, text: str, author: str, url: str) -> None:
    post = make_post(text, author=author, url=f"https://example.com/{url}")
    payload = render_discord(compose(make_delivery(make_alert(symbol, posts=(post,) * 10)), SETTINGS))
    assert discord_problems(json.loads(json.dumps(payload))) == []


def test_a_message_of_the_longest_posts_keeps_every_limit() -> None:
    post = make_post("*" * 5000, author="_" * 500, url="https://example.com/" + "&()" * 600)
    message = compose(make_delivery(make_alert(posts=(post,) * 50)), SETTINGS)
    facts = tuple((f"Label {number}", "*" * 900) for number in range(40))
    for changed in (message, dataclasses.replace(message, facts=facts, others=("ABCD: *9* negative posts",) * 500)):
        assert discord_problems(render_discord(changed)) == []


def test_signs_of_markup_are_shown_as_they_are() -> None:
    assert escape("*a* <@1> [x](http://y) 1. z") == r"\*a\* \<\@1\> \[x\]\(http\:\/\/y\) 1\. z"


def test_what_discord_says_of_a_deleted_webhook_is_passed_on() -> None:
    with DiscordReceiver() as server:
        server.answers.append(Answer(404, '{"message": "Unknown Webhook", "code": 10015}'))
        with pytest.raises(Unavailable, match="Discord answered 404 'Unknown Webhook'"):
            notifier(server.url).send(make_delivery())


def test_a_page_of_a_proxy_is_not_taken_for_success() -> None:
    with DiscordReceiver() as server:
        server.answers.append(Answer(200, "<html>Log in to the network</html>"))
        with pytest.raises(Transient, match="the answer is not Discord's"):
            notifier(server.url).send(make_delivery())


def test_a_webhook_of_a_thread_keeps_its_query() -> None:
    with DiscordReceiver() as server:
        assert notifier(f"{server.url}?thread_id=5").send(make_delivery()) is not None


def test_the_receiver_itself_refuses_what_discord_refuses() -> None:
    good = render_discord(compose(make_delivery(), SETTINGS))
    assert discord_problems(good) == []
    for change in (
        {"content": "x" * 2001},
        {"content": " "},
        {"content": "@everyone"},
        {"allowed_mentions": {"parse": ["everyone"]}},
        {"embeds": [{"fields": [{"name": "x", "value": ""}]}]},
        {"embeds": [{"fields": [{"name": "x", "value": "x"}] * 26}]},
        {"embeds": [{"fields": [], "description": "x" * 4097}]},
        {"embeds": [{"fields": [], "description": "[x](http://evil.example)"}]},
    ):
        assert discord_problems({**good, **change})
