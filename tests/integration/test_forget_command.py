"""`bearometer forget`, against real stores: nothing of whom it forgets is found anywhere, and all else is as before."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import redis
import typer
from pydantic import SecretStr
from sqlalchemy import Engine, inspect, text
from typer.testing import CliRunner

from alerts.message import compose, render_text
from bearometer.alert import Alert, Delivery, Evidence, NewTerm, NotificationReason, TopPost
from bearometer.clock import SystemClock
from bearometer.commands.forget import register
from bearometer.correction import Correction
from bearometer.errors import Misconfigured, Unavailable, WindowsLost
from bearometer.mention import WHOLE, Scored
from bearometer.post import MARKET
from bearometer.progress import Progress
from bearometer.registry import ShadowScore
from bearometer.settings import AlertSettings, RedisSettings
from ingest.privacy import pseudonym
from storage.alerts import AlertStore
from storage.feedback import FeedbackStore
from storage.forget import Whom, forget
from storage.forget_windows import ForgettingWindowStore
from storage.posts import PostStore
from storage.shadow import ShadowStore
from tests.conditions import WaitUntil
from tests.stored_alerts import HOUR, alert
from tests.stored_samples import BAD, NOON, scored

KEY = "one key of our own, for tests"
WORDS = "zugzwang at ACME"
OTHERS = "ACME lost a customer"
CLOCK = SystemClock()


@pytest.fixture
def posts(engine: Engine) -> PostStore:
    return PostStore(engine)


@pytest.fixture
def windows(redis_url: str, posts: PostStore) -> ForgettingWindowStore:
    store = ForgettingWindowStore(RedisSettings(url=SecretStr(redis_url)))
    store.rebuild(posts, CLOCK)
    return store


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


Run = Callable[..., str]


@pytest.fixture
def run(database_url: str, redis_url: str) -> Run:
    app = typer.Typer()
    app.command("other")(lambda: None)
    register(app)

    def run(*arguments: str, key: str | None = None, stdin: str = "") -> str:
        environment = {"BEAROMETER_POSTGRES__URL": database_url, "BEAROMETER_REDIS__URL": redis_url}
        if key:
            environment["BEAROMETER_INGEST__AUTHOR_KEY"] = key
        result = CliRunner(env=environment).invoke(app, ["forget", *arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def everything_stored(engine: Engine, client: redis.Redis) -> dict[str, Any]:
    """Every row of every table as JSON, and every key of Redis with all that it holds."""
    held: dict[str, Any] = {}
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.execute(text(f'SELECT to_jsonb(t) FROM "{table}" AS t')).scalars()
            held[table] = sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode() for row in rows)
    for key in client.scan_iter():
        kind = client.type(key)
        held[key.decode()] = (
            sorted(map(str, client.hgetall(key).items()))
            if kind == b"hash"
            else str(client.zrange(key, 0, -1, withscores=True) if kind == b"zset" else client.get(key))
        )
    return held


def places_of(needle: str, held: dict[str, Any]) -> set[str]:
    return {place for place, content in held.items() if needle in place or needle in str(content)}


def quoting_alert(id_: str, *told: Scored) -> Alert:
    """An alert whose evidence quotes these posts and names their authors."""
    evidence = Evidence(
        top_posts=tuple(
            TopPost(one.post.id, one.post.text, NOON, 0.9, 1, one.post.author, 12, one.post.url, source=one.post.source)
            for one in told
        ),
        chart=(),
        models=("m1",),
        mentions=7,
        sources=(("test", 7),),
        authors=tuple((one.post.author, 3) for one in told if one.post.author),
        new_terms=(NewTerm("recall", 8, 0.25), NewTerm("@bad_bob", 3, 0.25)),
    )
    return replace(alert(id_), evidence=evidence)


def by_bob(id_: str, **fields: Any) -> Scored:
    one = scored(id_, **{"author": "Bad_Bob", "text": WORDS, "fingerprint": "fbob", **fields})
    return replace(one, post=replace(one.post, url="https://example.org/Bad_Bob/1"))


def store_all(engine: Engine, windows: ForgettingWindowStore, bobs: list[Scored], anns: list[Scored]) -> None:
    """Everything that can tell of a post, in every table and in Redis."""
    windows.add(PostStore(engine).save([*bobs, *anns], [Progress("posts", 0, 9, NOON)]))
    FeedbackStore(engine).save(
        [
            Correction(
                post_id=one.post.id,
                symbol=WHOLE,
                who="judge",
                text=one.post.text,
                fingerprint=one.post.fingerprint,
                label="negative",
            )
            for one in (*bobs, *anns)
        ]
    )
    ShadowStore(engine).save(
        "shadow-1",
        [ShadowScore(one.post.id, one.post.published_at, WHOLE, BAD, None) for one in (*bobs, *anns)],
    )
    both, alone = quoting_alert("both", *bobs, *anns), quoting_alert("alone", *bobs)
    lease = AlertStore(engine).acquire_lease()
    assert lease is not None
    messages = [
        Delivery("d1", both, NotificationReason.FIRING, "slack", 0, NOON, others=(alone,)),
        Delivery("d2", alert("plain"), NotificationReason.FIRING, "slack", 0, NOON),
    ]
    lease.commit(NOON, [both, alone, alert("plain")], messages)
    lease.release()


@pytest.mark.parametrize("how", ["author", "posts", "hidden author"])
def test_nothing_of_the_forgotten_is_left_and_all_else_is(
    how: str, run: Run, engine: Engine, windows: ForgettingWindowStore, client: redis.Redis
) -> None:
    key = KEY if how == "hidden author" else None
    stored_as = pseudonym("Bad_Bob", "test", KEY) if key else "Bad_Bob"
    # In a minute with others, and in one of his own.
    bobs = [
        by_bob("b1", author=stored_as, symbols=("ACME", "ZETA")),
        by_bob("b2", author=stored_as, published_at=NOON + timedelta(minutes=3)),
    ]
    anns = [scored("a1", text=OTHERS), scored("a2", text=OTHERS, author=None, published_at=NOON - HOUR)]
    store_all(engine, windows, bobs, anns)
    before = everything_stored(engine, client)
    assert len(places_of(stored_as, before)) >= 8
    assert len(places_of("zugzwang", before)) >= 4

    arguments = ["--post", "test:b1", "--post", "test:b2"] if how == "posts" else ["--author", "Bad_Bob"]
    preview = run(*arguments, "--dry-run", key=key)
    assert everything_stored(engine, client) == before
    output = run(*arguments, "--yes", key=key)

    held = everything_stored(engine, client)
    assert places_of(stored_as, held) == places_of("zugzwang", held) == places_of("fbob", held) == set()
    assert {place for place in places_of("test:b1", held) | places_of("test:b2", held)} == {"post_ids"}
    lines = [line.split(maxsplit=1) for line in output.splitlines()[1:-1]]
    assert [(count, what.split(",")[0]) for count, what in lines] == [
        ("2", "posts"),
        ("3", "mentions"),
        ("2", "labels"),
        ("2", "shadow scores"),
        ("2", "alerts"),
        ("1", "stored messages"),
        ("7", "minutes in Redis"),
    ]
    assert preview.splitlines()[1:] == output.splitlines()[1:-1]

    untouched = set(before) - places_of("b1", before) - places_of("b2", before) - places_of("fbob", before)
    assert {place: held.get(place) for place in untouched - {"bearometer:symbols"}} == {
        place: before[place] for place in untouched - {"bearometer:symbols"}
    }
    for table in ("posts_2024_03", "mentions_2024_03", "labels", "shadow_scores"):
        assert held[table] == [row for row in before[table] if "test:b" not in row]
    assert windows.window("ACME", HOUR, NOON + HOUR).posts == 1
    assert windows.window(MARKET, 2 * HOUR, NOON + HOUR).posts == 2
    assert windows.symbols() == {"ACME": NOON, MARKET: NOON}
    edited = {one.id: one for one in AlertStore(engine).alerts()}
    assert edited["plain"] == alert("plain")
    both = quoting_alert("both", *bobs, *anns)
    assert both.evidence is not None
    assert edited["both"].evidence is not None
    assert [post.id for post in edited["both"].evidence.top_posts] == ["test:a1", "test:a2"]
    assert edited["both"].peak == both.peak
    assert edited["both"].evidence.mentions == 7
    assert edited["both"].evidence.new_terms == both.evidence.new_terms[:1]
    shown = Delivery("shown", edited["alone"], NotificationReason.FIRING, "show", 0, NOON)
    assert "15 negative" in render_text(compose(shown, AlertSettings()))
    # Again: nothing is there, and nothing changes.
    assert run(*arguments, "--yes", key=key).splitlines()[0] == "there was nothing of it"
    assert everything_stored(engine, client) == held


def test_a_message_that_is_delivered_again_does_not_bring_the_post_back(
    run: Run, posts: PostStore, windows: ForgettingWindowStore, engine: Engine, client: redis.Redis
) -> None:
    windows.add(posts.save([by_bob("b1"), scored("a1")], []))
    run("--author", "Bad_Bob", "--yes")

    again = posts.save([by_bob("b1"), scored("a1")], [])
    windows.add(again)
    windows.rebuild(posts, CLOCK)

    assert [one.post.id for one in again] == ["test:a1"]
    assert places_of("Bad_Bob", everything_stored(engine, client)) == set()


def test_of_two_sources_only_the_one_that_was_named_is_forgotten(
    run: Run, posts: PostStore, windows: ForgettingWindowStore
) -> None:
    other = by_bob("b2")
    other = replace(other, post=replace(other.post, id="wire:b2", source="wire"))
    windows.add(posts.save([by_bob("b1"), other], []))

    run("--author", "Bad_Bob", "--source", "test", "--yes")

    assert set(posts.find(["test:b1", "wire:b2"])) == {"wire:b2"}
    assert windows.window("ACME", HOUR, NOON + HOUR).posts == 1


def test_an_author_who_has_other_posts_is_named_still(run: Run, engine: Engine, windows: ForgettingWindowStore) -> None:
    store_all(engine, windows, [by_bob("b1"), by_bob("b2")], [scored("a1")])

    run("--post", "test:b1", "--yes")

    [both] = AlertStore(engine).alerts(beginning="both")
    assert both.evidence is not None
    assert [post.id for post in both.evidence.top_posts] == ["test:b2", "test:a1"]
    assert "Bad_Bob" in dict(both.evidence.authors)
    assert windows.window("ACME", HOUR, NOON + HOUR).posts == 2


class _Died(Exception):
    pass


@pytest.mark.parametrize("where", ["after Redis", "before the end of the transaction", "before the rebuild"])
def test_killed_anywhere_the_same_call_again_finishes(
    where: str,
    engine: Engine,
    windows: ForgettingWindowStore,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bobs, anns = [by_bob("b1")], [scored("a1")]
    store_all(engine, windows, bobs, anns)
    whom = Whom(names=frozenset({"Bad_Bob"}))

    def die(*_: object) -> None:
        raise _Died

    with monkeypatch.context() as patch, pytest.raises(_Died):
        match where:
            case "after Redis":
                patch.setattr("storage.forget._stop_evaluation", die)
            case "before the end of the transaction":
                patch.setattr("storage.forget._edit_quotes", die)
            case _:
                patch.setattr(windows, "rebuild", die)
        forget(engine, windows, whom, CLOCK)
    with pytest.raises(WindowsLost):  # wrong counts are never shown
        windows.symbols()
    # A stream worker may be faster with the windows than the second call.
    windows.rebuild(PostStore(engine), CLOCK)
    forget(engine, windows, whom, CLOCK)

    held = everything_stored(engine, client)
    assert places_of("Bad_Bob", held) == places_of("zugzwang", held) == set()
    assert windows.window("ACME", HOUR, NOON + HOUR).posts == 1


def test_whoever_evaluates_is_stopped_and_cannot_write_the_quotes_again(
    run: Run, engine: Engine, windows: ForgettingWindowStore
) -> None:
    store_all(engine, windows, [by_bob("b1")], [scored("a1")])
    lease = AlertStore(engine).acquire_lease()
    assert lease is not None

    run("--author", "Bad_Bob", "--yes")

    with pytest.raises(Unavailable):
        lease.commit(NOON, [quoting_alert("both", by_bob("b1"))], [])
    lease.release()
    successor = AlertStore(engine).acquire_lease()
    assert successor is not None
    assert "Bad_Bob" not in repr(successor.recent_alerts(NOON))
    successor.release()


def test_a_batch_that_is_stored_meanwhile_is_counted_once(
    engine: Engine, windows: ForgettingWindowStore, posts: PostStore, wait_until: WaitUntil
) -> None:
    windows.add(posts.save([by_bob("b1"), scored("a1")], []))
    stop, added = threading.Event(), []

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            stored = posts.save([scored(f"w{number}")], [])
            try:
                windows.add(stored)
            except WindowsLost:
                windows.rebuild(posts, CLOCK)
                windows.add(stored)
            added.append(number)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        wait_until(lambda: len(added) >= 5)
        forget(engine, windows, Whom(names=frozenset({"Bad_Bob"})), CLOCK)
        seen = len(added)
        wait_until(lambda: len(added) >= seen + 5)
    finally:
        stop.set()
        worker.join()

    assert windows.window("ACME", HOUR, NOON + HOUR).posts == len(added) + 1


@pytest.mark.parametrize(("answer", "is_left"), [("n", True), ("y", False)])
def test_it_asks_where_there_is_somebody_to_ask(
    answer: str,
    is_left: bool,
    run: Run,
    posts: PostStore,
    windows: ForgettingWindowStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows.add(posts.save([by_bob("b1")], []))
    monkeypatch.setattr("bearometer.commands.forget.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))

    output = run("--author", "Bad_Bob", stdin=f"{answer}\n")

    assert "1 posts" in output.split("Remove it for good?", maxsplit=1)[0]
    assert bool(posts.find(["test:b1"])) == is_left


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "one of the two"),
        (("--author", "a", "--post", "b"), "one of the two"),
        (("--post", "b", "--source", "s"), "--source goes with --author"),
        (("--author", " ", "--yes"), "--author is"),
        (("--author", "ann"), "nobody to ask"),
    ],
)
def test_what_makes_no_sense_or_cannot_be_asked_is_refused(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(Misconfigured, match=problem):
        run(*arguments)
