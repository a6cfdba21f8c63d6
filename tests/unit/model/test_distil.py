import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from bearometer.commands.distil import register
from bearometer.errors import Misconfigured
from bearometer.mention import LABELS, Sentiment
from bearometer.settings import ModelSettings
from model.classifier import Judgement, Passage
from model.dataset import Example
from model.distil import SoftLabels
from model.plan import Plan, read_plan, write_plan
from model.recipe import DataSet, Recipe
from tests.unit.model.tiny import tiny_contrasts, tiny_examples

TEXTS = [
    Example("Quillmark cuts its outlook"),
    Example("$TERN sinks while $OSTR soars"),
    Example("Lumen Foods will report on Thursday", mentions=(("Lumen Foods", 1),)),
]


class Teacher:
    """Says the same of every text, counts the texts, and may end as a killed process would."""

    def __init__(self, version: str, negative: float = 0.5, last: int | None = None) -> None:
        self.version = version
        self.asked: list[Passage] = []
        self._negative, self._last = negative, last

    def prepare(self, passages: Sequence[Passage]) -> Any:
        return passages

    def classify(self, prepared: Any) -> list[Judgement | None]:
        if self._last is not None and len(self.asked) >= self._last:
            raise KeyboardInterrupt
        self.asked += prepared
        said = Sentiment(self._negative, 1 - self._negative, 0.0)
        return [
            Judgement(said, (said,) * len(passage.entities), (True,) * len(passage.entities), {"Earnings": 1.0})
            if passage.text
            else None
            for passage in prepared
        ]


def test_every_text_gets_the_teachers_answer_and_its_cashtags_as_mentions(tmp_path: Path) -> None:
    taught = SoftLabels(tmp_path / "soft.jsonl", [Teacher("a@1")]).add(TEXTS)
    assert [example.text for example in taught] == [example.text for example in TEXTS]
    assert [example.mentions for example in taught] == [(), (("TERN", None), ("OSTR", None)), (("Lumen Foods", 1),)]
    for example in taught:
        assert example.soft and example.soft.sentiment == Sentiment(0.5, 0.5, 0.0)
        assert len(example.soft.entities) == len(example.mentions)
        assert example.soft.topics == {"Earnings": 1.0}


def test_several_teachers_answer_with_their_mean(tmp_path: Path) -> None:
    taught = SoftLabels(tmp_path / "soft.jsonl", [Teacher("a@1", 0.9), Teacher("b@2", 0.3)]).add(TEXTS)
    assert taught[1].soft and taught[1].soft.entities[0].negative == pytest.approx(0.6)


def test_what_no_teacher_can_judge_is_left_without_an_answer(tmp_path: Path) -> None:
    taught = SoftLabels(tmp_path / "soft.jsonl", [Teacher("a@1")]).add([Example(""), TEXTS[0]])
    assert taught[0].soft is None and taught[1].soft is not None


def test_a_kill_costs_the_last_chunk_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.distil.CHUNK", 1)
    path = tmp_path / "soft.jsonl"
    with pytest.raises(KeyboardInterrupt):
        SoftLabels(path, [Teacher("a@1", last=2)]).add(TEXTS)
    path.write_bytes(path.read_bytes()[:-5])  # the kill came in the middle of a write
    again, heard = Teacher("a@1"), list[int]()
    taught = SoftLabels(path, [again]).add(TEXTS, heard.append)
    assert len(again.asked) == 2 and sum(heard) == 3
    assert all(example.soft for example in taught)
    assert len(path.read_text().splitlines()) == 1 + 3
    idle = Teacher("a@1")
    assert SoftLabels(path, [idle]).add(TEXTS) == taught and not idle.asked


def test_a_second_start_gives_the_very_numbers_of_the_first(tmp_path: Path) -> None:
    first = SoftLabels(tmp_path / "soft.jsonl", [Teacher("a@1", 1 / 3)]).add(TEXTS)
    assert SoftLabels(tmp_path / "soft.jsonl", [Teacher("a@1", 1 / 3)]).add(TEXTS) == first


def test_the_answers_of_other_teachers_are_not_mixed_in(tmp_path: Path) -> None:
    SoftLabels(tmp_path / "soft.jsonl", [Teacher("a@1")]).add(TEXTS)
    with pytest.raises(Misconfigured, match=r"is of \['a@1'\], not \['b@2'\]; use --fresh"):
        SoftLabels(tmp_path / "soft.jsonl", [Teacher("b@2")]).add(TEXTS)


def test_the_file_holds_no_text(tmp_path: Path) -> None:
    SoftLabels(tmp_path / "soft.jsonl", [Teacher("a@1")]).add(TEXTS)
    assert "Quillmark" not in (tmp_path / "soft.jsonl").read_text()


