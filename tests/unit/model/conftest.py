from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.dataset import split_examples
from model.finetune import Trainer, save_run
from model.recipe import Recipe
from tests.unit.model.tiny import make_tiny_base, tiny_examples

TINY_RECIPE = Recipe(epochs=8, batch_size=8, learning_rate=3e-3, max_tokens=32, patience=8)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads cost more than they give on matrices this small, above all beside other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def tiny_run(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    run = Trainer(tiny_base, TINY_RECIPE).run(*split_examples(tiny_examples()))
    save_run(run, folder, "tiny", TINY_RECIPE, {})
    return folder
