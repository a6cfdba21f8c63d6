"""Kill anything, at any moment: nothing is lost, nothing counts twice, no alert is missed or sent again."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bearometer.alert import NotificationReason
from bearometer.clock import SystemClock
from bearometer.errors import WindowsLost
from bearometer.post import topic_key
from bearometer.replay import Published, Watcher, publish_source
from bearometer.stack import Stack, start_stack
from bearometer.window import Bucket
from ingest.replay import ReplaySource
from ingest.scenario import ScenarioSummary, write_scenario
from storage.memory import MemoryWindowStore
from storage.windows import WindowStore
from tests.conditions import wait_until
from tests.receivers import SlackReceiver

END = datetime(2026, 3, 16, tzinfo=UTC)
KILLS = 10


@pytest.fixture
def slack() -> Iterator[SlackReceiver]:
    with SlackReceiver() as receiver:
        yield receiver


@pytest.mark.timeout(900)
def test_whatever_is_killed_every_post_counts_once_and_every_alert_comes_once(
    run_dir: Path, slack: SlackReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEAROMETER_SLACK__WEBHOOK_URL", slack.url)
    monkeypatch.setenv("BEAROMETER_STREAM__BATCH_SIZE", "16")
    file = tmp_path / "posts.jsonl"
    story = write_scenario(file, "product-recall", 7, END)
    clock = SystemClock()
    with start_stack(run_dir, clock, stream_workers=2) as stack:
        source = ReplaySource(file, stack.settings.ingest, clock, name="demo")
        published = publish_source(source, stack.settings, clock, lambda _: None)
        kill_stream_workers(stack, published)
        stack.workers.kill("alerts-1")
        stack.servers.redis.kill()
        stack.servers.redis.start()
        Watcher(stack.settings, *stack.stores, clock).wait(published, lambda _: None, stack.workers.wait)
        evaluations = count_evaluations(stack)
        stack.workers.kill("alerts-1")
        wait_until(lambda: count_evaluations(stack) > evaluations, 60, "alerts are looked for again")

        assert stack.posts.counts("demo").posts == story.posts == published.report.published
        wait_until(lambda: has_all_windows(stack), 60, "Redis has its windows again")
        assert redis_buckets(stack) == recounted_buckets(stack)
        assert_every_alert_came_once(stack, story, slack)


def kill_stream_workers(stack: Stack, published: Published) -> None:
    """Kill one worker or the other, KILLS times, each time after some more was stored."""
    chance = random.Random(11)
    total = sum(published.next_offsets.values())

    def done() -> int:
        return sum(step.next_offset for step in stack.posts.progress(stack.settings.kafka.topic))

    for _ in range(KILLS):
        goal = done() + chance.randint(1, total // (2 * KILLS))
        wait_until(lambda goal=goal: done() >= goal, 60, "the stream goes on")  # type: ignore[misc]
        stack.workers.kill(chance.choice(["stream-1", "stream-2"]))
    assert done() < total, "the posts ran out before the kills did"


def count_evaluations(stack: Stack) -> int:
    """How often an alert worker has begun to evaluate."""
    return (stack.run_dir / "logs" / "alerts-1.log").read_text().count("evaluating from")


def has_all_windows(stack: Stack) -> bool:
    try:
        return bool(WindowStore(stack.settings.redis).symbols())
    except WindowsLost:
        return False


def redis_buckets(stack: Stack) -> list[Bucket]:
    windows = WindowStore(stack.settings.redis)
    return all_buckets(windows)


def recounted_buckets(stack: Stack) -> list[Bucket]:
    windows = MemoryWindowStore()
    for scored in stack.posts.stored_since(datetime(2000, 1, 1, tzinfo=UTC)):
        windows.add(scored)
    return all_buckets(windows)


def all_buckets(windows: WindowStore | MemoryWindowStore) -> list[Bucket]:
    names = sorted([*windows.symbols(), *map(topic_key, windows.topics())])
    return [bucket for name in names for bucket in windows.buckets(name, END - timedelta(days=15), END)]


def assert_every_alert_came_once(stack: Stack, story: ScenarioSummary, slack: SlackReceiver) -> None:
    alerts = stack.alerts.alerts()
    assert [alert.symbol for alert in alerts] == [story.crisis_symbol]
    assert alerts[0].resolved_at is not None
    told = Counter(message["text"] for message in slack.accepted)
    queued = [message for message in stack.alerts.messages_of(alerts[0].id) if message.notifier == "slack"]
    assert [queued[0].reason, queued[-1].reason] == [NotificationReason.FIRING, NotificationReason.RESOLVED]
    assert len(told) == len(queued), told
    assert set(told.values()) == {1}, told
    assert not slack.refused
