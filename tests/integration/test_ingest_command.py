"""`bearometer ingest` with sources that keep their place: killed, refused, paused, without Postgres."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bearometer.settings import Settings
from storage.sources import SourceStore
from tests.conditions import WaitUntil
from tests.source_runs import FEED, FIELDS, OWN, add_feed, add_source, ingest, on_topic, run, worker, write_config
from tests.source_server import Asked, SourceServer, reply
from tests.source_sites import Edgar, Pages


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with SourceServer() as running:
        yield running


@pytest.fixture
def config(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_config(settings, tmp_path)
    monkeypatch.setenv("BEAROMETER_CONFIG", str(path))
    return path


@pytest.mark.parametrize("kind", ["edgar", "json"])
def test_after_a_kill_it_goes_on_without_loss_or_repeat(
    kind: str, server: SourceServer, config: Path, settings: Settings, engine: Engine, wait_until: WaitUntil
) -> None:
    site: Edgar | Pages = Edgar() if kind == "edgar" else Pages()
    server.answer = site
    more: dict[str, object] = {**OWN, "fields": FIELDS}
    if kind == "edgar":
        more = {
            "contact": "Ann ann@example.com",
            "tickers_url": f"{server.url}/company_tickers.json",
            "gap_seconds": 0.1,
        }
    add_source(config, kind, "place", url=f"{server.url}/list?limit=40", interval_seconds=1, **more)
    store = SourceStore(engine)
    site.publish(3)
    with worker(config) as running:
        wait_until(lambda: [row.posts for row in store.rows()] == [3], 60)
        running.send_signal(signal.SIGKILL)
    site.publish(110)
    with worker(config) as running:
        wait_until(lambda: len(on_topic(settings, "place")) > 3, 60)  # at any moment, in the midst of it perhaps
        running.send_signal(signal.SIGKILL)
        running.wait()
    noted = store.rows()[0]
    assert set(on_topic(settings, "place").values()) == {1}, "before the first kill all was noted: nothing came again"
    with worker(config) as running:
        wait_until(lambda: store.rows()[0].posts == 113, 60)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    # Given again was only what had been acknowledged and was not noted yet, under the same ids.
    assert f"{113 - noted.posts} posts published, 0 rejected" in said
    assert len(on_topic(settings, "place")) == store.rows()[0].posts == 113
    assert store.rows()[0].last_error is None


def test_one_that_is_refused_stops_no_other_and_is_shown(
    server: SourceServer, config: Path, settings: Settings, engine: Engine, wait_until: WaitUntil
) -> None:
    def answer(asked: Asked) -> None:
        (reply(401) if asked.path == "/locked" else reply(200, FEED) if asked.path == "/feed" else Pages(2))(asked)

    server.answer = answer
    add_source(config, "json", "locked", url=f"{server.url}/locked")
    add_source(config, "json", "open", url=f"{server.url}/open", fields=FIELDS, **OWN)
    add_source(config, "json", "paused", url=f"{server.url}/open", fields=FIELDS, **OWN)
    add_feed(config, f"{server.url}/feed", "news")
    assert "paused is paused" in run("pause", "paused").stdout
    store = SourceStore(engine)
    with worker(config) as running:
        wait_until(lambda: {row.name for row in store.rows() if row.posts} == {"open", "feeds"}, 60)
        wait_until(lambda: any(row.last_error for row in store.rows()), 60)
        assert on_topic(settings, "paused") == Counter()
        assert "paused goes on" in run("resume", "paused").stdout
        wait_until(lambda: any(row.name == "paused" and row.posts == 2 for row in store.rows()), 60)
        assert len(on_topic(settings, "paused")) == 2
        run("pause", "open")
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert "locked: " in said
    header, *lines = run("list").stdout.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert header.split() == ["NAME", "KIND", "POSTS", "ERRORS", "NEWEST", "ASKED", "STATE", "LAST", "ERROR"]
    assert [*shown] == ["feeds", "locked", "open", "paused"]
    assert "answers 401" in shown["locked"]
    assert shown["open"].split()[1:4] == ["json", "2", "0"]
    assert " paused" in shown["open"]
    assert shown["feeds"].split()[:4] == ["feeds", "rss", "1", "0"]
    listed = {each["name"]: each for each in map(json.loads, run("list", "--json").stdout.splitlines())}
    assert listed["open"]["paused"]
    assert listed["locked"]["errors"] >= 1
    assert listed["open"]["newest_published_at"] == "2026-03-02T12:00:02Z"


def test_without_postgres_feeds_come_in_and_the_others_wait_for_it(
    server: SourceServer, config: Path, settings: Settings, wait_until: WaitUntil
) -> None:
    server.answer = reply(200, FEED)
    config.write_text(
        config.read_text().replace(settings.postgres.url.get_secret_value(), "postgresql://x@127.0.0.1:1/x")
    )
    add_source(config, "json", "own", url=f"{server.url}/own")
    add_feed(config, f"{server.url}/feed", "news")
    with worker(config) as running:
        wait_until(lambda: len(on_topic(settings, "news")) == 1, 60)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert "sources that keep their place there wait for it, feeds do not" in said
    assert "own: it keeps its place in Postgres" in said
    assert all(asked.path == "/feed" for asked in server.asked)


def test_some_of_the_sources_can_be_run_once_or_only_shown(
    server: SourceServer, config: Path, settings: Settings, engine: Engine
) -> None:
    server.answer = Pages(7)
    add_source(config, "json", "one", url=f"{server.url}/one", fields=FIELDS, **OWN)
    add_source(config, "json", "two", url=f"{server.url}/two", fields=FIELDS, **OWN)
    shown = ingest(config, "--dry-run", "--source", "two")
    assert "7 posts would be published, 0 are rejected" in shown.stdout
    assert "two:7" in shown.stdout
    assert SourceStore(engine).rows() == []
    done = ingest(config, "--once", "--source", "two")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "7 posts published, 0 rejected")
    assert len(on_topic(settings, "two")) == 7
    assert on_topic(settings, "one") == Counter()
    assert {asked.path for asked in server.asked} == {"/two"}
    server.answer = reply(403)
    failed = ingest(config, "--once", "--source", "two")
    assert failed.returncode == 1
    assert "answers 403" in failed.stderr.splitlines()[-1]
