"""Posts pushed to a real server of ours, by senders that behave and senders that do not."""

import base64
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from alerts.webhook import WebhookNotifier
from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured, Reason
from bearometer.settings import AlertSettings, IngestSettings, WebhookSettings
from bearometer.signing import sign
from bearometer.stream_source_settings import WebhookSourceSettings
from ingest.normalise import normalise
from ingest.source import RawPost, Unreadable
from ingest.webhook import WebhookSource
from ingest.worker import IngestReport, run_ingest
from tests.conditions import wait_until
from tests.sample_alerts import make_delivery, make_full_alert
from tests.unit.ingest.fakes import MemoryPublisher

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
POST = {"id": "17", "text": "$ACME falls", "created_at": "2026-03-02T11:59:00Z", "author": "ann"}


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: Any


class Loop:
    """Reads a source as the worker does: publish, then, unless it is told not to, acknowledge."""

    def __init__(self, source: WebhookSource) -> None:
        self.source = source
        self.items: list[RawPost | Unreadable] = []
        self.acknowledges = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        wait_until(lambda: source.port, what="the server listens")
        self.port = source.port or 0

    def _run(self) -> None:
        for item in self.source.read():
            if item is not None:
                self.items.append(item)
            elif self.acknowledges:
                self.source.acknowledged(self.source.cursor)
            if self._stop.is_set():
                break

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def push(
        self, body: object, identity: str = "msg_1", at: datetime = NOW, headers: dict[str, str] | None = None
    ) -> Answered:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        seconds = int(at.timestamp())
        signed = {
            "webhook-id": identity,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign(KEY, identity, seconds, content),
        }
        return self.send("POST", "/posts", content, signed | (headers or {}))

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, named, orjson.loads(answer.read() or b"null"))
        finally:
            connection.close()


def open_source(clock: ManualClock | None = None, **fields: object) -> WebhookSource:
    known: dict[str, object] = {"name": "push", "port": 0, "secret": SecretStr(SECRET), "answer_seconds": 10.0}
    settings = WebhookSourceSettings.model_validate(known | fields)
    return WebhookSource(settings, IngestSettings(), clock or ManualClock(NOW))


@pytest.fixture
def loops() -> Iterator[list[Loop]]:
    started: list[Loop] = []
    yield started
    for loop in started:
        loop.stop()


def start(loops: list[Loop], source: WebhookSource | None = None) -> Loop:
    loops.append(Loop(source or open_source()))
    return loops[-1]


def in_background(loop: Loop, body: object, identity: str = "msg_1") -> "Future[Answered]":
    return ThreadPoolExecutor(1).submit(loop.push, body, identity)


def test_a_post_is_taken_and_answered_once_it_is_kept(loops: list[Loop]) -> None:
    loop = start(loops)
    answered = loop.push(POST)
    assert (answered.status, answered.body) == (200, {"taken": 1, "rejected": 0, "why": []})
    (post,) = loop.items
    assert isinstance(post, RawPost)
    assert (post.text, post.native_id, post.author) == ("$ACME falls", "17", "ann")
    assert post.published_at == NOW - timedelta(minutes=1)


def test_no_answer_comes_before_the_posts_are_acknowledged(loops: list[Loop]) -> None:
    loop = start(loops)
    loop.acknowledges = False
    waiting = in_background(loop, [POST, {**POST, "id": "18"}])
    wait_until(lambda: len(loop.items) == 2)
    loop.source.acknowledged('{"run": "of another process", "given": 99}')
    loop.source.acknowledged("{broken")
    loop.source.acknowledged(None)
    assert not waiting.done()
    loop.source.acknowledged(loop.source.cursor)
    assert waiting.result(10).status == 200


def test_a_cursor_asked_for_in_the_middle_of_a_request_does_not_settle_it() -> None:
    source = open_source()
    reading = source.read()
    next(reading)
    assert source.port is not None
    loop = Loop.__new__(Loop)
    loop.port = source.port
    waiting = in_background(loop, [POST, {**POST, "id": "18"}])
    items = (item for item in reading if item is not None)
    next(items)
    source.acknowledged(source.cursor)
    assert source.cursor is None
    next(items)
    assert not waiting.done()
    source.acknowledged(source.cursor)
    assert waiting.result(10).status == 200
    del items, reading


