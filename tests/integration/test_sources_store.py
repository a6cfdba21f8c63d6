"""Where sources go on, in a real Postgres."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from bearometer.source_progress import SourceProgress
from storage.sources import SourceStore

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def progress(
    name: str = "filings", cursor: str | None = "1", error: str | None = None, hours: int = 0
) -> SourceProgress:
    at = NOON + timedelta(hours=hours)
    return SourceProgress(name, "edgar", cursor, 2, int(error is not None), error, at, None if error else at)


def test_counts_add_up_and_the_rest_is_what_came_last(engine: Engine) -> None:
    store = SourceStore(engine)
    assert store.rows() == []
    assert store.cursor("filings") is None
    store.note([progress(cursor="1", hours=2), progress("news")])
    store.note([progress(cursor="2", error="503\0", hours=1)])
    row, news = store.rows()
    assert (row.name, row.cursor, row.posts, row.errors, row.last_error) == ("filings", "2", 4, 1, "503")
    assert row.newest_published_at == row.polled_at == NOON + timedelta(hours=2)
    assert (news.name, news.posts) == ("news", 2)
    store.note([progress(cursor=None)])
    assert store.cursor("filings") == "2"
    assert store.rows()[0].last_error is None


def test_a_pause_outlives_progress_and_may_come_before_it(engine: Engine) -> None:
    store = SourceStore(engine)
    store.set_paused(["filings", "news"], True)
    store.note([progress()])
    assert store.paused() == {"filings", "news"}
    assert (store.rows()[0].kind, store.rows()[0].posts) == ("edgar", 2)
    store.set_paused(["filings"], False)
    assert store.paused() == {"news"}
    assert store.cursor("filings") == "1"


def test_a_cursor_that_is_too_large_leaves_the_one_before(engine: Engine) -> None:
    store = SourceStore(engine)
    store.note([progress(cursor="1")])
    store.note([progress(cursor="x" * 65_536, error="e" * 10_000)])
    assert store.cursor("filings") == "1"
    assert store.rows()[0].posts == 4
    store.note([progress(cursor="é" * 32_767)])
    assert store.cursor("filings") == "é" * 32_767


def test_workers_that_note_the_same_sources_at_once_lose_no_count(engine: Engine) -> None:
    store = SourceStore(engine)
    names = [f"source-{number}" for number in range(5)]

    def note(turn: int) -> None:
        order = names if turn % 2 else names[::-1]
        store.note([progress(name) for name in order])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(40)))
    assert [row.posts for row in store.rows()] == [80] * 5
