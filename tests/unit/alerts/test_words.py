import logging
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from alerts.words import WordFinder, load_onnx
from bearometer.errors import Unavailable
from bearometer.mention import Sentiment
from model.classifier import Classifier, Judgement, Passage

BAD, CALM = Sentiment(0.9, 0.08, 0.02), Sentiment(0.1, 0.8, 0.1)
PATIENT = 60.0
"""Seconds that no test here waits, unless something is broken."""


class Gloomy:
    """Finds every text bad in which something plunges."""

    version = "gloomy@1"

    def __init__(self, gate: threading.Event | None = None, error: Exception | None = None) -> None:
        self.gate = gate
        self.error = error

    def prepare(self, passages: Sequence[Passage]) -> list[Passage]:
        if self.gate is not None:
            assert self.gate.wait(PATIENT)
        if self.error is not None:
            raise self.error
        return list(passages)

    def classify(self, prepared: list[Passage]) -> list[Judgement | None]:
        feelings = [BAD if "plunge" in passage.text.lower() else CALM for passage in prepared]
        return [
            Judgement(feeling, (feeling,) * len(passage.entities))
            for feeling, passage in zip(feelings, prepared, strict=True)
        ]


def test_the_words_that_made_a_post_negative_are_found() -> None:
    finder = WordFinder(lambda _: Gloomy(), PATIENT)
    assert finder.find("TERN shares plunge on Monday", "TERN") == ("plunge",)


def test_a_repeated_word_and_mere_punctuation_are_not_shown_twice_or_at_all() -> None:
    class Grim(Gloomy):
        def classify(self, prepared: list[Passage]) -> list[Judgement | None]:
            # Every word that is left makes it worse.
            worse = [min(0.9, 0.4 + 0.05 * len(passage.text.split())) for passage in prepared]
            return [Judgement(Sentiment(w, 1 - w, 0), (Sentiment(w, 1 - w, 0),)) for w in worse]

    words = WordFinder(lambda _: Grim(), PATIENT).find("TERN down ! Down !! fraud \x1b\x07", "TERN")
    assert words == ("down", "fraud")


def test_a_text_that_the_model_does_not_find_negative_has_none() -> None:
    assert WordFinder(lambda _: Gloomy(), PATIENT).find("TERN reports on Monday", "TERN") == ()


def test_nothing_to_judge_gives_none_and_the_next_text_is_asked_again() -> None:
    finder = WordFinder(load_shipped, PATIENT)
    assert finder.find("", "TERN") == ()
    assert finder.find("TERN shares plunge after a fraud probe", "TERN")


def test_a_model_that_hangs_holds_nobody_up_and_is_waited_for_once(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    finder = WordFinder(lambda _: Gloomy(gate), 0.05)
    begun = time.monotonic()
    assert [finder.find("TERN shares plunge", "TERN") for _ in range(50)] == [()] * 50
    assert time.monotonic() - begun < 50 * 0.05
    assert caplog.text.count("were not found in 0.1 s") == 1
    gate.set()


def test_a_model_that_cannot_be_loaded_is_tried_once_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def load(folder: Path | None) -> Classifier:
        tries.append(folder)
        message = "no\nweights"
        raise RuntimeError(message)

    finder = WordFinder(load, PATIENT)
    assert [finder.find("TERN shares plunge", "TERN") for _ in range(3)] == [()] * 3
    assert len(tries) == 1
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the strongest words cannot be found; alerts go without them: no weights"
    ]


def test_another_model_in_use_is_loaded_with_the_next_question() -> None:
    folders, loaded = [None, Path("new"), Path("new")], []

    def load(folder: Path | None) -> Classifier:
        loaded.append(folder)
        return Gloomy()

    finder = WordFinder(load, PATIENT, lambda: folders.pop(0))
    assert [finder.find("TERN shares plunge", "TERN") for _ in range(3)] == [("plunge",)] * 3
    assert loaded == [None, Path("new")]


def test_a_registry_that_is_away_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Path | Exception] = [Unavailable("Postgres is away"), Path("new")]

    def choose() -> Path:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    finder = WordFinder(lambda _: Gloomy(), PATIENT, choose)
    assert [finder.find("TERN shares plunge", "TERN") for _ in range(2)] == [(), ("plunge",)]
    assert "Postgres is away" in caplog.text


def test_a_model_that_fails_on_one_text_is_asked_about_the_next() -> None:
    model = Gloomy(error=MemoryError())
    finder = WordFinder(lambda _: model, PATIENT)
    assert finder.find("TERN shares plunge", "TERN") == ()
    model.error = None
    assert finder.find("TERN shares plunge", "TERN") == ("plunge",)


def test_a_folder_without_onnx_weights_is_no_reason_to_load_torch(tiny_folder: Path) -> None:
    finder = WordFinder(lambda _: load_onnx(tiny_folder, 128), PATIENT)
    assert finder.find("TERN shares plunge", "TERN") == ()


def test_the_alerts_process_finds_words_without_torch() -> None:
    import subprocess

    code = (
        "import sys, alerts.worker\n"
        "from alerts.words import WordFinder, load_onnx\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "finder = WordFinder(lambda folder: load_onnx(folder, 128), 60)\n"
        "words = finder.find('TERN shares plunge after a fraud probe', 'TERN')\n"
        "assert 'torch' not in sys.modules and 'onnxruntime' in sys.modules\n"
        "print(words)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "plunge" in done.stdout


def load_shipped(folder: Path | None) -> Classifier:
    return load_onnx(folder, 128)


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """A folder that has only torch's weights, and these are broken."""
    (tmp_path / "config.json").write_text('{"id2label": {"0": "negative", "1": "neutral", "2": "positive"}}')
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    return tmp_path
