"""A child process and the guard between us and it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bearometer.child import Child, last_line
from tests.conditions import is_gone, wait_until

PYTHON = [sys.executable, "-I", "-S", "-c"]
SLEEP = [*PYTHON, "import time; print('here', flush=True); time.sleep(600)"]
STUBBORN = [
    *PYTHON,
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
]


def has_said(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text()


def guard_of(child: Child) -> int:
    return int(Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_a_child_writes_to_its_log_and_gives_its_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child([*PYTHON, "import sys; print('a'); print('b', file=sys.stderr); sys.exit(7)"], log)
    assert child.wait(10) == 7
    assert sorted(log.read_text().split()) == ["a", "b"]
    child.stop()


def test_a_child_gets_the_environment_it_is_given_and_no_standard_input(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "import os, sys; print(os.environ['GREETING'], repr(sys.stdin.read()))"
    child = Child([*PYTHON, script], log, environment={"GREETING": "hello"})
    assert child.wait(10) == 0
    assert log.read_text() == "hello ''\n"
    child.stop()


def test_a_child_stops_by_the_signal_chosen_for_it(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(3));"
        "print('here', flush=True); time.sleep(600)"
    )
    child = Child([*PYTHON, script], tmp_path / "log", stop_signal=signal.SIGINT)
    wait_until(lambda: has_said(tmp_path / "log", "here"))
    child.stop()
    assert child.ended() == 3


def test_a_child_that_ignores_its_signal_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    child = Child(STUBBORN, tmp_path / "log", grace_seconds=0.2)
    wait_until(lambda: has_said(tmp_path / "log", "here"))
    child.stop()
    assert child.ended() == 128 + signal.SIGKILL
    assert is_gone(child.pid)


def test_a_child_stopped_right_after_its_start_does_not_miss_the_signal(tmp_path: Path) -> None:
    for _ in range(10):
        child = Child(SLEEP, tmp_path / "log")
        child.stop()
        assert child.ended() == 128 + signal.SIGTERM


def test_a_killed_child_is_gone_when_kill_returns(tmp_path: Path) -> None:
    child = Child(SLEEP, tmp_path / "log")
    child.kill()
    assert is_gone(child.pid)
    assert child.ended() == 128 + signal.SIGKILL
    child.kill()
    child.stop()


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(600)']);"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    log = tmp_path / "log"
    child = Child([*PYTHON, script], log)
    wait_until(lambda: log.read_text().strip())
    grandchild = int(log.read_text())
    child.kill()
    wait_until(lambda: is_gone(grandchild))


def test_a_command_that_does_not_exist_ends_at_once_and_says_so(tmp_path: Path) -> None:
    child = Child(["/nowhere/at/all"], tmp_path / "log")
    assert child.wait(10) == 127
    assert last_line(tmp_path / "log") == "error: cannot run /nowhere/at/all: No such file or directory"
    child.stop()


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(Child(SLEEP, tmp_path / "log")))
    thread.start()
    thread.join()
    assert children[0].wait(0.5) is None
    children[0].stop()


def test_a_child_ends_when_its_guard_is_killed(tmp_path: Path) -> None:
    child = Child(SLEEP, tmp_path / "log")
    os.kill(guard_of(child), signal.SIGKILL)
    wait_until(lambda: is_gone(child.pid))
    child.stop()


def test_a_child_ends_when_its_guard_is_told_to_end(tmp_path: Path) -> None:
    child = Child(SLEEP, tmp_path / "log")
    os.kill(guard_of(child), signal.SIGTERM)
    assert child.wait(10) == 128 + signal.SIGTERM
    child.stop()


@pytest.mark.parametrize("fork_holds_the_pipe", [False, True])
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, fork_holds_the_pipe: bool) -> None:
    """Also a stubborn one, and although a fork of the parent, which has copies of its open files, lives on."""
    script = f"""
import os, sys, time
from pathlib import Path
from bearometer.child import Child
child = Child({STUBBORN!r}, Path({str(tmp_path / "log")!r}), grace_seconds=0.2)
if {fork_holds_the_pipe} and os.fork() == 0:
    time.sleep(5)
    os._exit(0)
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        wait_until(lambda: has_said(tmp_path / "log", "here"))
        parent.kill()
        wait_until(lambda: is_gone(pid), seconds=4)


def test_ctrl_c_in_the_terminal_does_not_reach_a_child(tmp_path: Path) -> None:
    child = Child(SLEEP, tmp_path / "log")
    wait_until(lambda: has_said(tmp_path / "log", "here"))
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert os.getsid(child.pid) != os.getsid(0)
    child.stop()


def test_the_last_line_is_safe_to_print_and_short(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n\x1b[31mred\xff" + b"x" * 20_000 + b"\n\n  \n")
    line = last_line(log)
    assert "\x1b" not in line
    assert len(line) <= 500
    assert last_line(tmp_path / "none") == "(no log)"
    (tmp_path / "empty").touch()
    assert last_line(tmp_path / "empty") == "(it said nothing)"
