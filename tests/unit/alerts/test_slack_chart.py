import functools
import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from PIL import Image

from alerts import slack_chart
from alerts.chart import render_chart
from alerts.message import compose
from alerts.slack_bot import SlackBotNotifier
from bearometer.alert import Alert, NotificationReason
from bearometer.clock import ManualClock
from bearometer.errors import Unavailable
from bearometer.settings import AlertSettings
from tests.receivers import Answer
from tests.sample_alerts import START, hostile_text, make_alert, make_delivery, make_resolved
from tests.slack_api import SlackServer

ALERTS = AlertSettings()
FIRING, ESCALATED, REPEATED, ACKNOWLEDGED, RESOLVED = NotificationReason
ALERT = make_alert()
draw = functools.cache(render_chart)
STEPS = ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"]
WITH_CHART = ["chat.postMessage", *STEPS]


@pytest.fixture(scope="module")
def workspace() -> Iterator[SlackServer]:
    with SlackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_chart, "render_chart", draw)


@pytest.fixture
def slack(workspace: SlackServer) -> SlackServer:
    workspace.reset()
    return workspace


@pytest.fixture
def sender(slack: SlackServer) -> SlackBotNotifier:
    return bot(slack)


def bot(slack: SlackServer, clock: ManualClock | None = None, **changes: object) -> SlackBotNotifier:
    return SlackBotNotifier(slack.settings(**changes), ALERTS, clock or ManualClock(START))


def tell(sender: SlackBotNotifier, reason: NotificationReason, thread: str | None, alert: Alert = ALERT) -> str:
    receipt = sender.send(make_delivery(alert, reason=reason, thread=thread))
    assert receipt is not None
    return receipt


def names_file(address: str) -> Answer:
    """What Slack would answer if it wanted the bytes at this address."""
    return Answer(200, json.dumps({"ok": True, "upload_url": address, "file_id": "F00"}))


def test_the_alerts_chart_is_a_picture_in_its_thread(slack: SlackServer, sender: SlackBotNotifier) -> None:
    receipt = tell(sender, FIRING, None)
    (message,) = slack.messages
    (chart,) = slack.charts(message)
    assert receipt == f"{chart.channel}:{chart.thread_ts}"
    assert chart.content is not None
    assert Image.open(io.BytesIO(chart.content)).format == "PNG"
    assert chart.alt.startswith("Bar chart: negative posts about HBRM per hour")
    assert (chart.name, chart.title) == ("chart.png", "Negative posts, and what was expected")
    assert slack.files.problems == []


@pytest.mark.parametrize(("reason", "charts"), [(ESCALATED, 2), (REPEATED, 1), (ACKNOWLEDGED, 1), (RESOLVED, 1)])
def test_it_is_shown_again_when_things_are_much_worse(
    slack: SlackServer, sender: SlackBotNotifier, reason: NotificationReason, charts: int
) -> None:
    receipt = tell(sender, FIRING, None)
    tell(sender, reason, receipt)
    assert len(slack.charts(slack.messages[0])) == len(slack.files.shown) == charts


def test_it_is_shown_below_a_message_that_is_posted_anew(slack: SlackServer, sender: SlackBotNotifier) -> None:
    receipt = tell(sender, FIRING, None)
    slack.messages[0].deleted = True
    tell(sender, RESOLVED, receipt, make_resolved())
    assert len(slack.charts(slack.messages[1])) == 1


def test_a_channel_that_is_named_is_told_by_its_id(slack: SlackServer) -> None:
    tell(bot(slack, channel="#risk"), FIRING, None)
    assert len(slack.charts(slack.messages[0])) == 1


@pytest.mark.parametrize("reason", [FIRING, ESCALATED])
def test_a_message_that_is_sent_again_shows_its_chart_once(
    slack: SlackServer, sender: SlackBotNotifier, reason: NotificationReason
) -> None:
    """The store was away when the first one was to be noted; of the repeat Slack has said where the first one is."""
    receipt = None if reason is FIRING else tell(sender, FIRING, None)
    before = len(slack.files.shown)
    for _ in range(3):
        tell(sender, reason, receipt)
    assert len(slack.files.shown) == before + 1


