"""The registry of models and the shadow's scores, against a real Postgres."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from bearometer.errors import Failed
from bearometer.mention import WHOLE, Sentiment
from bearometer.registry import ModelState, ShadowScore, WorkerReport
from storage.models import ModelStore
from storage.posts import PostStore
from storage.shadow import Agreement, ShadowStore
from tests.registry_fakes import register
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored

ROOT = Path(__file__).parents[2]

PROMOTE_AND_WAIT_TO_BE_KILLED = """
import sys, time
from pydantic import SecretStr
from sqlalchemy import event
from bearometer.settings import PostgresSettings
from storage.database import connect
from storage.models import ModelStore
engine = connect(PostgresSettings(url=SecretStr(sys.argv[1])))
@event.listens_for(engine, "commit")
def wait(_):
    print("about to commit", flush=True)
    time.sleep(1000)
ModelStore(engine).promote(sys.argv[2], "eve")
"""


@pytest.fixture
def store(engine: Engine) -> ModelStore:
    return ModelStore(engine)


@pytest.fixture
def shadows(engine: Engine) -> ShadowStore:
    return ShadowStore(engine)


def states(store: ModelStore) -> dict[str, str]:
    return {model.name: str(model.state) for model in store.versions()}


def active(store: ModelStore) -> str | None:
    chosen = store.chosen().active
    return chosen.name if chosen else None


def test_a_model_is_registered_once_and_its_folder_may_move(store: ModelStore) -> None:
    register(store, "a", Path("/models/a"), {"model-int8.onnx": "12345678"})
    assert not store.register("a@aa", "a", Path("/moved/a"), {}, {}, "bob")
    (model,) = store.versions()
    assert (model.folder, model.registered_by, model.state) == (Path("/moved/a"), "ann", ModelState.CANDIDATE)


def test_moving_an_active_models_folder_leaves_it_active(store: ModelStore) -> None:
    store.promote(register(store, "a", Path("/a")), "ann")
    store.register("a@aa", "a", Path("/moved/a"), {}, {}, "ann")
    assert active(store) == "a"


def test_models_are_found_by_a_beginning_that_only_they_have(store: ModelStore) -> None:
    register(store, "mini", Path("/a"))
    register(store, "minilm", Path("/b"))
    assert store.find("mini@").name == "mini"
    assert store.find("minilm").name == "minilm"
    with pytest.raises(Failed, match="2 registered models begin with 'mini'"):
        store.find("mini")
    with pytest.raises(Failed, match="no registered model begins with 'x'"):
        store.find("x")


def test_promotions_retire_what_was_active_and_rollbacks_go_all_the_way_back(store: ModelStore) -> None:
    versions = [register(store, name, Path("/m")) for name in "abc"]
    assert store.chosen().active is None
    assert [store.promote(version, "ann") for version in versions] == [None, "a@aa", "b@bb"]
    assert states(store) == {"a": "retired", "b": "retired", "c": "active"}
    assert [model and model.name for model in store.way_back()] == ["b", "a", None]
    assert store.rollback("bob", "b@bb") == "c@cc"
    assert states(store) == {"a": "retired", "b": "active", "c": "retired"}
    store.rollback("bob", "a@aa")
    store.rollback("bob", None)
    assert active(store) is None
    with pytest.raises(Failed, match="nothing is promoted"):
        store.rollback("bob", None)
    assert [(change.who, str(change.action), change.version, change.previous) for change in store.changes()] == [
        ("ann", "promote", "a@aa", None),
        ("ann", "promote", "b@bb", "a@aa"),
        ("ann", "promote", "c@cc", "b@bb"),
        ("bob", "rollback", "b@bb", "c@cc"),
        ("bob", "rollback", "a@aa", "b@bb"),
        ("bob", "rollback", None, "a@aa"),
    ]


def test_what_cannot_be_done_changes_nothing_and_is_one_line(store: ModelStore) -> None:
    store.promote(register(store, "a", Path("/a")), "ann")
    with pytest.raises(Failed, match="a@aa is the active model already"):
        store.promote("a@aa", "ann")
    with pytest.raises(Failed, match="x@x is not registered"):
        store.promote("x@x", "ann")
    with pytest.raises(Failed, match="cannot be its own shadow"):
        store.shadow("a@aa", "ann")
    with pytest.raises(Failed, match="changed meanwhile"):
        store.rollback("ann", "other@1")
    assert active(store) == "a"
    assert len(store.changes()) == 1


def test_there_is_one_shadow_at_most_and_a_promoted_one_is_none(store: ModelStore) -> None:
    for name in "ab":
        register(store, name, Path("/m"))
    assert store.shadow("a@aa", "ann") is None
    assert store.shadow("b@bb", "ann") == "a@aa"
    assert states(store) == {"a": "candidate", "b": "shadow"}
    store.promote("b@bb", "ann")
    assert (active(store), store.chosen().shadow) == ("b", None)
    store.shadow("a@aa", "ann")
    assert store.shadow(None, "ann") == "a@aa"
    assert store.shadow(None, "ann") is None
    assert states(store) == {"a": "candidate", "b": "active"}


def test_a_retired_model_is_retired_again_when_it_was_the_shadow(store: ModelStore) -> None:
    versions = [register(store, name, Path("/m")) for name in "abc"]
    store.promote(versions[0], "ann")
    store.promote(versions[1], "ann")
    store.shadow(versions[0], "ann")
    store.shadow(versions[2], "ann")
    assert states(store) == {"a": "retired", "b": "active", "c": "shadow"}
    store.shadow(None, "ann")
    assert states(store) == {"a": "retired", "b": "active", "c": "candidate"}


def test_many_that_promote_at_once_take_turns(store: ModelStore) -> None:
    versions = [register(store, name, Path("/m")) for name in "abcdef"]
    with ThreadPoolExecutor(6) as pool:
        before = set(pool.map(lambda version: store.promote(version, "ann"), versions))
    assert len(before) == 6, "each replaced another one"
    assert sorted(states(store).values()) == ["active", *["retired"] * 5]
    assert len(store.way_back()) == 6


def test_not_even_another_program_can_make_two_models_active(store: ModelStore, engine: Engine) -> None:
    for name in "ab":
        register(store, name, Path("/m"))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("UPDATE models SET state = 'active'"))


@pytest.fixture
def dying_promoter(database_url: str, store: ModelStore) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in the middle of promoting b, with all but the commit done."""
    for name in "ab":
        register(store, name, Path("/m"))
    store.promote("a@aa", "ann")
    program = [sys.executable, "-c", PROMOTE_AND_WAIT_TO_BE_KILLED, database_url, "b@bb"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"about to commit\n"
        yield process
        with suppress(ProcessLookupError):
            process.kill()


def test_a_promotion_killed_in_the_middle_has_not_happened_and_bars_nobody(
    dying_promoter: "subprocess.Popen[bytes]", store: ModelStore
) -> None:
    assert active(store) == "a", "nobody sees half of it"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.promote, "b@bb", "bob")
        dying_promoter.send_signal(signal.SIGKILL)
        assert waiting.result(timeout=30) == "a@aa"
    assert states(store) == {"a": "retired", "b": "active"}
    assert [change.who for change in store.changes()] == ["ann", "bob"]


