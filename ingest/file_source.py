"""A file of posts as a source that goes on where it stopped, and waits for more if it grows."""

import hashlib
import itertools
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from typing import Any

import orjson

from bearometer.clock import Clock
from bearometer.errors import Failed, Misconfigured, Reason, Rejected
from bearometer.settings import IngestSettings
from bearometer.source_settings import FileSettings
from ingest.replay import MAX_LINE_BYTES, ReplaySource
from ingest.rows import FIELDS, parse_row
from ingest.source import RawPost, Unreadable

__all__ = ["FileSource"]

log = logging.getLogger(__name__)

_SLICE_SECONDS = 0.2
_HEAD_BYTES = 256


class FileSource:
    """JSONL or CSV, plain or gzipped; a Resumable. It ends with the file, or `follow`s plain JSONL for ever.

    A followed file that was cut, replaced or moved away is read to what is there of its end, and the new one from its
    start: it is known by its inode and its first 256 bytes.
    Raises Failed when it cannot be opened, Misconfigured when its name says that it is of no format we follow.
    """

    def __init__(self, settings: FileSettings, ingest: IngestSettings, clock: Clock, *, once: bool = False) -> None:
        self.name = settings.name
        self.live = settings.follow
        self.last_error: str | None = None
        self._settings = settings
        self._ingest = ingest
        self._clock = clock
        self._once = once
        self._names = {name: settings.fields.get(name, name) for name in FIELDS}
        self._place = 0
        self._inode: int | None = None
        self._head = b""
        """The first bytes of the followed file, 256 of those before the place at most."""
        self._head_digest: str | None = None
        if settings.follow and not settings.path.name.endswith((".jsonl", ".ndjson", ".json")):
            message = f"{settings.path} cannot be followed; only plain JSONL can, named .jsonl, .ndjson or .json"
            raise Misconfigured(message)

    @property
    def cursor(self) -> str | None:
        """Rows given, or for a followed file bytes read and which file that was."""
        if not self._place:
            return None
        which = {"inode": self._inode, "head": self._head_digest} if self._settings.follow else {}
        return orjson.dumps({"v": 1, self._unit: self._place, **which}).decode()

    @property
    def _unit(self) -> str:
        return "bytes" if self._settings.follow else "rows"

    def resume(self, cursor: str | None) -> None:
        """Go on from a stored cursor."""
        try:
            stored = orjson.loads(cursor or "{}")
            place = stored.get(self._unit, 0)
            self._inode, self._head_digest = stored.get("inode"), stored.get("head")
        except (orjson.JSONDecodeError, AttributeError):
            place = None
        if not isinstance(place, int) or place < 0:
            log.warning("%s: the stored place cannot be read; starting anew", self.name)
            place = 0
        self._place = place

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """Every row behind the place once, in the order of the file."""
        rows = self._followed() if self._settings.follow else self._whole()
        for row in rows:
            if isinstance(row, RawPost) and self._settings.symbols:
                yield replace(row, symbols=tuple(dict.fromkeys((*self._settings.symbols, *row.symbols))))
            else:
                yield row

    def _whole(self) -> Iterator[RawPost | Unreadable]:
        names = dict(self._settings.fields)
        source = ReplaySource(self._settings.path, self._ingest, self._clock, name=self.name, field_map=names)
        for row in itertools.islice(source.read(), self._place, None):
            if source.truncated:  # the row that says so is none of the file's: once it is mended, another is there
                raise Failed(source.truncated)
            if row is not None:
                self._place += 1
                yield row

    def _followed(self) -> Iterator[RawPost | Unreadable | None]:
        while True:
            try:
                with self._settings.path.open("rb") as file:
                    yield from self._grown(file)
            except FileNotFoundError:
                self.last_error = f"{self._settings.path} is not there"
            except OSError as error:
                self.last_error = f"{self._settings.path} cannot be read: {(error.strerror or str(error)).lower()}"
            if self._once:
                if self.last_error:
                    raise Failed(self.last_error)
                return
            yield from self._pause()

    def _pause(self) -> Iterator[None]:
        self._clock.sleep(_SLICE_SECONDS)
        yield None

    def _grown(self, file: BufferedReader) -> Iterator[RawPost | Unreadable | None]:
        """What is written to this open file, until another one has its path."""
        while True:
            yield from self._lines(file)
            self.last_error = None
            if self._once:
                return
            yield from self._pause()
            try:
                there = self._settings.path.stat().st_ino
            except FileNotFoundError:  # moved away, and the new one is not made yet
                continue
            if there != self._inode:
                yield from self._lines(file)  # what was written up to then
                return

    def _recognise(self, file: BufferedReader) -> None:
        """Begin at the start of a file that is not the one whose place we have."""
        size, inode = file.seek(0, 2), os.fstat(file.fileno()).st_ino
        file.seek(0)
        self._head = file.read(min(_HEAD_BYTES, self._place))
        is_same = self._head_digest is None or (inode, _digest(self._head)) == (self._inode, self._head_digest)
        if self._place and (size < self._place or not is_same):
            log.warning("%s: %s is shorter or another file than before; read from its start", self.name, file.name)
            self._place, self._head = 0, b""
        self._inode, self._head_digest = inode, _digest(self._head)

    def _lines(self, file: BufferedReader) -> Iterator[RawPost | Unreadable]:
        """Whole lines only: one without its end is still being written."""
        self._recognise(file)
        file.seek(self._place)
        while line := file.readline(MAX_LINE_BYTES):
            start, self._place = self._place, self._place + len(line)
            if not line.endswith(b"\n"):
                if len(line) < MAX_LINE_BYTES:
                    self._place = start
                    return
                while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                    self._place += len(rest)
                self._place += len(rest)
            if len(self._head) < _HEAD_BYTES:
                self._head = (self._head + line)[:_HEAD_BYTES]
                self._head_digest = _digest(self._head)
            position = f"{self._settings.path.name}, byte {start}"
            if len(line) >= MAX_LINE_BYTES:
                yield Unreadable(position, Reason.UNDECODABLE, f"a line of more than {MAX_LINE_BYTES} bytes")
            elif line.strip():
                yield self._row(line, position)

    def _row(self, line: bytes, position: str) -> RawPost | Unreadable:
        try:
            row: Any = orjson.loads(line)
            if not isinstance(row, dict):
                return Unreadable(position, Reason.UNDECODABLE, "not a JSON object")
            return parse_row(row, self._names, position)
        except orjson.JSONDecodeError as error:
            return Unreadable(position, Reason.UNDECODABLE, str(error))
        except Rejected as error:
            return Unreadable(position, error.reason, error.detail)


def _digest(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=8).hexdigest()
