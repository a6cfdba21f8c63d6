"""A settings file with sources, and the commands that run on it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from bearometer.commands.sources import register
from bearometer.post import Post
from bearometer.settings import Settings
from bearometer.toml_block import toml_block
from bearometer.wire import decode
from ingest.kafka import count_partitions, read_topic

__all__ = ["FEED", "FIELDS", "OWN", "add_feed", "add_source", "ingest", "on_topic", "run", "worker", "write_config"]

OWN = {"items": "data.posts", "cursor_param": "after", "cursor_path": "meta.next", "gap_seconds": 0.1}
FIELDS = {"id": "n", "text": "body.plain", "created_at": "at"}
ITEM = "<item><guid>1</guid><title>Harbor Mills falls</title></item>"
FEED = f"<rss version='2.0'><channel>{ITEM}</channel></rss>".encode()


def write_config(settings: Settings, folder: Path) -> Path:
    """A settings file for the servers of the tests, without sources."""
    kafka = settings.kafka
    path = folder / "bearometer.toml"
    servers = {"servers": kafka.servers, "topic": kafka.topic, "dead_topic": kafka.dead_topic, "idempotence": False}
    path.write_text(
        toml_block("[kafka]", servers)
        + toml_block("[postgres]", {"url": settings.postgres.url.get_secret_value()})
        + toml_block("[ingest]", {"allow_private_addresses": True, "fetch_timeout_seconds": 5.0})
    )
    return path


def add_source(config: Path, kind: str, name: str, **fields: object) -> None:
    with config.open("a") as file:
        file.write(toml_block("[[ingest.sources]]", {"kind": kind, "name": name, **fields}))


def add_feed(config: Path, url: str, name: str) -> None:
    with config.open("a") as file:
        file.write(toml_block("[[ingest.feeds]]", {"url": url, "name": name}))


def run(*arguments: str) -> Result:
    """`bearometer sources`, in this process."""
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["sources", *arguments])


def ingest(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bearometer", "--config", str(config), "ingest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def worker(config: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "bearometer", "--config", str(config), "ingest", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def on_topic(settings: Settings, source: str) -> Counter[str]:
    """How often each post of a source lies on the topic, by its id."""
    if not count_partitions(settings.kafka, settings.kafka.topic):
        return Counter()
    messages = [decode(record.value) for record in read_topic(settings.kafka, settings.kafka.topic)]
    return Counter(message.id for message in messages if isinstance(message, Post) and message.source == source)