def distil(*arguments: str | Path) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["distil", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def plan(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few labels, and many texts without any."""
    folder = tmp_path_factory.mktemp("data")
    labelled = [{"text": e.text, "label": LABELS[e.label or 0]} for e in tiny_examples()[:40]]
    (folder / "few.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labelled))
    texts = [e.text for e in (*tiny_examples()[40:], *tiny_contrasts())]
    (folder / "many.txt").write_text("\n".join(texts) + "\n")
    recipe = Recipe(epochs=6, batch_size=16, learning_rate=5e-3, head_rate=1.0, max_tokens=32, patience=6)
    data = (DataSet("few.jsonl"), DataSet("many.txt", "texts", rows=300))
    path = folder / "student.toml"
    path.write_text(write_plan(Plan(str(tiny_base), data, name="student", recipe=recipe)))
    return path


def test_a_student_learns_from_unlabelled_texts_what_its_labels_do_not_teach(
    plan: Path, tiny_run: Path, tmp_path: Path
) -> None:
    from model.folder import ModelFolder
    from model.torch import TorchClassifier

    result = distil("--config", plan, "--teacher", tiny_run, "--output", tmp_path / "student")
    assert result.exit_code == 0, result.output
    assert "text macro F1" in result.stdout
    card = json.loads((tmp_path / "student" / "bearometer.json").read_text())
    assert card["teachers"] == [TorchClassifier(ModelFolder.open(tiny_run)).version]
    student = TorchClassifier(ModelFolder.open(tmp_path / "student"))
    teacher = TorchClassifier(ModelFolder.open(tiny_run))
    passages = [Passage(example.text) for example in tiny_examples()[:60]]
    pairs = list(zip(*(each.classify(each.prepare(passages)) for each in (student, teacher)), strict=True))
    alike = [
        max(a.topics, key=a.topics.__getitem__) == max(b.topics, key=b.topics.__getitem__) for a, b in pairs if a and b
    ]
    assert sum(alike) / len(passages) > 0.8  # no row has a topic: the teacher alone says so


def test_killed_while_the_student_trains_it_goes_on_from_the_checkpoint(
    plan: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.finetune import Trainer

    short = read_plan(plan)
    short = replace(short, recipe=replace(short.recipe, epochs=1))
    config = plan.with_name("short.toml")
    config.write_text(write_plan(short))
    output = tmp_path / "student"
    arguments = ("--config", config, "--teacher", tiny_run, "--output", output, "--checkpoint-seconds", "0")
    step, done = Trainer._step, list[float]()

    def dies(self: Trainer, *given: Any) -> tuple[float, int]:
        if len(done) == 3:
            raise RuntimeError
        done.append(0.0)
        return step(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", dies)
        assert isinstance(distil(*arguments).exception, RuntimeError)
    assert (output / "checkpoint.safetensors").is_file()
    result = distil(*arguments)
    assert result.exit_code == 0, result.exception
    assert "going on with the run" in result.stdout
    numbers = [int(line.split(",")[0]) for line in (output / "steps.csv").read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))  # it began where it was, not at the start


def test_the_teacher_reads_what_the_student_reads_and_the_settings_hold(
    plan: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ModelSettings] = []

    def stop(settings: ModelSettings) -> None:
        asked.append(settings)
        raise RuntimeError

    monkeypatch.setattr("model.load.load_classifier", stop)
    monkeypatch.setenv("BEAROMETER_MODEL__THREADS", "3")
    distil("--config", plan, "--teacher", tiny_run, "--output", tmp_path / "run", "--device", "cpu")
    (settings,) = asked
    assert (settings.path, settings.device, settings.threads, settings.max_tokens) == (tiny_run, "cpu", 3, 32)
    assert distil(*("--config", plan, "--teacher", tiny_run, "--output", "x", "--device", "gpu")).exit_code == 2


def test_the_folder_of_the_teacher_is_never_started_over(plan: Path, tiny_run: Path) -> None:
    before = sorted(tiny_run.iterdir())
    result = distil("--config", plan, "--teacher", tiny_run, "--output", tiny_run, "--fresh")
    assert isinstance(result.exception, Misconfigured) and "which the training reads" in str(result.exception)
    assert sorted(tiny_run.iterdir()) == before


def test_a_folder_with_other_things_in_it_is_left_alone(plan: Path, tiny_run: Path, tmp_path: Path) -> None:
    arguments = ("--config", plan, "--teacher", tiny_run, "--output", tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    result = distil(*arguments)
    assert isinstance(result.exception, Misconfigured)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
