import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bearometer.commands.train import register
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import LABELS
from model.plan import Plan, read_plan, write_plan
from model.recipe import DataSet, Recipe
from model.workshop import open_run_folder
from tests.conditions import wait_until
from tests.unit.model.tiny import tiny_contrasts, tiny_examples

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=5e-3, head_rate=1.0, max_tokens=32)


def run(*arguments: str | Path) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["train", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def write(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a plan, with changes, beside its data."""
    folder = tmp_path_factory.mktemp("data")
    sentiments = [{"text": e.text, "label": LABELS[e.label or 0]} for e in tiny_examples()[:120]]
    mentions = [
        {"text": e.text, "entities": {name: LABELS[label or 0] for name, label in e.mentions}}
        for e in (*tiny_contrasts()[:40], *tiny_examples()[120:160])
    ]
    for name, rows in (("sentiments", sentiments), ("mentions", mentions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = Plan(
        str(tiny_base),
        (DataSet("sentiments.jsonl"), DataSet("mentions.jsonl", "mentions", 0.5)),
        name="little",
        recipe=RECIPE,
    )

    def write_changed(**changes: object) -> Path:
        path = folder / f"plan-{len(list(folder.iterdir()))}.toml"
        path.write_text(write_plan(replace(plan, **changes)))  # type: ignore[arg-type]
        return path

    return write_changed


@pytest.fixture(scope="module")
def finished(write: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    output = tmp_path_factory.mktemp("finished") / "run"
    result = run("--config", write(), "--output", output)
    assert result.exit_code == 0, result.output
    return output, result


def test_train_shows_both_tasks_before_and_after(finished: tuple[Path, Result]) -> None:
    said = " ".join(finished[1].stdout.split())
    assert "│ measure │ before │ after │" in said.replace("┃", "│")
    assert "text macro F1" in said and "mention accuracy" in said and "topic" not in said
    assert "little" not in finished[1].stderr
    assert "training, epoch 2: loss" in finished[1].stderr


def test_a_run_folder_says_how_it_was_made(finished: tuple[Path, Result], write: Callable[..., Path]) -> None:
    folder = finished[0]
    assert {"config.json", "model.safetensors", "tokenizer.json", "bearometer.json", "metrics.json"} <= {
        file.name for file in folder.iterdir()
    }
    assert not list(folder.glob("checkpoint*")) and not list(folder.glob("best*"))
    assert read_plan(folder / "config.toml") == read_plan(write())
    card = json.loads((folder / "bearometer.json").read_text())
    assert (card["name"], card["recipe"]["learning_rate"], len(card["topics"])) == ("little", 5e-3, 20)
    assert set(card["data"]) == {"sentiments.jsonl", "mentions.jsonl"}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["after"]["text_macro_f1"] > metrics["before"]["text_macro_f1"]
    assert metrics["history"][1]["loss"] < metrics["history"][0]["loss"]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1


def test_killed_and_started_again_it_ends_as_if_it_had_never_been_killed(
    finished: tuple[Path, Result], write: Callable[..., Path], tmp_path: Path
) -> None:
    command = ["--config", str(write()), "--output", str(tmp_path / "run"), "--checkpoint-seconds", "0"]
    steps = tmp_path / "run" / "steps.csv"
    killed_at = 7
    child = subprocess.Popen(
        [sys.executable, "-m", "bearometer", "train", *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: steps.is_file() and len(steps.read_text().splitlines()) >= killed_at, seconds=240)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert (tmp_path / "run" / "checkpoint.safetensors").is_file()
    assert not (tmp_path / "run" / "bearometer.json").exists()
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "going on with the run" in result.stdout
    with steps.open(newline="") as file:
        numbers = [int(row[0]) for row in csv.reader(file)]
    assert numbers.count(1) == 1 and numbers == sorted(numbers)  # it began where it was, not at the start
    for name in ("model.safetensors", "bearometer.json"):
        assert (tmp_path / "run" / name).read_bytes() == (finished[0] / name).read_bytes(), name


def test_a_finished_run_is_not_written_over_unless_asked(
    finished: tuple[Path, Result], write: Callable[..., Path]
) -> None:
    result = run("--config", write(), "--output", finished[0])
    assert isinstance(result.exception, Misconfigured)
    assert "holds a finished run; name a new folder, or use --fresh" in str(result.exception)


def test_a_folder_that_is_no_run_is_left_alone_even_when_asked(tmp_path: Path, write: Callable[..., Path]) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    result = run("--config", write(), "--output", tmp_path, "--fresh")
    assert "holds no run" in str(result.exception)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_starting_over_takes_away_the_files_of_a_run_and_no_others(tmp_path: Path, write: Callable[..., Path]) -> None:
    plan = read_plan(write())
    mine = ["best.txt", "checkpoint.notes", "seed-corn/x", "tokenizer.json.bak"]
    its = ["best.safetensors", "best.new", "checkpoint.safetensors", "checkpoint.new", "seed-12/x", "bearometer.json"]
    for name in (*mine, *its, "config.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert not open_run_folder(tmp_path, plan, fresh=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*mine, "config.toml"}


def test_starting_over_spares_what_the_training_reads(
    finished: tuple[Path, Result], write: Callable[..., Path], tmp_path: Path
) -> None:
    parent = tmp_path / "runs"
    shutil.copytree(finished[0], parent / "a")
    (tmp_path / "link").symlink_to(parent / "a")
    config = parent / "config.toml"
    config.write_text(write().read_text())
    before = {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()}
    for base, plan, output in (
        (parent / "a", write(), parent / "a"),
        (parent / "a", write(), parent),
        (tmp_path / "link", write(), parent / "a"),
        (read_plan(config).base, config, parent),
    ):
        data = ("--data-folder", write().parent)
        for fresh in (("--fresh",), ()):
            result = run("--config", plan, "--base", base, "--output", output, *data, *fresh)
            assert isinstance(result.exception, Misconfigured), result.output
            assert "which the training reads; name another folder" in str(result.exception)
    assert {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()} == before


def test_the_run_is_saved_even_where_its_curves_cannot_be_drawn(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("model.workshop.draw_curves", fails)
    config = write(recipe=replace(RECIPE, epochs=1))
    assert isinstance(run("--config", config, "--output", tmp_path / "run").exception, RuntimeError)
    assert (tmp_path / "run" / "bearometer.json").is_file()


def test_texts_without_labels_are_left_out_and_named(tmp_path: Path, write: Callable[..., Path]) -> None:
    (write().parent / "plain.txt").write_text("$QMRK story\n$TERN story\n")
    data = (DataSet("sentiments.jsonl"), DataSet("plain.txt", "texts"))
    config = write(data=data, recipe=replace(RECIPE, epochs=1))
    result = run("--config", config, "--output", tmp_path / "run")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stdout.splitlines() if "left out" in line]
    assert line.endswith(": plain.txt")
    card = json.loads((tmp_path / "run" / "bearometer.json").read_text())
    assert set(card["data"]) == {"sentiments.jsonl"}
    assert card["training_rows"] + card["development_rows"] == 120


def test_a_run_of_another_recipe_is_not_gone_on_with(tmp_path: Path, write: Callable[..., Path]) -> None:
    (tmp_path / "config.toml").write_text(write().read_text())
    (tmp_path / "checkpoint.safetensors").write_bytes(b"")
    result = run("--config", write(), "--output", tmp_path, "--learning-rate", "0.25")
    assert isinstance(result.exception, Misconfigured)
    assert "`recipe.learning_rate` was 0.005 and is 0.25" in str(result.exception)


def test_a_start_that_came_to_nothing_may_be_mended(tmp_path: Path, write: Callable[..., Path]) -> None:
    broken = run("--config", write(), "--output", tmp_path, "--layers", "seven")
    assert isinstance(broken.exception, Misconfigured) and "`layers` is 'seven'" in str(broken.exception)
    mended = run("--config", write(), "--output", tmp_path, "--layers", "head", "--epochs", "1")
    assert mended.exit_code == 0, mended.output


def test_several_seeds_leave_a_run_each_and_their_average(tmp_path: Path, write: Callable[..., Path]) -> None:
    config = write(seeds=(1, 2), recipe=replace(RECIPE, epochs=1))
    result = run("--config", config, "--output", tmp_path / "run")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert all(each in said for each in ("seed 1", "seed 2", "average (kept)", "ensemble"))
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(metrics["seeds"]) == {"1", "2"}
    assert metrics["after"] == metrics["average"]
    kept = (tmp_path / "run" / "model.safetensors").read_bytes()
    members = [(tmp_path / "run" / f"seed-{seed}" / "model.safetensors").read_bytes() for seed in (1, 2)]
    assert len({kept, *members}) == 3
    # Killed before the end, the seeds that are done are not trained again.
    (tmp_path / "run" / "bearometer.json").unlink()
    again = run("--config", config, "--output", tmp_path / "run")
    assert again.exit_code == 0, again.output
    assert "epoch" not in again.stderr
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == kept


def test_one_file_is_trained_on_without_a_plan(tiny_base: Path, tmp_path: Path, write: Callable[..., Path]) -> None:
    data = write().parent / "sentiments.jsonl"
    result = run(
        *("--base", tiny_base, "--data", data, "--output", tmp_path / "run", "--epochs", "1"),
        *("--batch-size", "4", "--accumulate", "2", "--max-tokens", "32", "--seed", "3"),
    )
    assert result.exit_code == 0, result.output
    card = json.loads((tmp_path / "run" / "bearometer.json").read_text())
    assert (card["name"], card["recipe"]["accumulate"], card["recipe"]["seed"]) == ("run", 2, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--output", "run"), "--base is missing"),
        (("--output", "run", "--base", "b"), "--data is missing"),
        (("--output", "run", "--config", "none.toml"), "the configuration none.toml does not exist"),
        (("--output", "run", "--config", "none.toml", "--data", "d.csv"), "cannot be given with --config"),
        (("--output", "run", "--base", "b", "--data", "none.csv"), "none.csv does not exist"),
    ],
)
def test_what_is_missing_is_said_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, Misconfigured)
    assert said in str(result.exception)


def test_a_class_without_rows_makes_no_folder(tiny_base: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("text,label\n" + "".join(f"story {n},{n % 2}\n" for n in range(40)))
    result = run("--base", tiny_base, "--data", data, "--output", tmp_path / "run")
    assert isinstance(result.exception, Failed)
    assert "no row to train on has the sentiment label 'neutral'" in str(result.exception)
    assert not (tmp_path / "run").exists()
