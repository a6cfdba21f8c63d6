"""Times and lengths of time as people type them."""

import re
from datetime import UTC, datetime, timedelta

from bearometer.errors import Misconfigured
from bearometer.terminal import plain

__all__ = ["read_length", "read_time"]

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw])")
LONGEST = timedelta(days=3660)


def read_length(option: str, text: str) -> timedelta:
    """A length such as `90s`, `30m`, `2h`, `1h30m`, `7d` or `2w`; more than nothing, ten years at most.

    Misconfigured, naming the option, when it is none.
    """
    wanted = text.strip().lower()
    parts = PART.findall(wanted)
    length = sum((timedelta(**{UNITS[unit]: float(number)}) for number, unit in parts), timedelta())
    if "".join(number + unit for number, unit in parts) != wanted or not timedelta() < length <= LONGEST:
        message = (
            f"{option} is {plain(text, 40)!r}; it must be a length such as 30m, 2h, 1h30m or 7d, ten years at most"
        )
        raise Misconfigured(message)
    return length


def read_time(option: str, text: str) -> datetime:
    """A moment in ISO 8601, in UTC unless it says otherwise. Misconfigured, naming the option, when it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = f"{option} is {plain(text, 40)!r}; it must be a time such as 2015-10-14T21:00 (UTC)"
        raise Misconfigured(message) from None