def test_what_is_not_kept_in_time_is_to_be_sent_again_and_then_is(loops: list[Loop]) -> None:
    loop = start(loops, open_source(answer_seconds=1.0))
    loop.acknowledges = False
    answered = loop.push(POST)
    assert answered.status == 503
    assert int(answered.headers["retry-after"]) >= 10
    loop.acknowledges = True
    assert loop.push(POST).status == 200
    ids = [normalise(item, "push", IngestSettings(), NOW).id for item in loop.items if isinstance(item, RawPost)]
    assert ids == ["push:17", "push:17"]


def test_a_request_that_nobody_took_before_the_end_is_answered_at_once(loops: list[Loop]) -> None:
    loop = start(loops)
    loop.acknowledges = False
    source = loop.source
    given = in_background(loop, POST)
    wait_until(lambda: len(loop.items) == 1)
    loop.stop()
    source.acknowledged(source.cursor)  # as the worker does, after its last flush
    assert given.result(10).status == 200
    with pytest.raises(OSError):
        loop.push(POST, "msg_2")


def test_a_repeat_that_is_signed_anew_is_answered_and_not_given_again(loops: list[Loop]) -> None:
    loop = start(loops)
    loop.push(POST)
    answered = loop.push(POST, at=NOW + timedelta(seconds=5))
    assert (answered.status, answered.body) == (200, {"repeated": True})
    assert len(loop.items) == 1


def test_the_very_same_request_a_second_time_is_refused(loops: list[Loop]) -> None:
    loop = start(loops)
    assert loop.push(POST).status == 200
    assert loop.push(POST).status == 409
    assert "came before" in str(loop.source.last_error)
    assert len(loop.items) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1a," + "A" * 44},
        {"webhook-signature": ""},
        {"webhook-signature": "\u00e4"},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-id": "msg.1"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 5_000},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
    ],
)
def test_a_request_with_a_wrong_signature_is_refused(loops: list[Loop], headers: dict[str, str]) -> None:
    loop = start(loops)
    assert loop.push(POST, headers=headers).status == 401
    assert not loop.items
    assert loop.source.last_error is None or "\n" not in loop.source.last_error
    assert loop.push(POST, "good").status == 200
    assert loop.source.last_error is None


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_request_that_is_old_or_of_the_future_is_refused(loops: list[Loop], minutes: int) -> None:
    loop = start(loops)
    answered = loop.push(POST, at=NOW + timedelta(minutes=minutes))
    assert answered.status == 401
    assert "300 s off" in answered.body["error"]


def test_both_secrets_hold_while_senders_change_over(loops: list[Loop]) -> None:
    other = "whsec_" + base64.b64encode(b"n" * 32).decode()
    loop = start(loops, open_source(secret=SecretStr(other), previous_secret=SecretStr(SECRET)))
    assert loop.push(POST).status == 200


@pytest.mark.parametrize("body", [[POST], {"posts": [POST]}, POST])
def test_one_post_and_lists_of_posts_are_taken(loops: list[Loop], body: object) -> None:
    loop = start(loops)
    assert loop.push(body).body["taken"] == 1


def test_fields_may_have_other_names_and_symbols_may_be_stated(loops: list[Loop]) -> None:
    loop = start(loops, open_source(fields={"text": "body.plain", "id": "key"}, symbols=("WILE",)))
    loop.push([{"key": 5, "body": {"plain": "about $ACME"}}, {"key": 6, "body": {"plain": "x"}, "symbols": ["B"]}])
    first, second = loop.items
    assert isinstance(first, RawPost) and isinstance(second, RawPost)
    assert (first.native_id, first.text, first.symbols) == ("5", "about $ACME", ("WILE", "ACME"))
    assert second.symbols == ("WILE", "B")


def test_a_post_without_id_and_time_has_the_same_id_when_it_is_sent_again(loops: list[Loop]) -> None:
    clock = ManualClock(NOW)
    loop = start(loops, open_source(clock))
    loop.push({"text": "Acme falls"})
    clock.advance(timedelta(minutes=1))
    loop.push({"text": "Acme falls"}, "msg_2")
    first, second = loop.items
    assert isinstance(first, RawPost) and isinstance(second, RawPost)
    assert first.native_id == second.native_id is not None
    assert first.published_at == NOW


