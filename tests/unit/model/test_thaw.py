import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bearometer.errors import Misconfigured
from bearometer.topics import TOPICS
from model.classifier import Passage
from model.export import export
from model.feedback import gently
from model.finetune import Portion, Trainer
from model.folder import FP32_FILE, INT8_FILE, TORCH_FILE, ModelFolder
from model.network import load_trained
from model.onnx import OnnxClassifier
from model.plan import Plan
from model.recipe import DataSet, Recipe
from model.run_folder import save_run
from model.thaw import thaw
from model.torch import TorchClassifier
from tests.unit.model.tiny import tiny_examples


@pytest.fixture(scope="module")
def both(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with both ONNX files and without torch's."""
    return export(tiny_run, tmp_path_factory.mktemp("exported")).path


@pytest.fixture
def int8_only(both: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "int8"
    shutil.copytree(both, folder)
    (folder / FP32_FILE).unlink()
    return folder


def test_a_float_export_gives_back_every_weight_as_it_was(tiny_run: Path, both: Path) -> None:
    original = load_trained(tiny_run, TOPICS).state_dict()
    thawed = thaw(both / FP32_FILE)
    assert original.keys() <= thawed.keys()
    for name, weight in original.items():
        np.testing.assert_array_equal(thawed[name], weight.numpy(), err_msg=name)


def test_an_int8_export_is_gone_on_from_as_it_answers(tiny_run: Path, int8_only: Path, tmp_path: Path) -> None:
    network = load_trained(int8_only, TOPICS)
    again = tmp_path / "again"
    shutil.copytree(tiny_run, again)
    torch.manual_seed(1)
    trainer = Trainer(int8_only, Recipe(epochs=1, max_tokens=32, learning_rate=0, head_rate=1))
    run = trainer.run([Portion(tiny_examples()[:32])], tiny_examples()[32:64])
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(run.network.state_dict()[name], weight)
    save_run(run, again, "again", Recipe(max_tokens=32), {})
    passages = [Passage(example.text, tuple(name for name, _ in example.mentions)) for example in tiny_examples()[:64]]
    shipped = OnnxClassifier(ModelFolder.open(int8_only), threads=1)
    trained = TorchClassifier(ModelFolder.open(again), "cpu")
    for one, other in zip(
        shipped.classify(shipped.prepare(passages)), trained.classify(trained.prepare(passages)), strict=True
    ):
        assert one is not None and other is not None
        assert one.sentiment.negative == pytest.approx(other.sentiment.negative, abs=1e-2)
        assert one.entities[0].positive == pytest.approx(other.entities[0].positive, abs=1e-2)


def test_feedback_is_learnt_from_an_int8_export_too(int8_only: Path, tmp_path: Path) -> None:
    plan = Plan("base", (DataSet("a.csv"),))
    assert gently(plan, int8_only).base == str(int8_only)
    (int8_only / INT8_FILE).unlink()
    with pytest.raises(Misconfigured, match="to go on from"):
        gently(plan, int8_only)


def test_what_is_no_export_of_ours_is_refused_in_one_line(int8_only: Path, tmp_path: Path) -> None:
    (int8_only / INT8_FILE).write_bytes(b"no model")
    with pytest.raises(Misconfigured, match="cannot be read") as error:
        load_trained(int8_only, TOPICS)
    assert "\n" not in str(error.value)
    assert not (int8_only / TORCH_FILE).exists()
