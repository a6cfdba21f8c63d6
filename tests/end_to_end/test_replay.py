"""`bearometer replay` as a person runs it: a process of its own, on files good and bad."""

import gzip
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.scenario import write_scenario

GOOD = [
    {
        "id": "1",
        "created_at": "2026-03-02T10:00:00Z",
        "text": "$HBRM shares plunge after a fraud probe",
        "author": "ann",
    },
    {
        "id": "2",
        "created_at": "2026-03-02T10:01:00Z",
        "text": "$HBRM opens a plant in Ohio &amp; hires",
        "author": "bob",
    },
    {"id": "3", "created_at": "2026-03-02T10:02:00Z", "text": "RT @ann: $HBRM shares plunge after a fraud probe"},
]
BAD: list[tuple[bytes, str]] = [
    (b'{"id": "4", "created_at": "2026-03-02T10:03:00Z"}', "line 4: no_text"),
    (b'{"id": "5", "created_at": "1970-01-01T00:00:00Z", "text": "$HBRM of old"}', "line 5: bad_time"),
    (b'{"id": "6", "created_at": "2100-01-01T00:00:00Z", "text": "$HBRM to come"}', "line 6: bad_time"),
    (b'{"id": "7", "created_at": "2026-03-02T10:04:00Z", "text": "\xff\xfe"}', "line 7: undecodable"),
    (orjson.dumps({"id": "8", "created_at": "2026-03-02T10:05:00Z", "text": "word " * 200_000}), "line 8: too_long"),
    (b"not a row", "line 9: undecodable"),
]


def bearometer(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, within two minutes."""
    return subprocess.run(
        [sys.executable, "-m", "bearometer", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"\n".join([*map(orjson.dumps, GOOD), *(row for row, _ in BAD)]))
    return path


def test_good_rows_are_stored_once_and_bad_rows_are_named_however_often_it_runs(
    file: Path, run_dir: Path, tmp_path: Path
) -> None:
    summaries: list[dict[str, Any]] = []
    for name in ("first.json", "second.json"):
        ran = bearometer("replay", file, "--embedded", "--run-dir", run_dir, "--summary", tmp_path / name)
        assert ran.returncode == 0, ran.stderr
        for _, complaint in BAD:
            assert complaint in ran.stderr
        summaries.append(orjson.loads((tmp_path / name).read_bytes()))
    seconds = [summary.pop("seconds") for summary in summaries]
    assert all(value > 0 for value in seconds)
    assert summaries[0] == summaries[1]
    assert summaries[0] == {
        "read": 9,
        "rejected": 6,
        "published": 3,
        "stored": 3,
        "stories": 2,
        "spam": 0,
        "unscored": 0,
        "dead": 0,
        "mentions": 3,
        "alerts": [],
    }


@pytest.mark.timeout(400)
def test_a_crisis_is_alerted_once_with_its_evidence(run_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "fraud.jsonl"
    story = write_scenario(file, "fraud", 3, datetime(2026, 3, 16, tzinfo=UTC))
    summary = tmp_path / "summary.json"
    ran = bearometer("replay", file, "--embedded", "--run-dir", run_dir, "--summary", summary)
    assert ran.returncode == 0, ran.stderr
    came_of_it = orjson.loads(summary.read_bytes())
    assert (came_of_it["read"], came_of_it["stored"], came_of_it["dead"]) == (story.posts, story.posts, 0)
    (alert,) = came_of_it["alerts"]
    assert story.crisis_started_at is not None
    assert alert["symbol"] == story.crisis_symbol
    assert datetime.fromisoformat(alert["started_at"]) >= story.crisis_started_at
    assert alert["resolved_at"] > alert["started_at"]
    assert alert["negative"] > 10 * alert["expected"]
    assert all(post.startswith("fraud:") for post in alert["top_posts"])
    assert {path.suffix for path in (run_dir / "messages").iterdir()} >= {".txt", ".html", ".png", ".json", ".eml"}


def test_what_was_read_of_a_broken_gzip_is_stored_and_the_command_fails(run_dir: Path, tmp_path: Path) -> None:
    whole = gzip.compress(b"\n".join(map(orjson.dumps, GOOD)))
    broken = tmp_path / "posts.jsonl.gz"
    broken.write_bytes(whole[:-12])
    summary = tmp_path / "summary.json"
    ran = bearometer("replay", broken, "--embedded", "--run-dir", run_dir, "--summary", summary)
    assert ran.returncode == 1
    assert "posts.jsonl.gz is broken" in ran.stderr.splitlines()[-1]
    assert orjson.loads(summary.read_bytes())["stored"] >= 1


def test_a_rehearsal_shows_posts_and_complaints_and_starts_nothing(file: Path) -> None:
    ran = bearometer("replay", file, "--dry-run", BEAROMETER_KAFKA__SERVERS="127.0.0.1:1")
    assert ran.returncode == 0
    assert "3 posts can be published; 6 rows are rejected" in ran.stdout
    assert "line 4: no_text" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["nowhere.jsonl"], 1, "nowhere.jsonl cannot be read: no such file"),
        (["posts.txt"], 2, "posts.txt is of no kind that can be replayed"),
        (["posts.jsonl", "--speed", "fast"], 2, "`--speed` is fast; it must be a number above 0, or max"),
        (["posts.jsonl", "--map", "words=body"], 2, "words"),
        (["posts.jsonl"], 1, "the broker at 127.0.0.1:1 does not answer"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(
    file: Path, arguments: list[str], code: int, complaint: str
) -> None:
    (file.parent / "posts.txt").write_text("x")
    ran = subprocess.run(
        [sys.executable, "-m", "bearometer", "replay", *arguments],
        env={
            **os.environ,
            "BEAROMETER_KAFKA__SERVERS": "127.0.0.1:1",
            "BEAROMETER_KAFKA__CONNECT_TIMEOUT_SECONDS": "1",
        },
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == code
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert complaint in ran.stderr
