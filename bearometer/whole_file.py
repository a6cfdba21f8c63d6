"""A file that is whole or not there: written under another name, then put in its place."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bearometer.errors import Misconfigured
from bearometer.terminal import plain

__all__ = ["written_whole"]


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name to write under; at the end the file gets its own. An error leaves no half file, an old one as it was.

    A device or a pipe is written to as it is. Misconfigured when the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a device or a pipe: nothing to keep whole
            yield path
            return
        path = path.resolve()  # through a link, not over it
        part = path.with_name(f".{path.name}.part")
    except (OSError, ValueError) as error:
        message = f"{plain(str(path))} cannot be written: {error}"
        raise Misconfigured(message) from error
    try:
        yield part
        part.replace(path)
    except OSError as error:
        message = f"{plain(str(path))} cannot be written: {error.strerror or error}"
        raise Misconfigured(message) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
