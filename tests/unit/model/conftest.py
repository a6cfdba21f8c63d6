from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.dataset import split_examples
from model.finetune import Portion, Trainer, save_run
from model.recipe import Recipe
from tests.unit.model.tiny import make_tiny_base, tiny_contrasts, tiny_examples

TINY_RECIPE = Recipe(epochs=6, batch_size=16, learning_rate=5e-3, head_rate=1.0, max_tokens=32, patience=6)


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
    """A run folder whose network has learnt all three tasks, and tells two companies of one sentence apart."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    portions, development = [], []
    for examples in (tiny_examples(), tiny_contrasts()):
        rows, kept = split_examples(examples)
        portions.append(Portion(rows))
        development += kept
    run = Trainer(tiny_base, TINY_RECIPE).run(portions, development)
    save_run(run, folder, "tiny", TINY_RECIPE, {})
    return folder
