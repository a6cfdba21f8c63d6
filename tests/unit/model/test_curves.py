import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.curves import CurveLog, draw_curves, read_steps
from model.events import EventFile, crc32c
from model.recipe import EpochReport, Scores

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REPORT = EpochReport(1, 0.5, Scores(text_macro_f1=0.75), 1.0)


def records(data: bytes) -> list[bytes]:
    """The events of a file, their checksums checked as TensorBoard checks them."""
    found = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event, rest = data[12 : 12 + length], data[12 + length :]
        for part, crc in ((data[:8], data[8:12]), (event, rest[:4])):
            expected = crc32c(part)
            masked = ((expected >> 15 | expected << 17) + 0xA282EAD8) & 0xFFFFFFFF
            assert struct.unpack("<I", crc) == (masked,)
        found.append(event)
        data = rest[4:]
    return found


def test_the_checksum_is_that_of_rfc_3720() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_events_are_records_with_name_step_and_number(tmp_path: Path) -> None:
    events = EventFile(tmp_path, NOW, first_step=300)
    events.add(NOW, 300, {"train/loss": 0.25})
    events.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    version, start, scalar = records(path.read_bytes())
    assert version.endswith(b"brain.Event:2")
    assert start[9:] == b"\x10\xac\x02" + b"\x3a\x02\x08\x01"  # step 300 as a varint, SessionLog.START
    value = b"\x0a\x0atrain/loss" + b"\x15" + struct.pack("<f", 0.25)
    assert scalar[9:] == b"\x10\xac\x02" + bytes([0x2A, len(value) + 2, 0x0A, len(value)]) + value


def test_after_a_kill_the_later_of_two_steps_holds_and_a_broken_line_is_passed_over(tmp_path: Path) -> None:
    for start, loss in ((1, 0.9), (3, 0.4)):
        log = CurveLog(tmp_path)
        for step in range(start, start + 4):
            log.step(step, 6, loss, 1e-3)
        log.epoch(REPORT)
        log.close()
    with (tmp_path / "steps.csv").open("a") as file:
        file.write("7,0.1\n7,0.1,1e-\n7,x,0.1\n,,\n8,0.1")
    assert [(step, loss) for step, loss, _ in read_steps(tmp_path)] == [
        *((1, 0.9), (2, 0.9)),
        *((step, 0.4) for step in (3, 4, 5, 6)),
    ]
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 2


def test_what_is_kept_is_told_to_the_next_observer_too(tmp_path: Path) -> None:
    told: list[object] = []

    class Next:
        def step(self, done: int, total: int, loss: float, learning_rate: float) -> None:
            told.append((done, total, loss, learning_rate))

        def epoch(self, report: EpochReport) -> None:
            told.append(report)

    log = CurveLog(tmp_path, Next())
    log.step(1, 2, 0.5, 0.1)
    log.epoch(REPORT)
    log.close()
    assert told == [(1, 2, 0.5, 0.1), REPORT]


@pytest.mark.parametrize("steps", [0, 1, 200])
def test_curves_are_drawn_whatever_there_is(tmp_path: Path, steps: int) -> None:
    path = tmp_path / "curves.png"
    draw_curves([(step, 1 / step, 1e-3) for step in range(1, steps + 1)], [REPORT] if steps else [], path)
    assert path.read_bytes().startswith(b"\x89PNG")


@given(st.binary(max_size=200), st.integers(0, 7))
def test_the_checksum_tells_a_changed_bit(data: bytes, bit: int) -> None:
    if data:
        assert crc32c(bytes([data[0] ^ 1 << bit]) + data[1:]) != crc32c(data)
