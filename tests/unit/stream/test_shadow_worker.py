"""What the shadow's process answers, most of it without the process."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bearometer.errors import Unavailable
from bearometer.registry import ShadowScore
from bearometer.wire import encode
from stream.shadow_worker import score_batch, serve
from tests.fakes import NEGATIVE, NEUTRAL, KeywordClassifier, make_post
from tests.registry_fakes import WordClassifier

HANG = """
import ctypes, sys, types
from stream import shadow_worker
def hang(model, settings):
    print(open("/proc/self/oom_score_adj").read().strip(), open("/proc/self/stat").read().split()[18], flush=True)
    ctypes.CDLL(None).sleep(1000)
shadow_worker.open_database = lambda settings: None
shadow_worker.ModelStore = lambda engine: types.SimpleNamespace(find=str)
shadow_worker.main(hang)
"""


@pytest.fixture
def hung() -> Iterator["subprocess.Popen[bytes]"]:
    """The process in the middle of a native call that never comes back; what is printed goes to its standard error."""
    command = [sys.executable, "-c", HANG, "b@1"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:
        yield process
        process.kill()


def test_the_end_of_the_input_ends_even_a_process_that_hangs(hung: "subprocess.Popen[bytes]") -> None:
    assert hung.stdin is not None
    assert hung.stderr is not None
    hung.stdin.write(b"a line that nobody reads\n")
    hung.stdin.flush()
    assert hung.stderr.readline()
    assert hung.poll() is None
    hung.stdin.close()
    assert hung.wait(15) == 0


def test_the_process_goes_first_when_memory_runs_out_and_last_when_cores_do(hung: "subprocess.Popen[bytes]") -> None:
    assert hung.stderr is not None
    assert hung.stderr.readline().split() == [b"1000", b"19"]


def ask(batches: Sequence[Sequence[str]], save: Any) -> list[Any]:
    source = io.BytesIO()
    for number, batch in enumerate(batches):
        for place, text in enumerate(batch):
            source.write(encode(make_post(f"{number}-{place}", text)) + b"\n")
        source.write(b"\n")
    source.seek(0)
    answers = io.BytesIO()
    serve(source, answers, WordClassifier("b@1", "plunge"), save)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_each_batch_gets_one_answer_and_the_post_and_its_symbols_are_saved() -> None:
    saved: list[ShadowScore] = []
    assert ask([["shares plunge", "calm"], ["calm"]], saved.extend) == [{"scored": 0}, {"scored": 2}, {"scored": 1}]
    first, of_symbol, *_ = saved
    assert (first.post_id, first.symbol, first.sentiment, first.topic) == ("test:0-0", "*", NEGATIVE, "Markets")
    assert (of_symbol.symbol, of_symbol.sentiment, of_symbol.topic) == ("HBRM", NEGATIVE, None)
    assert [score.sentiment for score in saved[2:]] == [NEUTRAL] * 4


def test_a_store_that_is_away_loses_the_batch_and_says_so() -> None:
    fails = [True]

    def fail_first(scores: Sequence[ShadowScore]) -> None:
        if fails:
            fails.clear()
            message = "Postgres does not answer"
            raise Unavailable(message)

    assert ask([["calm"], ["calm"]], fail_first) == [
        {"scored": 0},
        {"scored": 0, "problem": "Postgres does not answer"},
        {"scored": 1},
    ]


def test_repeats_of_a_text_are_judged_once_and_saved_each() -> None:
    classifier, saved = KeywordClassifier(), list[ShadowScore]()
    posts = [make_post(str(n), "the same", symbols=()) for n in range(3)]
    assert score_batch(posts, classifier, saved.extend) == 3
    assert classifier.judged == ["the same"]
    assert [score.post_id for score in saved] == ["test:0", "test:1", "test:2"]


def test_a_text_without_an_answer_is_left_out() -> None:
    saved: list[ShadowScore] = []
    posts = [make_post("1", "unscorable", symbols=()), make_post("2", "calm", symbols=())]
    assert score_batch(posts, KeywordClassifier(), saved.extend) == 1
    assert [score.post_id for score in saved] == ["test:2"]
