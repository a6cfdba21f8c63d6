"""The error tree: an error's base class decides its fate.

BearometerError
├── Transient          try again later, with back-off: a server is away, a rate limit was hit
│   ├── Unavailable    a server does not answer, or refuses the password
│   └── WindowsLost    Redis came back empty: rebuild the windows from Postgres first
├── Rejected           this one input can never be used: count it or dead-letter it, and go on
├── Misconfigured      a person must change a setting: one line, exit code 2
│   └── MissingExtra   a person must install an optional dependency
└── Failed             a command could not do what it was asked to: one line, exit code 1

Anything else is a defect and stops the process loudly.
"""

from enum import StrEnum

__all__ = [
    "BearometerError",
    "Failed",
    "Misconfigured",
    "MissingExtra",
    "Reason",
    "Rejected",
    "Transient",
    "Unavailable",
    "WindowsLost",
]


class Reason(StrEnum):
    """Why an input was rejected: the code that is counted, logged and kept with a dead letter."""

    UNDECODABLE = "undecodable"
    """Not JSON, not UTF-8, or not of a shape that we know."""
    NO_TEXT = "no_text"
    """Nothing to read once links and white space are taken away."""
    TOO_LONG = "too_long"
    BAD_ID = "bad_id"
    BAD_TIME = "bad_time"
    """Unreadable, without a time zone where one is needed, or outside the allowed years."""
    UNSCORABLE = "unscorable"
    """The classifier gave no usable probabilities."""


class BearometerError(Exception):
    """Anything that Bearometer raises on purpose; its text is one line that a person can act on."""


class Transient(BearometerError):
    """Raised when the same call may succeed later; `retry_after_seconds` is the other side's own wish."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Transient):
    """Raised when the broker, Postgres, Redis or a notifier cannot be reached or refuses us."""


class WindowsLost(Transient):
    """Raised when Redis lacks the marker that says its windows are complete."""


class Rejected(BearometerError):
    """Raised when one input can never be used; `reason` says why, `detail` what exactly."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Misconfigured(BearometerError):
    """Raised when a setting or an option is wrong; the text names it, its value and what is allowed."""


class MissingExtra(Misconfigured):
    """Raised when an optional dependency is not installed; the text says how to install it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"`{package}` is missing: pip install 'bearometer[{extra}]'")


class Failed(BearometerError):
    """Raised when a command could not do what it was asked to."""