def test_who_scored_how_much_and_when_is_counted_by_version(store: ModelStore, engine: Engine) -> None:
    PostStore(engine).save([scored(str(n), model="old@1" if n < 3 else "new@2") for n in range(5)], [])
    PostStore(engine).save([scored("later", model="old@1", published_at=NOON + timedelta(days=3))], [])
    assert [(one.model, one.posts) for one in store.usage()] == [("old@1", 4), ("new@2", 2)]
    assert all(one.first <= one.last for one in store.usage())
    assert [(one.model, one.posts) for one in store.usage(NOON + timedelta(days=1))] == [("old@1", 1)]


def test_a_workers_report_replaces_the_one_before_and_old_ones_are_forgotten(store: ModelStore, engine: Engine) -> None:
    store.report(WorkerReport("one:1", "a@aa"))
    store.report(WorkerReport("two:1", "a@aa"))
    report = WorkerReport("one:1", "b@bb", wanted="c@cc", problem="no\0folder", shadow="d@dd", shadow_dropped=3)
    store.report(report)
    found = {worker.id: worker for worker in store.workers(60)}
    assert found["one:1"].problem == "nofolder"
    assert (found["one:1"].version, found["one:1"].shadow_dropped) == ("b@bb", 3)
    with engine.begin() as connection:
        connection.execute(text("UPDATE stream_workers SET seen_at = now() - interval '25 hours' WHERE id = 'two:1'"))
    assert [worker.id for worker in store.workers(60)] == ["one:1"]
    store.report(report)
    assert [worker.id for worker in store.workers(1e6)] == ["one:1"]
    store.leave("one:1")
    assert store.workers(60) == []


def answers(
    id_: str, *, post: Sentiment = CALM, symbol: Sentiment | None = None, topic: str | None = None
) -> list[ShadowScore]:
    found = [ShadowScore(f"test:{id_}", NOON, WHOLE, post, topic)]
    if symbol is not None:
        found.append(ShadowScore(f"test:{id_}", NOON, "ACME", symbol))
    return found


