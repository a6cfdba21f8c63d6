"""Which model a worker scores with, as the registry changes."""

import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bearometer.errors import Misconfigured, Unavailable
from bearometer.registry import ModelChoice, ModelState, ModelVersion
from model.classifier import Classifier
from stream.shadow import Shadow
from stream.switch import ModelSwitch, name_worker
from tests.conditions import wait_until
from tests.registry_fakes import CLOCK, WORD_FILE, MemoryRegistry, WordClassifier, load_words, make_folder, make_version


class Bench:
    """A switch between a registry in memory and the list of what it handed over."""

    def __init__(self, pinned: WordClassifier | None = None) -> None:
        self.registry = MemoryRegistry()
        self.loaded: list[str | None] = []
        self.used: list[str] = []
        self.switch = ModelSwitch(
            self.registry, self.load, Shadow(CLOCK, lambda _: ["false"]), CLOCK, worker_id="here:1", pinned=pinned
        )

    def load(self, model: ModelVersion | None) -> Classifier:
        self.loaded.append(model.version if model else None)
        return load_words(model)

    def activate(self, model: ModelVersion | None, *way: ModelVersion | None) -> None:
        self.registry.choice, self.registry.way = ModelChoice(active=model), way

    def look(self) -> None:
        self.switch.look(lambda classifier: self.used.append(classifier.version))


@pytest.fixture
def models(tmp_path: Path) -> tuple[ModelVersion, ModelVersion]:
    return tuple(make_version(name, make_folder(tmp_path / name, name), ModelState.ACTIVE) for name in ("a", "b"))  # type: ignore[return-value]


def test_without_promotions_the_shipped_weights_are_used_and_nothing_is_handed_over() -> None:
    bench = Bench()
    assert bench.switch.first().version == "shipped@0"
    bench.look()
    assert bench.used == []
    assert bench.registry.reports[-1].version == "shipped@0"


def test_a_promotion_is_followed_once_and_a_rollback_as_well(models: tuple[ModelVersion, ModelVersion]) -> None:
    a, b = models
    bench = Bench()
    bench.activate(a, None)
    assert bench.switch.first().version == a.version
    bench.activate(b, a, None)
    bench.look()
    bench.look()
    bench.activate(None)
    bench.look()
    assert bench.used == [b.version, "shipped@0"]
    assert bench.loaded == [a.version, b.version, None]
    assert [report.wanted for report in bench.registry.reports] == [b.version, b.version, None]


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_in_use_and_the_reason_is_said(
    models: tuple[ModelVersion, ModelVersion], caplog: pytest.LogCaptureFixture
) -> None:
    a, b = models
    (b.folder / WORD_FILE).unlink()
    bench = Bench()
    bench.activate(a, None)
    bench.switch.first()
    bench.activate(b, a, None)
    with caplog.at_level(logging.ERROR, "stream.switch"):
        bench.look()
        bench.look()
    assert bench.used == []
    assert bench.loaded == [a.version, b.version]
    assert [record.getMessage() for record in caplog.records] == [
        f"the model {b.version} is refused, {a.version} stays in use: the model folder {b.folder} has no word.txt"
    ]
    report = bench.registry.reports[-1]
    assert (report.version, report.wanted) == (a.version, b.version)
    assert report.problem == f"the model folder {b.folder} has no word.txt"


