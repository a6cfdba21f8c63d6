"""Whose word or decision it is."""

import getpass

from bearometer.errors import Misconfigured
from bearometer.terminal import plain

__all__ = ["find_person"]

MAX_NAME = 100


def find_person(given: str | None) -> str:
    """The name given with --who, or the login name, fit for a terminal and of 100 characters at most.

    Misconfigured when nothing is left of it, and when a container's user has none.
    """
    try:
        person = plain(given if given is not None else getpass.getuser(), MAX_NAME)
    except (KeyError, OSError):
        person = ""
    if not person:
        message = "nobody knows who you are: say it with --who"
        raise Misconfigured(message)
    return person