def test_a_shadow_is_compared_with_what_was_stored(shadows: ShadowStore, engine: Engine) -> None:
    stored = [
        scored("1", fingerprint="f1", sentiment=BAD, model="old@1"),
        scored("2", fingerprint="f2", sentiment=BAD, model="old@1"),
        scored("3", fingerprint="f3", sentiment=CALM, model="older@1"),
        scored("not seen", sentiment=BAD),
    ]
    PostStore(engine).save(stored, [])
    shadows.save("new@2", answers("1", post=BAD, symbol=GOOD, topic="sales"))
    shadows.save("new@2", answers("2", post=GOOD, topic="law"))
    shadows.save("new@2", [*answers("3", post=CALM), *answers("never stored", post=GOOD)])
    shadows.save("other@3", answers("1", post=GOOD))

    found = shadows.compare("new@2")

    assert found.models == ("old@1", "older@1")
    assert found.posts is not None
    assert (found.posts.answers, found.posts.same) == (3, 2)
    assert found.posts.shifts == {
        ("negative", "negative"): 1,
        ("negative", "positive"): 1,
        ("neutral", "neutral"): 1,
    }
    shift = (GOOD.positive - GOOD.negative) - (BAD.positive - BAD.negative)
    assert found.posts.mean_shift == pytest.approx(shift / 3)
    assert found.posts.mean_moved == pytest.approx(shift / 3)
    assert found.posts.mean_distance == pytest.approx(0.7 / 3)
    assert found.mentions is not None
    assert found.mentions.shifts == {("negative", "positive"): 1}
    assert found.mentions.mean_distance == pytest.approx(0.7)
    assert (found.topics, found.same_topics) == (2, 1)
    assert [(one.post_id, one.symbol, one.label, one.shadow_label) for one in found.furthest[:2]] == [
        ("test:1", "ACME", "negative", "positive"),
        ("test:2", WHOLE, "negative", "positive"),
    ]
    assert shadows.compare("new@2", against="older@1").posts == Agreement(1, 1, {("neutral", "neutral"): 1}, 0, 0, 0)
    assert shadows.compare("new@2", since=NOON + timedelta(hours=1)).posts is None
    assert shadows.compare("new@2", limit=0).furthest == ()


def test_spam_takes_one_place_among_the_furthest(shadows: ShadowStore, engine: Engine) -> None:
    PostStore(engine).save([scored(str(n), fingerprint="spam", sentiment=BAD, symbols=()) for n in range(9)], [])
    shadows.save("new@2", [score for n in range(9) for score in answers(str(n), post=GOOD)])
    assert [one.post_id for one in shadows.compare("new@2").furthest] == ["test:0"]


def test_a_shadow_saying_the_same_again_changes_nothing_and_can_be_forgotten(
    shadows: ShadowStore, engine: Engine
) -> None:
    PostStore(engine).save([scored("1", sentiment=BAD)], [])
    shadows.save("new@2", [])
    shadows.save("new@2", answers("1", post=GOOD, symbol=GOOD))
    shadows.save("new@2", answers("1", post=BAD, symbol=BAD))
    found = shadows.compare("new@2")
    assert found.posts is not None
    assert (found.posts.answers, found.posts.same) == (1, 0)
    assert shadows.forget("new@2") == 2
    assert shadows.compare("new@2").posts is None


def test_a_post_that_postgres_cannot_hold_as_it_is_costs_the_shadow_nothing(
    shadows: ShadowStore, engine: Engine
) -> None:
    PostStore(engine).save([scored("1\0", symbols=("AC\0ME",), sentiment=BAD), scored("2", sentiment=BAD)], [])
    of_symbol = ShadowScore("test:1\0", NOON, "AC\0ME", GOOD)
    shadows.save("new@2", [*answers("1\0", post=GOOD, topic="law\0"), of_symbol, *answers("2\ud800"), *answers("2")])
    found = shadows.compare("new@2")
    assert found.posts is not None
    assert found.mentions is not None
    assert (found.posts.answers, found.mentions.answers) == (2, 1)


def test_the_shadows_scores_are_neither_posts_nor_mentions(shadows: ShadowStore, engine: Engine) -> None:
    PostStore(engine).save([scored("1", sentiment=CALM)], [])
    shadows.save("new@2", answers("1", post=BAD, symbol=BAD))
    counts = PostStore(engine).counts("test")
    assert (counts.posts, counts.mentions) == (1, 1)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM negative_posts")).scalar_one() == 0
