import dataclasses
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from PIL import Image
from pydantic import SecretStr

from alerts.discord import DiscordNotifier, escape, render_discord
from alerts.message import compose
from bearometer.alert import NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Transient, Unavailable
from bearometer.settings import AlertSettings, DiscordSettings
from tests.forms import Part
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


def test_the_chart_is_the_embeds_picture_and_comes_in_the_same_request() -> None:
    with DiscordReceiver() as server:
        notifier(server.url).send(make_delivery())
    assert (server.requests, server.refused) == (1, [])
    (payload,), (files,) = server.accepted, server.files
    assert Image.open(io.BytesIO(files["files[0]"].content)).format == "PNG"
    assert payload["embeds"][0]["image"] == {"url": "attachment://chart.png"}
    assert payload["attachments"][0]["description"].startswith("Bar chart: negative posts about HBRM per hour")
    assert not re.search("[▁▂▃▄▅▆▇█]", json.dumps(payload, ensure_ascii=False)), "no chart of characters beside it"


def test_a_chart_that_cannot_be_drawn_costs_no_alert(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("alerts.discord.render_chart", broken)
    with DiscordReceiver() as server:
        assert notifier(server.url).send(make_delivery()) is not None
    assert server.files == [{}]
    assert "Discord gets the alert without it" in caplog.text


@pytest.mark.parametrize("status", [400, 413])
def test_a_message_that_is_refused_for_its_picture_is_sent_without(status: int) -> None:
    with DiscordReceiver() as server:
        server.answers.append(Answer(status, "{}"))
        assert notifier(server.url).send(make_delivery()) is not None
    assert (server.requests, server.files) == (2, [{}])


def test_without_a_chart_the_request_is_json() -> None:
    with DiscordReceiver() as server:
        notifier(server.url).send(make_delivery(make_alert(evidence=None)))
    (payload,), (files,) = server.accepted, server.files
    assert files == {}
    assert "attachments" not in payload


def test_a_message_without_its_picture_has_a_line_of_characters() -> None:
    payload = render_discord(compose(make_delivery(), SETTINGS))
    assert re.search("`[▁▂▃▄▅▆▇█]+` over time", payload["embeds"][0]["description"])


@settings(deadline=None)
@given(symbol=hostile_text)
def test_no_symbol_breaks_a_picture(symbol: str) -> None:
    files = {"files[0]": Part(b"\x89PNG\r\n\x1a\n", "chart.png", {"content-type": "image/png"})}
    payload = render_discord(compose(make_delivery(make_alert(symbol)), SETTINGS), picture=True)
    assert discord_problems(json.loads(json.dumps(payload)), files) == []


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


def test_the_receiver_itself_refuses_files_that_discord_refuses_or_shows_elsewhere() -> None:
    good = render_discord(compose(make_delivery(), SETTINGS), picture=True)
    picture = Part(b"\x89PNG\r\n\x1a\n", "chart.png", {"content-type": "image/png"})
    assert discord_problems(good, {"files[0]": picture}) == []
    (embed,), (attachment,) = good["embeds"], good["attachments"]
    elsewhere = {"embeds": [{**embed, "image": {"url": "https://example.com/chart.png"}}]}
    without = {"embeds": [{name: value for name, value in embed.items() if name != "image"}]}
    wordy = {"attachments": [{**attachment, "description": "x" * 1025}]}
    changes: list[dict[str, Any]] = [elsewhere, without, wordy, {"attachments": []}]
    for change in changes:
        assert discord_problems({**good, **change}, {"files[0]": picture})
    for name, file in (
        ("file", picture),
        ("files[1]", picture),
        ("files[0]", dataclasses.replace(picture, filename="other.png")),
        ("files[0]", dataclasses.replace(picture, content=b"<svg>")),
    ):
        assert discord_problems(good, {name: file})
    assert discord_problems(good)
