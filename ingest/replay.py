"""Posts from a file, in the rhythm in which they were written or faster."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import orjson

from bearometer.clock import Clock
from bearometer.errors import Failed, Misconfigured, Reason, Rejected
from bearometer.settings import IngestSettings
from ingest.normalise import allowed_time
from ingest.rows import FIELDS, parse_row
from ingest.source import RawPost, Unreadable

__all__ = ["ReplaySource"]

MAX_LINE_BYTES = 16_000_000
"""A longer line is skipped without being held in memory."""

_SLICE_SECONDS = 0.2
_DUE_SECONDS = 0.001
"""A wait shorter than this is over: a clock may have no finer ticks."""
_BOM = b"\xef\xbb\xbf"


class ReplaySource:
    """A JSONL or CSV file, plain or gzipped, as a source that ends.

    `field_map` says what the file calls our FIELDS (see `rows.py`); `speed` 1 is as it happened, 60 an hour in a
    minute, None as fast as it can be read. With `sort` the file is read whole first, and posts come in order of
    time. Times without a zone are taken as UTC. Raises Failed when the file cannot be opened, Misconfigured when
    it is neither JSONL nor CSV or a mapped column is not there.
    """

    live = False

    def __init__(
        self,
        path: Path,
        settings: IngestSettings,
        clock: Clock,
        *,
        name: str | None = None,
        speed: float | None = None,
        field_map: dict[str, str] | None = None,
        sort: bool = False,
    ) -> None:
        if speed is not None and not speed > 0:
            message = f"`--speed` is {speed:g}; it must be more than 0, or `max`"
            raise Misconfigured(message)
        self.path = path
        self.name = name or path.name.split(".")[0] or "replay"
        self._settings = settings
        self._clock = clock
        self._speed = speed
        self._sort = sort
        self._names = {ours: (field_map or {}).get(ours, ours) for ours in FIELDS}
        self._format = _format(path)
        self.truncated: str | None = None
        """What was wrong with the file after the last row that could be read, if something was."""
        try:
            with path.open("rb") as file:
                file.read(1)
            self.bytes_total = path.stat().st_size
        except OSError as error:
            message = f"{path} cannot be read: {(error.strerror or str(error)).lower()}"
            raise Failed(message) from None
        self.bytes_read = 0
        """How much of the file, as it lies on the disk, was read: `bytes_read / bytes_total` is the progress."""

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """Every row once, in the order of the file (of time, with `sort`); None while the next one is not due."""
        rows = self._in_order() if self._sort else self._rows()
        if self._speed is None:
            yield from rows
        else:
            yield from self._paced(rows, self._speed)

    def _in_order(self) -> Iterator[RawPost | Unreadable]:
        posts: list[RawPost] = []
        for row in self._rows():
            if isinstance(row, RawPost):
                posts.append(row)
            else:
                yield row
        yield from sorted(posts, key=lambda post: post.published_at.timestamp() if post.published_at else -1e18)

    def _paced(self, rows: Iterator[RawPost | Unreadable], speed: float) -> Iterator[RawPost | Unreadable | None]:
        first, started = None, 0.0
        for row in rows:
            if isinstance(row, RawPost):
                try:
                    # A time that will be rejected must not hold up the rest: 1970 and 2015 are far apart.
                    moment = allowed_time(row.published_at, self._settings, self._clock.now())
                except Rejected:
                    yield row
                    continue
                if first is None:
                    first, started = moment, self._clock.monotonic()
                due = started + (moment - first).total_seconds() / speed
                while (wait := due - self._clock.monotonic()) > _DUE_SECONDS:
                    self._clock.sleep(min(wait, _SLICE_SECONDS))
                    yield None
            yield row

    def _rows(self) -> Iterator[RawPost | Unreadable]:
        lines = 0
        try:
            with self.path.open("rb") as file:
                stream: IO[bytes] = gzip.GzipFile(fileobj=file) if self.path.suffix == ".gz" else file  # type: ignore[assignment]
                reader = self._csv_rows(stream, file) if self._format == "csv" else self._json_rows(stream, file)
                for lines, row in reader:  # noqa: B007 # the last line that could be read
                    yield row
            self.bytes_read = self.bytes_total
        except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
            self.truncated = f"{self.path} is broken after line {lines}: {error}"
            yield Unreadable(f"after line {lines}", Reason.UNDECODABLE, f"the file is broken: {error}")

    def _json_rows(self, stream: IO[bytes], file: BufferedReader) -> Iterator[tuple[int, RawPost | Unreadable]]:
        for number, line in enumerate(_lines(stream), start=1):
            self.bytes_read = file.tell()
            position = f"line {number}"
            if line is None:
                yield number, Unreadable(position, Reason.TOO_LONG, f"more than {MAX_LINE_BYTES} bytes")
            elif stripped := (line.removeprefix(_BOM) if number == 1 else line).strip():
                yield number, self._row(_decode, stripped, position)

    def _csv_rows(self, stream: IO[bytes], file: BufferedReader) -> Iterator[tuple[int, RawPost | Unreadable]]:
        csv.field_size_limit(MAX_LINE_BYTES)
        lines = (
            (line or b"").removeprefix(_BOM if number == 0 else b"").decode("utf-8", "surrogateescape")
            for number, line in enumerate(_lines(stream))
        )
        reader = csv.reader(lines)
        header = next(reader, [])
        self._check_header(header)
        while True:
            number = reader.line_num + 1
            position = f"line {number}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, Unreadable(position, Reason.UNDECODABLE, f"not CSV: {error}")
                continue
            finally:
                self.bytes_read = file.tell()
            if cells:
                yield number, self._row(_refuse_escaped, dict(zip(header, cells, strict=False)), position)

    def _row(self, decode: Any, row: Any, position: str) -> RawPost | Unreadable:
        try:
            return parse_row(decode(row), self._names, position)
        except Rejected as error:
            return Unreadable(position, error.reason, error.detail)

    def _check_header(self, header: list[str]) -> None:
        # Only what the person mapped, and what no post can be without, has to be there.
        for ours, theirs in self._names.items():
            needed = ours != theirs or ours in {"text", "created_at"}
            if needed and theirs not in header:
                has = ", ".join(header)[:200] or "no header"
                message = f"{self.path} has no column {theirs!r}; it has {has}; say `--map {ours}=COLUMN`"
                raise Misconfigured(message)


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    match suffixes[-1:]:
        case [".jsonl" | ".ndjson" | ".json"]:
            return "jsonl"
        case [".csv"]:
            return "csv"
    message = f"{path.name} is of no kind that can be replayed; it must end in .jsonl, .jsonl.gz, .csv or .csv.gz"
    raise Misconfigured(message)


def _lines(stream: IO[bytes]) -> Iterator[bytes | None]:
    """The lines of a stream; None for one that is too long, which is not kept in memory."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)
        yield None


def _decode(line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = _decode_leniently(line)
    if not isinstance(row, dict):
        raise Rejected(Reason.UNDECODABLE, "not a JSON object")
    return row


def _decode_leniently(line: bytes) -> Any:
    """What orjson refuses and others write: lone surrogates (half an emoji) and NaN."""
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Rejected(Reason.UNDECODABLE, f"not UTF-8 at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.UNDECODABLE, f"not JSON: {error}") from None


def _refuse_escaped(row: dict[str, str]) -> dict[str, str]:
    for cell in row.values():
        if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
            raise Rejected(Reason.UNDECODABLE, "not UTF-8")
    return row
