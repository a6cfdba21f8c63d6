"""Numbers for TensorBoard, written without it: the package and what it needs would be 78 MB for one file format.

A file of events is a row of TFRecords, each an `Event` in protocol buffers' wire format; see
https://www.tensorflow.org/tutorials/load_data/tfrecord and tensorflow/core/util/event.proto.
"""

import struct
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

__all__ = ["EventFile"]

_POLYNOMIAL = 0x82F63B78  # CRC-32C, bits reversed


class EventFile:
    """One file of events in a folder; each start of a training writes its own, and TensorBoard joins them."""

    def __init__(self, folder: Path, now: datetime, first_step: int = 0) -> None:
        """`first_step` is where a training goes on: what an older file says from there on no longer holds."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"events.out.tfevents.{now.timestamp():.6f}.bearometer"
        self._file: BinaryIO = path.open("ab")
        self._write(now, 0, _bytes(3, b"brain.Event:2"))
        self._write(now, first_step, _bytes(7, _number(1, 1)))  # SessionLog.START

    def add(self, now: datetime, step: int, scalars: Mapping[str, float]) -> None:
        """Append numbers by name; they are on disk when this returns."""
        values = (_bytes(1, _bytes(1, name.encode()) + b"\x15" + struct.pack("<f", x)) for name, x in scalars.items())
        self._write(now, step, _bytes(5, b"".join(values)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, now: datetime, step: int, what: bytes) -> None:
        event = b"\x09" + struct.pack("<d", now.timestamp()) + _number(2, step) + what
        length = struct.pack("<Q", len(event))
        self._file.write(length + struct.pack("<I", _masked(length)) + event + struct.pack("<I", _masked(event)))
        self._file.flush()


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _masked(data: bytes) -> int:
    """TFRecord's checksum: CRC-32C, turned and shifted, so that a checksum of checksums differs."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum of RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
