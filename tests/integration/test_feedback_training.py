"""`bearometer train --feedback`: from the labels in Postgres to a run folder."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from bearometer.commands.train import register
from bearometer.correction import Correction
from bearometer.errors import BearometerError, Failed, Misconfigured
from bearometer.mention import LABELS, WHOLE
from bearometer.topics import TOPICS
from model.base import open_tokeniser
from model.folder import ModelFolder
from model.network import load_encoder, make_network
from model.recipe import Recipe, Scores
from model.run_folder import TrainingRun, save_run
from storage.feedback import FeedbackStore
from tests.unit.model.tiny import make_tiny_base, tiny_examples

Train = Callable[..., Result]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`base`, an untrained encoder; `run`, the same as a run folder; `old.csv`, what that run is said to know."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("feedback")
    base = make_tiny_base(folder / "base")
    network = make_network(load_encoder(base), len(TOPICS))
    run = TrainingRun(network, open_tokeniser(base, 32), Scores(), Scores(), (), 0, 0)
    save_run(run, folder / "run", "tiny", Recipe(max_tokens=32), {})
    with (folder / "old.csv").open("w", newline="") as file:
        old = [(one.text, LABELS[one.label or 0]) for one in tiny_examples()[:120]]
        csv.writer(file).writerows([("text", "label"), *old])
    return folder


@pytest.fixture
def train(database_url: str, folders: Path) -> Train:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)

    def train(output: Path, base: str = "run") -> Result:
        arguments = ["train", "--feedback", "--base", folders / base, "--data", folders / "old.csv", "--output", output]
        options = ["--epochs", "1", "--batch-size", "16", "--learning-rate", "0.0001"]
        environment = {"BEAROMETER_POSTGRES__URL": database_url, "COLUMNS": "200"}
        result = CliRunner(env=environment).invoke(app, [*map(str, arguments), *options])
        if isinstance(result.exception, BearometerError):
            raise result.exception
        assert result.exception is None, result.output
        return result

    return train


def test_labels_in_postgres_are_learnt_beside_old_rows_and_both_are_measured(
    train: Train, engine: Engine, tmp_path: Path
) -> None:
    rows = tiny_examples()[200:240]
    FeedbackStore(engine).save(
        [
            Correction(f"test:{n}", WHOLE, who, LABELS[one.label or 0], one.text, f"f{n}")
            for n, one in enumerate(rows)
            for who in ("ann", "bob")
        ]
    )

    output = " ".join(train(tmp_path / "new").stdout.split())

    assert "labelled texts to learn from" in output
    for title in ("old data, held back: ", "feedback, held back: ", "feedback, trained on: "):
        assert title in output
    card = json.loads((tmp_path / "new" / "bearometer.json").read_text())
    assert {"feedback"} < {*card["data"]}
    assert (card["base"], card["recipe"]["learning_rate"], card["recipe"]["head_rate"]) == ("run", 0.0001, 1.0)
    metrics = json.loads((tmp_path / "new" / "metrics.json").read_text())
    assert sum(report["rows"] for report in metrics["feedback"] if report["name"].startswith("feedback")) == len(rows)
    assert ModelFolder.open(tmp_path / "new").max_tokens == 32


def test_without_labels_or_without_a_run_folder_it_is_told_before_anything_is_made(
    train: Train, tmp_path: Path
) -> None:
    with pytest.raises(Failed, match="0 texts have labels, none of them to train on"):
        train(tmp_path / "new")
    with pytest.raises(Misconfigured, match="to go on from"):
        train(tmp_path / "new", base="base")
    assert not (tmp_path / "new").exists()