def test_broken_posts_are_named_and_the_others_taken(loops: list[Loop]) -> None:
    loop = start(loops)
    answered = loop.push([POST, {"id": "x"}, 7, {**POST, "created_at": "soon"}])
    assert answered.status == 200
    assert (answered.body["taken"], answered.body["rejected"]) == (1, 3)
    assert "post 2" in answered.body["why"][0]
    reasons = [item.reason for item in loop.items if isinstance(item, Unreadable)]
    assert reasons == [Reason.NO_TEXT, Reason.UNDECODABLE, Reason.BAD_TIME]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"created_at": "1970-01-02T00:00:00Z"}, Reason.BAD_TIME),
        ({"created_at": "2027-03-02T00:00:00Z"}, Reason.BAD_TIME),
        ({"text": "https://t.co/a"}, Reason.NO_TEXT),
        ({"text": "x" * 100_000}, Reason.TOO_LONG),
        ({"id": "x" * 10_000}, Reason.BAD_ID),
    ],
)
def test_a_post_that_ingest_will_reject_is_not_said_to_be_taken(
    loops: list[Loop], fields: dict[str, str], reason: Reason
) -> None:
    loop = start(loops)
    answered = loop.push([{**POST, **fields}, {**POST, "id": "18"}])
    assert (answered.body["taken"], answered.body["rejected"]) == (1, 1)
    assert reason in answered.body["why"][0]


def test_an_id_that_is_used_again_for_other_posts_swallows_nothing(loops: list[Loop]) -> None:
    loop = start(loops)
    loop.push(POST)
    answered = loop.push({**POST, "id": "18"}, at=NOW + timedelta(seconds=5))
    assert (answered.status, answered.body["taken"]) == (200, 1)
    assert len(loop.items) == 2


@pytest.mark.parametrize("body", [b"{", b"", b"7", b'"x"', orjson.dumps([POST] * 11), b"\xff", b"[" * 100_000])
def test_what_is_no_list_of_posts_is_refused_for_good(loops: list[Loop], body: bytes) -> None:
    loop = start(loops, open_source(max_posts=10))
    answered = loop.push(body)
    assert answered.status == 400
    assert not loop.items


def test_another_bearometers_alert_is_taken_for_the_posts_that_it_quotes(loops: list[Loop]) -> None:
    loop = start(loops, open_source(ManualClock(NOW)))
    delivery = make_delivery(make_full_alert())
    settings = WebhookSettings(url=SecretStr(f"http://127.0.0.1:{loop.port}/posts"), secret=SecretStr(SECRET))
    WebhookNotifier(settings, AlertSettings(), ManualClock(NOW)).send(delivery)
    assert loop.items
    assert delivery.alert.evidence is not None
    assert len(loop.items) == len(delivery.alert.evidence.top_posts)
    for item in loop.items:
        assert isinstance(item, RawPost)
        assert delivery.alert.symbol in item.symbols
        assert normalise(item, "push", IngestSettings(), datetime(2030, 1, 1, tzinfo=UTC)).id


def test_too_many_requests_are_asked_to_wait(loops: list[Loop]) -> None:
    clock = ManualClock(NOW)
    loop = start(loops, open_source(clock, max_requests_per_minute=2))
    assert [loop.push(POST, f"msg_{number}").status for number in range(3)] == [200, 200, 429]
    answered = loop.push(POST, "msg_9")
    assert 30 <= int(answered.headers["retry-after"]) <= 31
    clock.advance(timedelta(seconds=30))
    assert loop.push(POST, "msg_9").status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/posts", {}, 405),
        ("POST", "/", {}, 404),
        ("PUT", "/posts", {}, 501),
        ("POST", "/posts", {"Content-Length": "2000000"}, 413),
        ("POST", "/posts", {"Content-Length": "9" * 4_400}, 413),
        ("POST", "/posts", {"Content-Length": "-1"}, 411),
        ("POST", "/posts", {"Transfer-Encoding": "chunked"}, 411),
        ("POST", "/posts", {}, 401),
    ],
)
def test_what_is_no_request_of_ours_is_turned_away_unread(
    loops: list[Loop], method: str, path: str, headers: dict[str, str], status: int
) -> None:
    loop = start(loops)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
        lines.append("Content-Length: 2")
    with socket.create_connection(("127.0.0.1", loop.port), timeout=10) as raw:
        raw.sendall("\r\n".join([*lines, "", "{}"]).encode())
        assert int(raw.recv(1_000).split()[1]) == status


