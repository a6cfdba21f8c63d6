"""`bearometer sources check | add` as a person runs them."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearometer.errors import Failed, Misconfigured
from bearometer.settings import Settings
from tests.source_runs import FEED, FIELDS, OWN, add_feed, add_source, run, write_config
from tests.source_server import Answer, Asked, SourceServer, as_json, reply
from tests.source_sites import Pages


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with SourceServer() as running:
        yield running


@pytest.fixture
def config(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_config(settings, tmp_path)
    monkeypatch.setenv("BEAROMETER_CONFIG", str(path))
    return path


def test_each_source_is_asked_and_told_of(server: SourceServer, config: Path) -> None:
    def answer(asked: Asked) -> None:
        known: dict[str, Answer] = {"/own": Pages(2), "/feed": reply(200, FEED)}
        known.get(asked.path, reply(503))(asked)

    server.answer = answer
    add_source(config, "json", "own", url=f"{server.url}/own", fields=FIELDS, **OWN)
    for name in ("feed", "gone"):
        add_feed(config, f"{server.url}/{name}", name)
    found = run("check")
    assert isinstance(found.exception, Failed)
    assert str(found.exception) == "1 of 3 sources does not work"
    lines = found.stdout.splitlines()
    assert lines[0] == "feeds: feed: works, 1 posts just now"
    assert lines[2].startswith("feeds: gone: does not work: no feed could be fetched: ")
    assert lines[3:] == [
        "own: works, 2 posts just now",
        "  2026-03-02 12:00  own:1  [no symbol]  Harbor Mills opens plant 1",
    ]
    assert run("check", "own").exit_code == 0
    assert isinstance(run("check", "nobody").exception, Misconfigured)


def test_one_whose_entries_are_no_posts_does_not_work(server: SourceServer, config: Path) -> None:
    server.answer = as_json([{"id": 1, "text": "Harbor Mills falls", "created_at": "soon"}, {"id": 2, "text": ""}])
    before = config.read_text()
    added = run("add", "json", "name=own", f"url={server.url}/posts")
    assert "none of its 2 entries is a post: bad-time" in str(added.exception).replace("_", "-")
    assert config.read_text() == before
    add_source(config, "json", "own", url=f"{server.url}/posts")
    assert isinstance(run("check", "own").exception, Failed)


def test_a_source_that_works_is_added_and_another_is_not(server: SourceServer, config: Path) -> None:
    server.answer = as_json([{"id": 1, "text": "Harbor Mills falls", "created_at": "2026-03-02T12:00:00Z"}])
    before = config.read_text()
    new = ("json", "name=own", f"url={server.url}/posts", "symbols=HBRM, NTHW", "interval_seconds=30", "html=true")
    assert "[[ingest.sources]]" in run("add", *new, "--dry-run").stdout
    assert config.read_text() == before
    added = run("add", *new, "headers={ X-Key = 'env:OWN_KEY' }")
    assert "OWN_KEY, which is not set" in str(added.exception)
    mode = config.stat().st_mode
    assert run("add", *new).stdout == f"1 added to {config}\n"
    assert config.stat().st_mode == mode
    assert config.read_text().startswith(before.rstrip("\n"))
    assert tomllib.loads(config.read_text())["ingest"]["sources"] == [
        {
            "kind": "json",
            "name": "own",
            "url": f"{server.url}/posts",
            "symbols": ["HBRM", "NTHW"],
            "interval_seconds": 30.0,
            "html": True,
        }
    ]
    after = config.read_text()
    for wrong, words in (
        (new, "two sources have the name 'own'"),
        (("json", "name=new", "url=http://127.0.0.1:1/"), "it does not work, and was not added"),
        (("json", "name=new", "bogus"), "'bogus' is no SETTING=VALUE"),
        (("telegraph", "name=new"), "must be one of rss, edgar, gdelt"),
        (("json", "name=new", f"url={server.url}", "fields=text"), "must be written as in TOML"),
        ((), "say what to add"),
    ):
        assert words in str(run("add", *wrong).exception)
        assert config.read_text() == after


def test_feeds_of_a_list_are_added_that_answer_and_are_new(server: SourceServer, config: Path, tmp_path: Path) -> None:
    def answer(asked: Asked) -> None:
        (reply(404) if asked.path == "/gone" else reply(200, FEED))(asked)

    server.answer = answer
    outlines = "".join(f'<outline text="{name}" xmlUrl="{server.url}/{name}"/>' for name in ("a", "gone", "b"))
    (tmp_path / "list.opml").write_text(f"<opml><body><outline>{outlines}</outline></body></opml>")
    assert run("add", "rss", f"url={server.url}/a", "symbols=HBRM").exit_code == 0
    added = run("add", "--opml", str(tmp_path / "list.opml"))
    assert "1 added to" in added.stdout
    assert tomllib.loads(config.read_text())["ingest"]["feeds"] == [
        {"url": f"{server.url}/a", "symbols": ["HBRM"]},
        {"url": f"{server.url}/b", "name": "b"},
    ]
    assert "nothing to add" in run("add", "--opml", str(tmp_path / "list.opml")).stdout


def test_a_file_that_cannot_take_a_block_at_its_end_is_left_as_it_is(server: SourceServer, config: Path) -> None:
    server.answer = reply(200, FEED)
    config.write_text("[ingest]\nallow_private_addresses = true\nfeeds = []\n")
    refused = run("add", "rss", f"url={server.url}/a")
    assert "was left as it is" in str(refused.exception)
    assert config.read_text() == "[ingest]\nallow_private_addresses = true\nfeeds = []\n"
    assert [*config.parent.iterdir()] == [config]
