"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

__all__ = ["WaitUntil", "is_gone", "wait_until"]

Answer = TypeVar("Answer")
POLL_SECONDS = 0.02


class WaitUntil(Protocol):
    def __call__(self, condition: Callable[[], Answer], seconds: float = 15.0, what: str = "") -> Answer: ...


def wait_until(condition: Callable[[], Answer], seconds: float = 15.0, what: str = "") -> Answer:
    """Ask until the answer is true and give it; fail with `what` when the time is over.

    The deadline is generous on purpose: it is reached only when something is broken.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            message = f"after {seconds:g} s it still does not hold that {what or condition}; last answer: {answer!r}"
            raise AssertionError(message)
        time.sleep(POLL_SECONDS)
    return answer


def is_gone(pid: int) -> bool:
    """Whether no such process runs; one that ended and was not waited for yet counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
