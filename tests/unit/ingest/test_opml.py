from importlib.resources import as_file, files
from pathlib import Path

import pytest

from bearometer.errors import Failed
from ingest.opml import ListedFeed, read_opml


def listed(tmp_path: Path, body: str) -> list[ListedFeed]:
    path = tmp_path / "feeds.opml"
    path.write_text(body, encoding="utf-8")
    return read_opml(path)


def test_feeds_come_once_from_all_folders_and_nothing_else_does(tmp_path: Path) -> None:
    found = listed(
        tmp_path,
        """<?xml version="1.0"?><opml version="1.0"><body>
        <outline text="Folder"><outline text="One" title="First &amp; best" xmlUrl="https://one.example/rss"/>
          <outline text="Deeper"><outline XMLURL=" http://two.example/rss "/></outline></outline>
        <outline text="Again" xmlUrl="https://one.example/rss"/>
        <outline text="Local" xmlUrl="file:///etc/passwd"/><outline text="A page" htmlUrl="https://three.example"/>
        </body></opml>""",
    )
    assert found == [
        ListedFeed("First & best", "https://one.example/rss"),
        ListedFeed(None, "http://two.example/rss"),
    ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<rss/>", "no OPML"),
        ("<opml", "no XML"),
        ('<!DOCTYPE opml [<!ENTITY a "b">]><opml><body>&a;</body></opml>', "document type"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, body: str, why: str) -> None:
    with pytest.raises(Failed, match=why):
        listed(tmp_path, body)


def test_a_list_that_is_not_there_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="no such file"):
        read_opml(tmp_path / "none.opml")
    monkeypatch.setattr("ingest.opml.MAX_BYTES", 10)
    with pytest.raises(Failed, match="larger than 10 bytes"):
        listed(tmp_path, "<opml><body/></opml>")


def test_the_default_feeds_are_a_list_with_names_and_without_repeats() -> None:
    with as_file(files("ingest").joinpath("default_feeds.opml")) as path:
        found = read_opml(path)
    assert len(found) >= 15
    assert len({feed.name for feed in found}) == len(found)
    assert all(feed.name and feed.url.startswith("https://") for feed in found)
