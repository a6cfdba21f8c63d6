"""What `bearometer models promote` makes of the stream workers that it waits for, on a clock moved by hand."""

from datetime import timedelta
from typing import Any

import pytest

from bearometer.clock import ManualClock
from bearometer.commands import models
from bearometer.errors import Failed
from bearometer.registry import ModelChoice, ModelState, ModelVersion, WorkerReport
from bearometer.settings import Settings
from tests.fakes import NOON
from tests.registry_fakes import make_version


class SeenWorkers:
    """The registry as far as waiting needs it: workers, each with the second of its last report."""

    def __init__(self, clock: ManualClock, active: ModelVersion) -> None:
        self.clock = clock
        self.active = active
        self.seen: list[tuple[float, WorkerReport]] = []

    def workers(self, seen_within_seconds: float) -> list[WorkerReport]:
        since = self.clock.monotonic() - seen_within_seconds
        return [worker for at, worker in self.seen if at >= since]

    def chosen(self) -> ModelChoice:
        return ModelChoice(active=self.active)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock(NOON)
    monkeypatch.setattr("bearometer.clock.SystemClock", lambda: clock)
    return clock


@pytest.fixture
def store(clock: ManualClock, tmp_path: Any) -> SeenWorkers:
    return SeenWorkers(clock, make_version("new", tmp_path, ModelState.ACTIVE))


def wait(store: Any, seconds: float = 60.0) -> None:
    models._wait_for_workers(models._Registry(Settings(), store, store), "new@newnew", seconds)


def test_a_worker_that_falls_silent_while_it_loads_is_waited_for(store: SeenWorkers) -> None:
    store.seen.append((0.0, WorkerReport("box:1", "old@1", wanted="old@1")))
    with pytest.raises(Failed, match="1 stream workers have not looked within 60 s: box:1"):
        wait(store)
    assert store.clock.monotonic() >= 60


def test_a_worker_that_was_silent_for_long_before_is_gone(
    store: SeenWorkers, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    store.seen.append((0.0, WorkerReport("box:1", "old@1", wanted="old@1")))
    clock.advance(timedelta(minutes=5))
    wait(store)
    assert "no stream worker that follows the registry is running" in capsys.readouterr().out


def test_a_worker_that_switched_counts_although_it_has_fallen_silent_since(
    store: SeenWorkers, capsys: pytest.CaptureFixture[str]
) -> None:
    store.seen.append((0.0, WorkerReport("box:1", "new@newnew", wanted="new@newnew")))
    store.seen.append((0.0, WorkerReport("box:2", "old@1", wanted="old@1")))
    with pytest.raises(Failed, match="1 stream workers have not looked within 60 s: box:2"):
        wait(store)
    assert "1 of 2 stream workers have switched" in capsys.readouterr().out


def test_another_promotion_meanwhile_ends_the_waiting(store: SeenWorkers, tmp_path: Any) -> None:
    store.seen.append((0.0, WorkerReport("box:1", "old@1", wanted="old@1")))
    store.active = make_version("other", tmp_path, ModelState.ACTIVE)
    with pytest.raises(Failed, match="the registry was changed meanwhile: other@otherother is active now"):
        wait(store)
    assert store.clock.monotonic() < 60
