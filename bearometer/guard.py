"""Runs one command, and ends it when the process that wanted it is gone: a script, standard library only.

    python -I -S guard.py REPORT_FD STOP_SIGNAL GRACE_SECONDS USER:GROUP COMMAND …

Standard input is a pipe whose other end the wanting process holds and never writes a stop to: its end of file *is*
the request to stop, so that a process killed with -9 asks for it too, whichever of its threads started us. (The
kernel's own PR_SET_PDEATHSIG alone would not do: it fires when the starting thread ends, and it is cleared by setuid.)
A byte `k` kills the command at once. The command's process id is written to REPORT_FD; its exit code is ours, 128 + n
when signal n killed it. `USER:GROUP` are numbers, or `-` to stay who we are.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PARENT_CHECK_SECONDS = 1.0
WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> int:
    """Run the command that the arguments name until it ends or is not wanted any more; gives its exit code."""
    report_fd, stop_signal = int(sys.argv[1]), signal.Signals(int(sys.argv[2]))
    grace_seconds, user, command = float(sys.argv[3]), sys.argv[4], sys.argv[5:]
    os.set_inheritable(report_fd, False)
    signals = watch_signals()
    guard = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # or the command, not yet itself, would swallow an early stop
    pid = os.fork()
    if pid == 0:
        run_command(command, user, stop_signal, guard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    os.write(report_fd, str(pid).encode())
    os.close(report_fd)
    return wait_for_end(pid, signals, stop_signal, grace_seconds)


def watch_signals() -> int:
    """Give a file descriptor that becomes readable when the command ends or somebody signals us."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in WATCHED:
        signal.signal(number, lambda *_: None)
    return reading


def run_command(command: list[str], user: str, stop_signal: signal.Signals, guard: int) -> None:
    """Become the command; never returns."""
    try:
        for number in (*WATCHED, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.setpgid(0, 0)
        if user != "-":
            user_id, group_id = (int(part) for part in user.split(":"))
            os.setgroups([])
            os.setgid(group_id)
            os.setuid(user_id)
            os.umask(0o077)
        if sys.platform == "linux":  # after setuid, which clears it: should the guard itself be killed with -9
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() == guard:
            os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"error: cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def wait_for_end(pid: int, signals: int, stop_signal: signal.Signals, grace_seconds: float) -> int:
    """Watch the command and its wanter; stop the first when the second is gone or asks for it."""
    wanter = os.getppid()
    watched = [0, signals]
    deadline: float | None = None
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        remaining = PARENT_CHECK_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select(watched, [], [], min(PARENT_CHECK_SECONDS, remaining))
        unwanted = os.getppid() != wanter  # a copy of the pipe may live on in a fork of the wanter
        if signals in readable and set(os.read(signals, 1024)) - {int(signal.SIGCHLD)}:
            unwanted = True
        if 0 in readable:
            order = os.read(0, 1)
            if order == b"k":
                os.kill(pid, signal.SIGKILL)
            elif not order:
                watched.remove(0)
                unwanted = True
        if unwanted and deadline is None:
            os.kill(pid, stop_signal)
            deadline = time.monotonic() + grace_seconds
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
    return reap(pid)


def reap(pid: int) -> int:
    """Take the ended command's exit code, after killing what it left of its own process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