@pytest.mark.parametrize("reason", [FIRING, ESCALATED])
def test_a_worker_that_died_shows_a_chart_at_most_once_for_each_time_that_it_sends(
    slack: SlackServer, reason: NotificationReason
) -> None:
    receipt = None if reason is FIRING else tell(bot(slack), FIRING, None)
    before = len(slack.files.shown)
    for sends in (1, 2):
        tell(bot(slack), reason, receipt)
        assert len(slack.files.shown) == before + sends


def test_a_message_that_is_not_taken_has_no_chart_and_has_it_when_it_is(
    slack: SlackServer, sender: SlackBotNotifier
) -> None:
    slack.lose_answers = 1
    with pytest.raises(Unavailable):
        tell(sender, FIRING, None)
    assert slack.calls == ["chat.postMessage"]
    receipt = tell(sender, FIRING, None)
    slack.codes["chat.postMessage"] = "not_in_channel"
    with pytest.raises(Unavailable):
        tell(sender, ESCALATED, receipt)
    assert len(slack.charts(slack.messages[0])) == 1


def test_without_the_scope_a_person_is_told_once_and_it_is_not_tried_again(
    slack: SlackServer, sender: SlackBotNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    slack.scopes.remove("files:write")
    receipts = {tell(sender, FIRING, None, make_alert(symbol)) for symbol in ("HBRM", "OTHR", "THRD")}
    assert receipts == {f"C0RISK:{message.ts}" for message in slack.messages}
    assert slack.calls == ["chat.postMessage", STEPS[0], "chat.postMessage", "chat.postMessage"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "give the bot the scope files:write" in record.message


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ([Answer(200, '{"ok": false, "error": "file_uploads_disabled"}')], "set `slack.chart` to false"),
        ([Answer(429, "", {"Retry-After": "30"})], "429"),
        ([Answer(200, "<html>Log in</html>")], "is not Slack's"),
        ([Answer(200, '{"ok": true, "file_id": "F00"}')], "names no address"),
        ([names_file("http://files.example.com/SECRET")], "must be https://"),
        ([names_file("file:///etc/SECRET")], "is not a web address"),
        ([None, Answer(403, "no")], "403"),
        ([None, Answer(500, "")], "500"),
        ([None, Answer(201, "made")], "201"),
        ([None, None, Answer(200, '{"ok": false, "error": "not_in_channel"}')], "not_in_channel"),
        ([None, None, Answer(200, '{"ok": false, "error": "invalid_auth"}')], "invalid_auth"),
    ],
)
def test_whatever_goes_wrong_with_it_the_alert_is_told_once(
    slack: SlackServer,
    sender: SlackBotNotifier,
    caplog: pytest.LogCaptureFixture,
    trouble: list[Answer | None],
    said: str,
) -> None:
    slack.answers.extend([None, *trouble])
    assert tell(sender, FIRING, None) == f"C0RISK:{slack.messages[0].ts}"
    assert slack.calls == WITH_CHART[: 1 + len(trouble)]
    assert (len(slack.messages), slack.files.shown) == (1, [])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert said in record.message
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("step", STEPS)
def test_it_is_given_up_when_there_is_no_answer_in_time(
    step: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_chart, "EXTRA_SECONDS", 1.0)
    with SlackServer() as slack:
        slack.silent_to.add(step)
        receipt = tell(bot(slack, timeout_seconds=600), FIRING, None)
        assert receipt == f"C0RISK:{slack.messages[0].ts}"
    assert slack.calls == WITH_CHART[: WITH_CHART.index(step) + 1]
    assert "no answer in time" in caplog.text