@pytest.mark.parametrize("piece", [b"x", b"x-y: z\r\n"])
@pytest.mark.parametrize(
    "head", [b"POST /posts HT", b"POST /posts HTTP/1.1\r\nwebhook-signature: v1,\r\nContent-Length: 99999\r\n\r\n"]
)
def test_a_request_that_drips_is_cut(loops: list[Loop], head: bytes, piece: bytes) -> None:
    loop = start(loops, open_source(request_seconds=0.5))
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", loop.port), timeout=10) as raw, pytest.raises(OSError):
        raw.sendall(head)
        while time.monotonic() - started < 8:
            raw.sendall(piece)
            time.sleep(0.05)
    assert time.monotonic() - started < 4


def test_more_connections_than_allowed_are_turned_away_and_later_ones_served(loops: list[Loop]) -> None:
    loop = start(loops, open_source(max_connections=2))
    idle = [socket.create_connection(("127.0.0.1", loop.port), timeout=10) for _ in range(2)]
    with socket.create_connection(("127.0.0.1", loop.port), timeout=10) as third:
        assert b" 503 " in third.recv(1_000)
    for connection in idle:
        connection.close()
    assert wait_until(lambda: not _is_busy(loop))


def _is_busy(loop: Loop) -> bool:
    try:
        return loop.push(POST, f"msg_{time.monotonic_ns()}").status != 200
    except (OSError, http.client.HTTPException):
        return True


def test_an_address_in_use_is_said_in_one_line(loops: list[Loop]) -> None:
    loop = start(loops)
    with pytest.raises(Failed, match=r"the source push cannot listen on 127\.0\.0\.1"):
        next(open_source(port=loop.port).read())


def test_a_check_ends_at_once_also_beside_a_worker_that_listens_there(loops: list[Loop]) -> None:
    loop = start(loops)
    settings = WebhookSourceSettings(name="push", port=loop.port, secret=SecretStr(SECRET))
    assert list(WebhookSource(settings, IngestSettings(), ManualClock(NOW), once=True).read()) == []
    loop.stop()
    assert list(WebhookSource(settings, IngestSettings(), ManualClock(NOW), once=True).read()) == []
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = settings.model_copy(update={"port": other.getsockname()[1]})

        def hang_up() -> None:
            other.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(Failed, match="cannot listen"):
            list(WebhookSource(taken, IngestSettings(), ManualClock(NOW), once=True).read())


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "geheim", "whsec_\u00e4"])
def test_a_secret_that_signs_nothing_is_refused_at_once(secret: str) -> None:
    with pytest.raises(Misconfigured, match=r"ingest\.sources\.push\.secret"):
        open_source(secret=SecretStr(secret))


def test_the_loop_of_ingest_settles_requests_once_the_broker_has_the_posts_and_after_a_stop() -> None:
    source, publisher, stop = open_source(), MemoryPublisher(), threading.Event()

    def acknowledge(report: IngestReport) -> None:
        assert publisher.flushed
        source.acknowledged(source.cursor)

    run = threading.Thread(
        target=run_ingest,
        args=(source, publisher, IngestSettings(), ManualClock(NOW)),
        kwargs={"stop": stop, "on_acknowledged": acknowledge},
    )
    run.start()
    wait_until(lambda: source.port)
    loop = Loop.__new__(Loop)
    loop.port = source.port or 0
    assert loop.push([POST, {**POST, "id": "18"}]).status == 200
    assert [post.id for post in publisher.posts] == ["push:17", "push:18"]
    publisher.on_publish = stop.set
    assert loop.push(POST, "msg_2").status == 200
    run.join(10)


def test_what_the_page_about_it_says_to_send_is_taken(loops: list[Loop]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources_streaming.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    loop = start(loops, open_source(ManualClock(datetime.now(UTC))))
    assert names["push"]([POST], SECRET, f"http://127.0.0.1:{loop.port}/posts")["taken"] == 1
