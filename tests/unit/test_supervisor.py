"""Workers that end are started again, until there is no point in it."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearometer.errors import Failed
from bearometer.supervisor import Restarts, Supervisor, WorkerStatus
from tests.conditions import wait_until

PYTHON = [sys.executable, "-I", "-S", "-c"]
SLEEP = [*PYTHON, "import time; print('here', flush=True); time.sleep(600)"]
FAIL = [*PYTHON, "import sys; print('going', flush=True); sys.exit('the cause of it')"]
AT_ONCE = Restarts(backoff_seconds=0.0, quick_ends=3)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, {"GREETING": "hello"}, restarts=AT_ONCE, grace_seconds=5.0) as supervisor:
        yield supervisor


def only(supervisor: Supervisor) -> WorkerStatus:
    (status,) = supervisor.workers
    return status


def test_a_worker_sees_our_environment_with_the_given_one_on_top(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREETING", "go away")
    monkeypatch.setenv("NAME", "world")
    script = "import os, time; print(os.environ['GREETING'], os.environ['NAME'], flush=True); time.sleep(600)"
    supervisor.start("stream", [*PYTHON, script])
    log = tmp_path / "logs" / "stream-1.log"
    wait_until(lambda: log.read_text() == "hello world\n")


def test_each_of_several_workers_has_a_name_a_process_and_a_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start("stream", SLEEP, copies=2)
    supervisor.start("alerts", SLEEP)
    assert supervisor.alive() == {"stream-1": True, "stream-2": True, "alerts-1": True}
    assert len({status.pid for status in supervisor.workers}) == 3
    wait_until(lambda: all(status.log.read_text() for status in supervisor.workers))
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {"stream-1.log", "stream-2.log", "alerts-1.log"}


def test_scaling_stops_the_newest_and_starts_what_is_missing(supervisor: Supervisor) -> None:
    supervisor.start("stream", SLEEP, copies=3)
    first = supervisor.workers[0].pid
    supervisor.scale("stream", 1)
    assert supervisor.alive() == {"stream-1": True}
    supervisor.scale("stream", 2)
    assert supervisor.alive() == {"stream-1": True, "stream-2": True}
    assert supervisor.workers[0].pid == first


def test_a_worker_killed_from_outside_starts_again(supervisor: Supervisor) -> None:
    supervisor.start("stream", SLEEP)
    pid = only(supervisor).pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: only(supervisor).pid not in {None, pid})
    assert only(supervisor).starts == 2
    supervisor.check()


def test_being_killed_on_purpose_never_counts_as_a_failure(supervisor: Supervisor) -> None:
    supervisor.start("stream", SLEEP)
    for _ in range(2 * AT_ONCE.quick_ends):
        killed = only(supervisor).pid
        supervisor.kill("stream-1")
        wait_until(lambda killed=killed: only(supervisor).pid not in {None, killed})  # type: ignore[misc]
    assert only(supervisor).starts == 1 + 2 * AT_ONCE.quick_ends
    supervisor.check()


def test_a_worker_that_keeps_ending_is_given_up_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start("stream", FAIL)
    with pytest.raises(Failed, match=r"stream-1 ended 3 times .* with code 1: the cause of it; see .*stream-1\.log"):
        supervisor.wait(30)
    assert supervisor.alive() == {"stream-1": False}
    assert only(supervisor).starts == 3
    assert only(supervisor).log.read_text().count("going") == 3
    with pytest.raises(Failed):
        supervisor.check()


def test_a_worker_that_is_misconfigured_is_given_up_at_once(supervisor: Supervisor) -> None:
    script = "import sys; print('error: `alerts.window` is 7; …', file=sys.stderr); sys.exit(2)"
    supervisor.start("alerts", [*PYTHON, script])
    with pytest.raises(Failed, match=r"alerts-1 cannot work: error: `alerts.window` is 7"):
        supervisor.wait(30)
    assert only(supervisor).starts == 1


def test_other_workers_go_on_when_one_is_given_up(supervisor: Supervisor) -> None:
    supervisor.start("alerts", SLEEP)
    supervisor.start("stream", FAIL)
    with pytest.raises(Failed):
        supervisor.wait(30)
    assert supervisor.alive() == {"alerts-1": True, "stream-1": False}


def test_an_end_after_a_healthy_life_is_no_failure(tmp_path: Path) -> None:
    restarts = Restarts(healthy_seconds=0.0, backoff_seconds=0.0, quick_ends=2)
    with Supervisor(tmp_path, {}, restarts=restarts) as supervisor:
        supervisor.start("stream", [*PYTHON, "pass"])
        wait_until(lambda: only(supervisor).starts > 4)
        supervisor.check()


def test_the_wait_doubles_up_to_a_limit() -> None:
    restarts = Restarts(backoff_seconds=0.5, max_backoff_seconds=3.0)
    assert [restarts.wait_seconds(ends) for ends in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert restarts.wait_seconds(10_000) == 3.0


def test_stopping_does_not_wait_for_a_back_off(tmp_path: Path) -> None:
    restarts = Restarts(backoff_seconds=1_000.0, max_backoff_seconds=1_000.0)
    supervisor = Supervisor(tmp_path, {}, restarts=restarts)
    supervisor.start("stream", FAIL)
    wait_until(lambda: not supervisor.alive()["stream-1"])
    supervisor.stop()
    assert only(supervisor).starts == 1


def test_stopping_one_kind_leaves_the_others(supervisor: Supervisor) -> None:
    supervisor.start("ingest", SLEEP)
    supervisor.start("stream", SLEEP)
    supervisor.stop("ingest")
    assert supervisor.alive() == {"ingest-1": False, "stream-1": True}
    supervisor.stop()
    supervisor.stop()
    assert supervisor.alive() == {"ingest-1": False, "stream-1": False}


def test_a_stubborn_worker_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
    supervisor = Supervisor(tmp_path, {}, grace_seconds=0.2)
    supervisor.start("stream", [*PYTHON, script])
    wait_until(only(supervisor).log.read_text)
    supervisor.stop()
    assert supervisor.alive() == {"stream-1": False}
