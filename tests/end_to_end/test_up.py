"""`bearometer up` as a person runs it: feeds in, posts in Postgres, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from bearometer.clock import SystemClock
from bearometer.settings import PostgresSettings
from storage.database import connect
from storage.posts import PostStore
from tests.conditions import wait_until

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Harbor news</title>
<item><guid>1</guid><title>$HBRM shares plunge after a fraud probe</title><pubDate>{at}</pubDate></item>
<item><guid>2</guid><title>$HBRM opens a plant</title><pubDate>{at}</pubDate></item>
</channel></rss>"""


@pytest.fixture
def feed_url() -> Iterator[str]:
    content = FEED.format(at=format_datetime(SystemClock().now())).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/rss.xml"
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_feed_is_watched_until_ctrl_c_and_again_from_the_same_folder(run_dir: Path, feed_url: str) -> None:
    feeds = [{"url": feed_url, "name": "harbor", "interval_seconds": 1}]
    environment = {
        **os.environ,
        "BEAROMETER_INGEST__FEEDS": orjson.dumps(feeds).decode(),
        "BEAROMETER_INGEST__ALLOW_PRIVATE_ADDRESSES": "true",
    }
    command = [sys.executable, "-u", "-m", "bearometer", "up", "--run-dir", str(run_dir)]
    for _ in range(2):
        stack = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert stack.stdout is not None
            url = next(found[1] for line in stack.stdout if (found := re.search("POSTGRES__URL='(.*)'", line)))
            engine = connect(PostgresSettings(url=SecretStr(url)))
            posts = PostStore(engine)
            wait_until(lambda posts=posts: posts.counts("harbor").posts == 2, 60, "both entries are stored")  # type: ignore[misc]
            engine.dispose()
            stack.send_signal(signal.SIGINT)
            _, complaints = stack.communicate(timeout=40)
        finally:
            stack.kill()
            stack.wait()
        assert stack.returncode == 0, complaints


def test_without_feeds_it_says_how_to_name_one() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bearometer", "up"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: there are no sources; name at least one in `ingest.feeds` or `ingest.sources`")
