"""The shadow's process and its parent; the processes are scripts of a few lines that play a part."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bearometer.post import Post
from stream.shadow import Shadow
from tests.conditions import is_gone, wait_until
from tests.fakes import make_post
from tests.registry_fakes import CLOCK

PRELUDE = """
import json, os, sys
def say(**fields): print(json.dumps(fields), flush=True)
def batches():
    batch = []
    for line in sys.stdin:
        if line.strip(): batch.append(line)
        else:
            yield batch
            batch = []
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
"""
WILLING = "say(scored=0)\nfor batch in batches(): say(scored=len(batch))"
HUNG = "import time\nsay(scored=0)\ntime.sleep(1000)"
REFUSING = 'say(problem="the model folder /gone does not exist"); sys.exit(1)'
CRASHING = "say(scored=0)\nfor batch in batches(): os._exit(7)"
FORGETFUL = 'say(scored=0)\nfor batch in batches(): say(scored=0, problem="Postgres does not answer")'
NAMING_ITS_THREADS = "say(scored=0, problem=os.environ.get('RAYON_NUM_THREADS', 'all'))\nsys.stdin.read()"
TALKING_NONSENSE = "print('Hello!', flush=True)\nsys.stdin.read()"


class Bench:
    """A shadow whose process plays a part, and the process ids that it had."""

    def __init__(self, folder: Path, part: str, retry_seconds: float = 60.0, waiting_posts: int = 6) -> None:
        self.file = folder / "pids"
        self.shadow = Shadow(CLOCK, lambda _: self.command(part), waiting_posts, retry_seconds)
        self.shadow.use("a@1")

    def command(self, part: str) -> Sequence[str]:
        return [sys.executable, "-c", PRELUDE + part, str(self.file)]

    def pids(self) -> list[int]:
        return [int(line) for line in self.file.read_text().split()] if self.file.exists() else []

    def has_problem(self) -> str | None:
        return self.shadow.status().problem


@pytest.fixture
def posts() -> list[Post]:
    return [make_post(str(n), f"text {n}") for n in range(3)]


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.shadow.close()
        wait_until(lambda bench=bench: all(map(is_gone, bench.pids())), what="the shadow's processes end")  # type: ignore[misc]


def start(benches: list[Bench], folder: Path, part: str, **options: float) -> Bench:
    bench = Bench(folder, part, **options)  # type: ignore[arg-type]
    benches.append(bench)
    return bench


def test_without_a_version_nothing_is_offered_to_anybody(posts: list[Post]) -> None:
    shadow = Shadow(CLOCK)
    shadow.offer(posts)
    assert shadow.status().version is None
    assert shadow.status().dropped == 0


def test_posts_are_scored_by_the_process(benches: list[Bench], tmp_path: Path, posts: list[Post]) -> None:
    bench = start(benches, tmp_path, WILLING)
    bench.shadow.offer(posts)
    bench.shadow.offer(posts)
    wait_until(lambda: bench.shadow.status().scored == 6)
    assert bench.shadow.status().dropped == 0
    assert bench.has_problem() is None


def test_choosing_the_same_version_again_leaves_its_process_alone(
    benches: list[Bench], tmp_path: Path, posts: list[Post]
) -> None:
    bench = start(benches, tmp_path, WILLING)
    bench.shadow.offer(posts)
    wait_until(lambda: bench.shadow.status().scored == 3)
    bench.shadow.use("a@1")
    assert bench.shadow.status().scored == 3
    bench.shadow.use("b@1")
    wait_until(lambda: len(bench.pids()) == 2)
    wait_until(lambda: is_gone(bench.pids()[0]))
    assert bench.shadow.status().version == "b@1"
    assert bench.shadow.status().scored == 0


def test_a_process_that_hangs_costs_the_stream_nothing_and_what_it_missed_is_counted(
    benches: list[Bench], tmp_path: Path, posts: list[Post], caplog: pytest.LogCaptureFixture
) -> None:
    bench = start(benches, tmp_path, HUNG)
    wait_until(bench.pids)
    for _ in range(500):
        bench.shadow.offer(posts)
    # One batch is in its hands, and two wait: six posts.
    wait_until(lambda: bench.shadow.status().dropped >= 497 * 3)
    assert bench.shadow.status().dropped <= 498 * 3
    assert sum("is behind" in record.getMessage() for record in caplog.records) == 1


def test_a_process_that_will_not_start_says_why(benches: list[Bench], tmp_path: Path) -> None:
    bench = start(benches, tmp_path, REFUSING)
    assert wait_until(bench.has_problem) == "the model folder /gone does not exist"
    wait_until(lambda: all(map(is_gone, bench.pids())))
    assert bench.has_problem() == "the model folder /gone does not exist"


def test_the_process_is_told_to_tokenise_on_one_thread(benches: list[Bench], tmp_path: Path) -> None:
    bench = start(benches, tmp_path, NAMING_ITS_THREADS)
    assert wait_until(bench.has_problem) == "1"


def test_a_process_that_crashes_is_started_again_and_the_batch_counts_as_dropped(
    benches: list[Bench], tmp_path: Path, posts: list[Post]
) -> None:
    bench = start(benches, tmp_path, CRASHING, retry_seconds=0.05)
    bench.shadow.offer(posts)
    wait_until(lambda: bench.shadow.status().dropped == 3)
    wait_until(lambda: len(bench.pids()) >= 2)
    bench.shadow.offer(posts)
    wait_until(lambda: bench.shadow.status().dropped == 6)
    assert bench.shadow.status().scored == 0


def test_a_process_killed_by_the_machine_is_noticed_though_no_post_comes(benches: list[Bench], tmp_path: Path) -> None:
    bench = start(benches, tmp_path, WILLING)
    wait_until(bench.pids)
    os.kill(bench.pids()[0], signal.SIGKILL)
    assert wait_until(bench.has_problem) == "its process has ended (exit code -9)"


def test_answers_that_could_not_be_stored_count_as_dropped(
    benches: list[Bench], tmp_path: Path, posts: list[Post]
) -> None:
    bench = start(benches, tmp_path, FORGETFUL)
    bench.shadow.offer(posts)
    assert wait_until(bench.has_problem) == "Postgres does not answer"
    wait_until(lambda: bench.shadow.status().dropped == 3)
    assert len(bench.pids()) == 1


def test_a_process_that_answers_nonsense_is_ended(benches: list[Bench], tmp_path: Path) -> None:
    bench = start(benches, tmp_path, TALKING_NONSENSE)
    wait_until(bench.has_problem)
    wait_until(lambda: bench.pids() and all(map(is_gone, bench.pids())))


def test_a_command_that_does_not_exist_is_a_problem_and_no_error(posts: list[Post]) -> None:
    shadow = Shadow(CLOCK, lambda _: ["/no/such/program"])
    shadow.use("a@1")
    assert "No such file" in wait_until(lambda: shadow.status().problem or "")
    shadow.offer(posts)
    shadow.close()


def test_the_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = (
        "import os, sys, time\nfrom stream.shadow import Shadow\nfrom bearometer.clock import SystemClock\n"
        "shadow = Shadow(SystemClock(), lambda _: [sys.executable, '-c', sys.argv[1], sys.argv[2]])\n"
        "shadow.use('a@1')\n"
        "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[3]
    os.spawnve(
        os.P_WAIT,
        sys.executable,
        [sys.executable, "-c", program, PRELUDE + WILLING, str(pids)],
        {**os.environ, "PYTHONPATH": str(root)},
    )
    wait_until(lambda: pids.read_text().strip())
    wait_until(lambda: is_gone(int(pids.read_text())), what="the shadow's process ends")
