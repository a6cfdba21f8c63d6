"""The sources that stream or are pushed to, run by the commands: checked, read, killed, read on."""

import base64
import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine
from websockets.sync.server import ServerConnection

from bearometer.errors import Failed
from bearometer.settings import Settings
from bearometer.signing import sign
from storage.sources import SourceStore
from tests.conditions import wait_until
from tests.conftest import Topics
from tests.integration import test_bluesky, test_kafka_topic_source, test_mastodon, test_reddit, test_x_source
from tests.source_runs import add_source, on_topic, run, worker, write_config
from tests.stream_servers import HttpServer, WebSocketServer, reply

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW_MICROSECONDS = int(time.time() * 1e6)


@pytest.fixture
def config(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_config(settings, tmp_path)
    monkeypatch.setenv("BEAROMETER_CONFIG", str(path))
    return path


@pytest.fixture
def sky() -> Iterator[WebSocketServer]:
    with WebSocketServer() as server:
        yield server


@pytest.fixture
def site() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_each_kind_is_checked_and_says_what_is_wrong(
    sky: WebSocketServer, site: HttpServer, config: Path, broker: str, topics: Topics
) -> None:
    sky.always = test_bluesky.say(test_bluesky.event(1))
    site.on(test_mastodon.STREAM, site.events(test_mastodon.update(test_mastodon.status(1))))
    site.on(test_reddit.TOKEN, test_reddit.token())
    site.on("/r/stocks/new", reply(200, test_reddit.listing(test_reddit.post(1))))
    site.on(test_x_source.RULES, reply(401))
    test_kafka_topic_source.Topic(broker, topics).write(test_kafka_topic_source.post(1))
    add_source(config, "bluesky", "sky", url=f"{sky.url}/subscribe")
    add_source(config, "mastodon", "toots", server=site.url, hashtag="acme")
    known = {"client_id": "id", "client_secret": "geheim", "username": "ann", "comments": False}
    urls = {"api_url": site.url, "token_url": site.url + test_reddit.TOKEN}
    add_source(config, "reddit", "reddit", subreddits=["stocks"], **known, **urls)
    add_source(config, "x", "x", bearer_token="geheim", rules=["$ACME"], api_url=site.url)
    add_source(config, "kafka", "theirs", servers=broker, topic=topics.posts, start="earliest")
    add_source(config, "webhook", "push", secret=SECRET, port=free_port())
    found = run("check")
    assert isinstance(found.exception, Failed)
    lines = found.stdout.splitlines()
    for name, words in {
        "sky": "works, 1 posts",
        "toots": "works, 1 posts",
        "reddit": "works, 1 posts",
        "theirs": "works, 1 posts",
        "push": "works, 0 posts",
        "x": "does not work: ",
    }.items():
        assert any(line.startswith(f"{name}: {words}") for line in lines), found.stdout
    assert "ingest.sources.x.bearer_token" in found.stdout
    assert "geheim" not in found.stdout


def test_a_worker_that_is_killed_goes_on_and_every_post_is_on_the_topic(
    sky: WebSocketServer, config: Path, settings: Settings, engine: Engine
) -> None:
    """The server breaks off now and then, and the worker is killed while posts are made."""
    held: list[dict[str, Any]] = []
    store = SourceStore(engine)

    def replay(connection: ServerConnection) -> None:
        behind = int(sky.asked[-1].query["cursor"][0])
        sent = next((place for place, each in enumerate(held) if each["time_us"] >= behind), len(held))
        until = sent + 60
        while not sky.over.is_set():
            while sent < len(held):
                connection.send(orjson.dumps(held[sent]).decode())
                sent += 1
                if sent == until:
                    connection.close(1011)
            time.sleep(0.01)

    sky.always = replay
    add_source(config, "bluesky", "sky", url=f"{sky.url}/subscribe", rewind_seconds=0.1)

    def make(count: int) -> None:
        for _ in range(count):
            made = test_bluesky.event(len(held))
            made["time_us"] = int(time.time() * 1e6)
            held.append(made)
            time.sleep(0.005)

    with worker(config):
        # Before its very first place is noted, a start is a first start: there is nothing to go on from.
        wait_until(lambda: store.cursor("sky"), 30, "its place is noted")
        make(100)  # and then it is killed
    make(20)  # while nobody reads
    with worker(config):
        wait_until(lambda: on_topic(settings, "sky").keys() >= {f"sky:{test_bluesky.uri(n)}" for n in range(120)}, 40)


def test_what_was_answered_200_is_on_the_topic_whenever_the_worker_is_killed(config: Path, settings: Settings) -> None:
    port = free_port()
    add_source(config, "webhook", "push", secret=SECRET, port=port)
    kept: set[str] = set()

    def push(number: int) -> None:
        body = orjson.dumps({"id": str(number), "text": f"$ACME falls {number}"})
        seconds = int(time.time())
        headers = {
            "webhook-id": f"msg_{number}",
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign(KEY, f"msg_{number}", seconds, body),
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        with suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/posts", body, headers)
            if connection.getresponse().status == 200:
                kept.add(f"push:{number}")
        connection.close()

    with worker(config):
        deadline = time.monotonic() + 40
        senders: list[Thread] = []
        while len(kept) < 20:
            assert time.monotonic() < deadline
            for sender in senders[-20:-5]:
                sender.join()
            senders += [Thread(target=push, args=(len(senders) + each,)) for each in range(5)]
            for sender in senders[-5:]:
                sender.start()
    for sender in senders:  # the last of them were under way when it was killed
        sender.join()
    assert len(kept) >= 20
    assert kept <= set(on_topic(settings, "push"))