def test_a_refused_version_is_tried_again_after_a_minute(
    models: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = models
    (b.folder / WORD_FILE).unlink()
    bench = Bench()
    bench.activate(a, None)
    bench.switch.first()
    bench.activate(b, a, None)
    bench.look()
    (b.folder / WORD_FILE).write_text("b")
    bench.look()
    assert bench.used == []
    monkeypatch.setattr("stream.switch._RETRY_SECONDS", 0.0)
    CLOCK.sleep(61)
    bench.look()
    assert bench.used == [b.version]
    assert bench.registry.reports[-1].problem is None


def test_going_back_from_a_refused_version_ends_the_problem(models: tuple[ModelVersion, ModelVersion]) -> None:
    a, b = models
    (b.folder / WORD_FILE).unlink()
    bench = Bench()
    bench.activate(a, None)
    bench.switch.first()
    bench.activate(b, a, None)
    bench.look()
    bench.activate(a, None)
    bench.look()
    assert bench.registry.reports[-1].problem is None
    assert bench.used == []


def test_a_worker_that_starts_uses_what_those_use_that_refused_the_version(
    models: tuple[ModelVersion, ModelVersion],
) -> None:
    a, b = models
    (b.folder / WORD_FILE).unlink()
    bench = Bench()
    bench.activate(b, a, None)
    assert bench.switch.first().version == a.version
    bench.look()
    assert bench.used == []
    report = bench.registry.reports[-1]
    assert (report.version, report.wanted) == (a.version, b.version)
    assert report.problem


def test_a_worker_that_can_load_none_of_them_says_what_is_wrong_with_the_active_one(tmp_path: Path) -> None:
    bench = Bench()
    bench.activate(make_version("a", tmp_path / "a"), make_version("b", tmp_path / "b"))
    with pytest.raises(Misconfigured, match=f"{tmp_path}/a has no word"):
        bench.switch.first()


def test_a_pinned_worker_follows_nobody_but_reports(models: tuple[ModelVersion, ModelVersion]) -> None:
    bench = Bench(pinned=WordClassifier("own@9", "x"))
    bench.activate(models[0], None)
    assert bench.switch.first().version == "own@9"
    bench.look()
    assert bench.used == bench.loaded == []
    report = bench.registry.reports[-1]
    assert (report.pinned, report.version, report.wanted) == (True, "own@9", models[0].version)


def test_registering_a_version_again_makes_a_worker_load_it_again_but_moving_its_folder_does_not(
    models: tuple[ModelVersion, ModelVersion], tmp_path: Path
) -> None:
    a, _ = models
    bench = Bench()
    bench.activate(a, None)
    bench.switch.first()
    bench.activate(replace(a, folder=make_folder(tmp_path / "moved", "a")), None)
    bench.look()
    assert bench.used == []
    bench.activate(replace(a, files={"bearometer.json": "12345678"}), None)
    bench.look()
    bench.look()
    assert bench.used == [a.version]


def test_registering_the_shadow_again_starts_its_process_again(models: tuple[ModelVersion, ModelVersion]) -> None:
    bench = Bench()
    bench.switch.first()
    started: list[str] = []
    shadow = bench.switch._shadow
    shadow._command = lambda version: started.append(version) or ["false"]  # type: ignore[func-returns-value]
    for files in ({}, {}, {"tokenizer.json": "12345678"}, {"tokenizer.json": "12345678"}):
        bench.registry.choice = ModelChoice(shadow=replace(models[0], files=files))
        bench.look()
    shadow.close()
    assert started == [models[0].version] * 2


def test_a_watcher_that_comes_back_late_neither_starts_a_shadow_nor_reports(
    models: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.switch._LAST_LOOK_SECONDS", 0.0)
    bench = Bench()
    bench.switch.first()
    loading, loaded = threading.Event(), threading.Event()

    def use(_: Classifier) -> None:
        loading.set()
        loaded.wait(15)

    bench.registry.choice = ModelChoice(active=models[0], shadow=models[1])
    with bench.switch.follow(use, 0.01):
        assert loading.wait(15)
    assert bench.registry.left == ["here:1"]
    watcher = next(thread for thread in threading.enumerate() if thread.name == "models")
    loaded.set()
    watcher.join(15)
    assert bench.registry.reports == []
    assert bench.switch._shadow.status().version is None


def test_a_registry_that_is_away_changes_nothing(models: tuple[ModelVersion, ModelVersion]) -> None:
    bench = Bench()
    bench.activate(models[0], None)
    bench.switch.first()
    bench.registry.error = Unavailable("Postgres does not answer")
    bench.look()
    assert bench.used == []
    assert bench.registry.reports == []


def test_even_a_defect_does_not_end_the_following(
    models: tuple[ModelVersion, ModelVersion], caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.switch.first()
    bench.registry.error = RuntimeError("a defect")
    used: list[str] = []
    with bench.switch.follow(lambda classifier: used.append(classifier.version), 0.01):
        wait_until(lambda: "a defect" in caplog.text)
        bench.activate(models[1], None)
        bench.registry.error = None
        wait_until(lambda: used == [models[1].version])
    assert bench.registry.left == ["here:1"]


def test_a_worker_is_named_by_its_machine_and_process() -> None:
    host, _, pid = name_worker().rpartition(":")
    assert host
    assert pid.isdecimal()
