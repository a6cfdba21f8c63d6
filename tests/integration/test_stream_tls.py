"""Streams over TLS: the certificate must be the name's."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import trustme
from websockets.sync.server import ServerConnection

from bearometer.clock import ManualClock
from bearometer.settings import IngestSettings
from bearometer.stream_source_settings import BlueskySettings, MastodonSettings
from ingest import http_stream
from ingest.bluesky import BlueskySource
from ingest.mastodon import MastodonSource
from tests.stream_servers import HttpServer, WebSocketServer, collect

INGEST = IngestSettings(allow_private_addresses=True, fetch_timeout_seconds=3.0)
CLOCK = ManualClock(datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
COMMIT = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "1", "record": {"text": "$ACME"}}
STATUS = {"id": "7", "visibility": "public", "content": "$ACME", "created_at": "2026-03-02T12:00:00Z"}


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    http_stream._trust.cache_clear()
    yield made
    http_stream._trust.cache_clear()


def context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    return made


@pytest.mark.parametrize("certified", ["localhost", "elsewhere.example"])
def test_a_websocket_is_read_only_from_the_one_it_is_meant_for(authority: trustme.CA, certified: str) -> None:
    def talk(connection: ServerConnection) -> None:
        for number in range(3):
            event = {"did": "did:plc:x", "time_us": 1, "commit": COMMIT | {"rkey": f"{number}{'x' * 30_000}"}}
            connection.send(orjson.dumps(event).decode())

    with WebSocketServer(context(authority, certified)) as server:
        server.talks.append(talk)
        url = server.url.replace("ws://127.0.0.1", "wss://localhost") + "/subscribe"
        source = BlueskySource(BlueskySettings(name="sky", url=url), INGEST, CLOCK)
        items = collect(source, 3, until=lambda: source.last_error is not None)
    assert len(items) == (3 if certified == "localhost" else 0)
    assert (source.last_error is None) == (certified == "localhost")


@pytest.mark.parametrize("certified", ["localhost", "elsewhere.example"])
def test_events_are_read_only_from_the_one_they_are_meant_for(authority: trustme.CA, certified: str) -> None:
    with HttpServer(context=context(authority, certified)) as server:
        server.on("/api/v1/streaming/public", server.events(b"event: update\ndata: %s\n\n" % orjson.dumps(STATUS)))
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        source = MastodonSource(MastodonSettings(name="toots", server=url), INGEST, CLOCK)
        items = collect(source, 1, until=lambda: source.last_error is not None)
    assert len(items) == (1 if certified == "localhost" else 0)
    assert ("certificate" in str(source.last_error)) == (certified != "localhost")