def test_after_trouble_it_is_left_alone_for_a_while_and_said_once(
    slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock(START)
    sender = bot(slack, clock)
    slack.codes[STEPS[0]] = "internal_error"
    for symbol in ("HBRM", "OTHR", "THRD"):
        tell(sender, FIRING, None, make_alert(symbol))
        clock.advance(timedelta(seconds=31))
    assert slack.calls == [*WITH_CHART[:2], "chat.postMessage", *WITH_CHART[:2]]
    assert len(caplog.records) == 1
    slack.scopes.remove("files:write")
    clock.advance(timedelta(minutes=1))
    tell(sender, FIRING, None, make_alert("FRTH"))
    assert "scope files:write" in caplog.records[1].message, "another matter, for another person"


def test_a_defect_in_drawing_costs_the_chart_and_no_alert(
    slack: SlackServer, sender: SlackBotNotifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(slack_chart, "render_chart", broken)
    tell(sender, FIRING, None)
    assert slack.calls == ["chat.postMessage"]
    assert "a defect: MemoryError" in caplog.text


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_leads_the_bytes_or_the_token_elsewhere(
    slack: SlackServer, sender: SlackBotNotifier, status: int
) -> None:
    with SlackServer() as elsewhere:
        slack.answers.extend([None, None, Answer(status, "", {"Location": f"{elsewhere.origin}/upload/v1/x"})])
        tell(sender, FIRING, None)
    assert elsewhere.calls == []
    assert slack.calls == WITH_CHART[:3]


def test_the_token_stays_with_the_api(slack: SlackServer, sender: SlackBotNotifier) -> None:
    """Where Slack wants the bytes at another host, they go there alone."""
    with SlackServer() as elsewhere:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        elsewhere.files.call(STEPS[0], form, b"filename=a&length=1", elsewhere.origin)
        slack.answers.extend([None, names_file(f"{elsewhere.origin}/upload/v1/SECRETF00")])
        tell(sender, FIRING, None)
    assert elsewhere.calls == ["upload"]
    assert elsewhere.files.problems == ["came twice, or is not as long as was said"]


class _ApiElsewhere:
    """An API that wants the bytes at an address, and takes its time to say so."""

    def __init__(self, address: str, clock: ManualClock, takes: float) -> None:
        self._address, self._clock, self._takes = address, clock, timedelta(seconds=takes)

    def call_with_form(self, *_: object) -> dict[str, Any]:
        self._clock.advance(self._takes)
        return {"ok": True, "upload_url": self._address, "file_id": "F00"}


@pytest.mark.parametrize(
    ("api_url", "takes", "said"),
    [
        ("https://slack.example.com/api/", 0.0, "names this machine"),
        ("http://127.0.0.1/api/", 6.0, "no answer in time"),
    ],
)
def test_the_bytes_go_neither_to_this_machine_by_somebody_elses_wish_nor_too_late(
    slack: SlackServer, caplog: pytest.LogCaptureFixture, api_url: str, takes: float, said: str
) -> None:
    clock = ManualClock(START)
    api: Any = _ApiElsewhere(f"{slack.origin}/upload/v1/SECRETF00", clock, takes)
    chart = slack_chart.SlackChart(api, slack.settings(api_url=api_url), clock)
    chart.show("a delivery", compose(make_delivery(), ALERTS), "C0RISK", "1772460300.000001")
    assert slack.calls == []
    assert said in caplog.text


def test_an_alert_without_a_chart_has_none(slack: SlackServer, sender: SlackBotNotifier) -> None:
    tell(sender, FIRING, None, make_alert(evidence=None))
    assert slack.calls == ["chat.postMessage"]


def test_charts_can_be_switched_off(slack: SlackServer) -> None:
    sender = bot(slack, chart=False)
    tell(sender, ESCALATED, tell(sender, FIRING, None))
    assert slack.calls == ["chat.postMessage", "chat.update", "chat.postMessage"]


@hypothesis_settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(symbol=hostile_text)
def test_no_symbol_breaks_a_chart(workspace: SlackServer, symbol: str) -> None:
    workspace.reset()
    tell(bot(workspace), FIRING, None, make_alert(symbol))
    (chart,) = workspace.files.shown
    assert 0 < len(chart.alt) <= 1000
    assert workspace.files.problems == []
