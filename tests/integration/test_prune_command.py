"""`bearometer prune` against a real Postgres: what is old is gone, what is needed is there, and the workers go on."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import typer
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from bearometer.alert import AlertState
from bearometer.commands.prune import register
from bearometer.correction import Correction
from bearometer.errors import Misconfigured, Transient
from bearometer.mention import WHOLE, Scored
from bearometer.registry import ShadowScore
from storage import partitions, retention
from storage.alerts import AlertStore
from storage.feedback import FeedbackStore
from storage.posts import PostStore
from storage.retention import Pruned, prune
from storage.shadow import ShadowStore
from tests.stored_alerts import HOUR, alert, delivery
from tests.stored_samples import BAD, scored

OLD = datetime(2024, 1, 31, 23, 59, 59, tzinfo=UTC)
EDGE = datetime(2024, 2, 1, tzinfo=UTC)
NEW = datetime(2024, 3, 5, tzinfo=UTC)
BEFORE = datetime(2024, 2, 20, tzinfo=UTC)
"""In the middle of a month: all of that month stays."""

Run = Callable[..., str]


@pytest.fixture
def run(database_url: str) -> Run:
    app = typer.Typer()
    app.command("other")(lambda: None)
    register(app)

    def run(*arguments: str, **settings: str) -> str:
        environment = {"BEAROMETER_POSTGRES__URL": database_url, **settings}
        result = CliRunner(env=environment).invoke(app, ["prune", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def counts(engine: Engine) -> dict[str, int]:
    tables = ("posts", "mentions", "post_ids", "shadow_scores", "labels", "alerts", "deliveries", "alert_actions")
    with engine.connect() as connection:
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}


def store_all(engine: Engine, moments: tuple[datetime, ...] = (OLD, EDGE, NEW)) -> list[Scored]:
    """Of each moment a post, what was said of it, and an alert that was over then, with a message and an action."""
    posts = [scored(f"{moment:%m-%d}", published_at=moment) for moment in moments]
    PostStore(engine).save(posts, [])
    FeedbackStore(engine).save(
        [Correction(one.post.id, WHOLE, "judge", "negative", one.post.text, one.post.fingerprint) for one in posts]
    )
    ShadowStore(engine).save("m1", [ShadowScore(one.post.id, one.post.published_at, WHOLE, BAD) for one in posts])
    store = AlertStore(engine)
    over = [alert(f"over-{moment:%m-%d}", AlertState.RESOLVED, moment - 2 * HOUR) for moment in moments]
    others = [
        alert("firing", AlertState.FIRING, moments[0]),
        replace(alert("untold", AlertState.RESOLVED, moments[0]), fired_at=moments[0]),
    ]
    lease = store.acquire_lease()
    assert lease is not None
    lease.commit(None, [*over, *others], [delivery(each) for each in (*over, *others)])
    for each in over:
        lease.commit(None, [], [], [store.request(each.id, "resolve", "ann", "")])
    lease.release()
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET status = 'sent' WHERE alert_id <> 'untold'"))
    return posts


def test_what_is_old_goes_by_whole_months_and_the_rest_stays(engine: Engine) -> None:
    old, edge, new = store_all(engine)
    everything = retention.TABLES[:3]
    expected = Pruned(months=("2024-01",), post_ids=1, shadow_scores=1, alerts=2, messages=2)

    before = counts(engine)
    assert prune(engine, BEFORE, everything, dry_run=True) == expected
    assert counts(engine) == before
    assert prune(engine, BEFORE, everything) == expected

    assert counts(engine) == {
        "posts": 2,
        "mentions": 2,
        "post_ids": 2,
        "shadow_scores": 2,
        "labels": 3,
        "alerts": 3,
        "deliveries": 3,
        "alert_actions": 1,
    }
    assert set(PostStore(engine).find([old.post.id, edge.post.id, new.post.id])) == {edge.post.id, new.post.id}
    assert {one.id for one in AlertStore(engine).alerts()} == {"over-03-05", "firing", "untold"}
    assert prune(engine, BEFORE, everything) == Pruned()


def test_labels_go_only_where_they_are_named(engine: Engine) -> None:
    store_all(engine)

    assert prune(engine, datetime.now(UTC) + HOUR, ["labels"]) == Pruned(labels=3)
    assert counts(engine)["labels"] == 0
    assert counts(engine)["posts"] == 3


def test_a_running_worker_stores_on_and_a_late_post_is_stored_once(engine: Engine) -> None:
    worker = PostStore(engine)
    worker.save([scored("1", published_at=OLD), scored("2", published_at=NEW)], [])

    prune(engine, BEFORE, ["posts"])
    with pytest.raises(Transient, match="to be tried again"):
        worker.save([scored("3", published_at=OLD)], [])
    assert [one.post.id for one in worker.save([scored("3", published_at=OLD)], [])] == ["test:3"]

    # Its id stays as long as its row does: without, the same post again would stop the worker.
    with engine.connect() as connection:
        assert connection.execute(retention.COUNT_IDS, {"before": EDGE}).scalar_one() == 1
    assert retention._forget_ids(engine, EDGE, dry_run=False) == 0
    assert [one.post.id for one in worker.save([scored("3", published_at=OLD)], [])] == ["test:3"]
    assert counts(engine)["posts"] == 2


def test_ids_are_gone_through_page_by_page_and_none_is_missed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "IDS_PER_LOOK", 3)
    monkeypatch.setattr(retention, "ROWS_PER_DELETE", 2)
    moments = [OLD - timedelta(days=100 * number) for number in range(8)]
    posts = [scored(str(number), published_at=moment) for number, moment in enumerate([*moments, EDGE, NEW])]
    PostStore(engine).save(posts, [])
    ShadowStore(engine).save("m1", [ShadowScore(one.post.id, one.post.published_at, WHOLE, BAD) for one in posts])

    found = prune(engine, BEFORE, ["posts", "shadow"])

    assert (found.post_ids, found.shadow_scores, len(found.months)) == (8, 8, 8)
    assert list(found.months) == sorted(found.months)
    assert counts(engine) | {"labels": 0} == dict.fromkeys(counts(engine), 0) | {
        "posts": 2,
        "mentions": 2,
        "post_ids": 2,
        "shadow_scores": 2,
    }


def test_a_month_that_stays_in_use_is_left_and_the_next_call_finishes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT_SECONDS", 1)
    store_all(engine)
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM mentions"))
        with pytest.raises(Transient, match="lock timeout"):
            prune(engine, BEFORE, ["posts"])
        assert counts(engine)["posts"] == counts(engine)["mentions"] == counts(engine)["post_ids"] == 3

    assert prune(engine, BEFORE, ["posts"]) == Pruned(months=("2024-01",), post_ids=1)


def test_killed_between_the_months_and_their_ids_the_next_call_finishes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_all(engine)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(retention, "_forget_ids", lambda *_, **__: 1 / 0)
        prune(engine, BEFORE, ["posts"])

    # The ids alone bring nothing back and stop nothing.
    assert PostStore(engine).save([scored("01-31", published_at=OLD)], []) == []
    assert prune(engine, BEFORE, ["posts"]).post_ids == 1


def test_posts_stored_beside_it_are_all_there(engine: Engine) -> None:
    store_all(engine)
    stored: list[str] = []

    def work() -> None:
        worker = PostStore(engine)
        for number in range(60):
            batch = [scored(f"w{number}-{month}", published_at=NEW.replace(month=month)) for month in (1, 3)]
            while True:
                try:
                    worker.save(batch, [])
                    break
                except Transient:
                    continue
            stored.append(batch[1].post.id)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        prune(engine, BEFORE, ["posts"])
    thread.join()

    assert len(stored) == 60
    assert set(PostStore(engine).find(stored)) == set(stored)


def test_the_command_says_what_it_drops_and_keeps_what_alerts_need(run: Run, engine: Engine) -> None:
    store_all(engine)
    days = (datetime.now(UTC) - BEFORE).days

    output = run("--keep", f"{days}d", "--dry-run")
    assert "would be dropped, as older than 2024-02-2" in output
    assert "1 months of posts and mentions: 2024-01 to 2024-01" in output
    assert "labels" not in output

    lease = AlertStore(engine).acquire_lease()
    assert lease is not None
    lease.commit(NEW, [], [])  # ninety days before that, everything is of use
    lease.release()
    output = run(BEAROMETER_POSTGRES__KEEP_DAYS=str(days))
    assert output.splitlines()[0].startswith("alerts still look back to 2023-11-")
    assert counts(engine)["posts"] == 3
    assert "0 months" in output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--keep", "30d"), r"30 days are too few to keep: alerts look back on 90 \(`alerts.history_days`\)"),
        (("--keep", "30d", "--table", "alerts"), "too few"),
        (("--keep", "soon"), "--keep is 'soon'"),
        ((), "postgres.keep_days"),
    ],
)
def test_what_alerts_need_or_nobody_said_is_refused(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(Misconfigured, match=problem):
        run(*arguments)
