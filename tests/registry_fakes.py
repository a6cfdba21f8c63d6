"""Registered models whose weights are one word in a file: they call a text with that word negative."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bearometer.clock import ManualClock
from bearometer.errors import Misconfigured
from bearometer.registry import ModelChoice, ModelState, ModelVersion, WorkerReport
from bearometer.settings import ModelSettings
from model.classifier import Judgement, Passage
from storage.models import ModelStore
from tests.fakes import NEGATIVE, NEUTRAL, NOON

WORD_FILE = "word.txt"
CLOCK = ManualClock(NOON)


class WordClassifier:
    """Says `negative` of a text with its word and else `neutral`, of entities as of the text."""

    def __init__(self, version: str, word: str) -> None:
        self.version = version
        self.word = word

    def prepare(self, passages: Sequence[Passage]) -> tuple[str, Sequence[Passage]]:
        return self.word, list(passages)

    def classify(self, prepared: tuple[str, Sequence[Passage]]) -> list[Judgement | None]:
        word, passages = prepared
        assert word == self.word, "prepared by another classifier"
        answers = []
        for passage in passages:
            sentiment = NEGATIVE if word in passage.text else NEUTRAL
            entities = len(passage.entities)
            answers.append(Judgement(sentiment, (sentiment,) * entities, (True,) * entities, {"Markets": 0.75}))
        return list(answers)


def load_words(model: ModelVersion | None, settings: ModelSettings | None = None) -> WordClassifier:
    """Stands for `model.registry.load_version`; the shipped weights know the word `plunge`."""
    del settings
    if model is None:
        return WordClassifier("shipped@0", "plunge")
    file = model.folder / WORD_FILE
    if not file.is_file():
        message = f"the model folder {model.folder} has no {WORD_FILE}"
        raise Misconfigured(message)
    return WordClassifier(model.version, file.read_text("utf-8"))


def make_folder(path: Path, word: str) -> Path:
    path.mkdir()
    (path / WORD_FILE).write_text(word, "utf-8")
    return path


def make_version(name: str, folder: Path, state: ModelState = ModelState.CANDIDATE) -> ModelVersion:
    return ModelVersion(f"{name}@{name * 2}", name, folder, {}, state, NOON, "ann")


def register(store: ModelStore, name: str, folder: Path, files: Mapping[str, str] | None = None) -> str:
    """Register `name@namename`; gives the version."""
    version = f"{name}@{name * 2}"
    store.register(version, name, folder, files or {}, {"base": "mini"}, "ann")
    return version


class MemoryRegistry:
    """A registry that says what it is told to say, and keeps what workers report."""

    def __init__(self) -> None:
        self.choice = ModelChoice()
        self.way: tuple[ModelVersion | None, ...] = ()
        self.reports: list[WorkerReport] = []
        self.left: list[str] = []
        self.error: Exception | None = None

    def chosen(self) -> ModelChoice:
        if self.error is not None:
            raise self.error
        return self.choice

    def way_back(self) -> tuple[ModelVersion | None, ...]:
        return self.way

    def report(self, worker: WorkerReport) -> None:
        self.reports.append(worker)

    def leave(self, worker_id: str) -> None:
        self.left.append(worker_id)
