import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Failed, Misconfigured
from model.dataset import Example, split_examples
from model.finetune import Trainer, TrainingRun, bucket, find_base, freeze
from model.recipe import EpochReport, Recipe
from model.torch import load_network
from tests.unit.model.conftest import TINY_RECIPE
from tests.unit.model.tiny import tiny_examples

TRAIN, DEVELOPMENT = split_examples(tiny_examples())


class Recorder:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.epochs: list[EpochReport] = []

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def epoch(self, report: EpochReport) -> None:
        self.epochs.append(report)


def weights(run: TrainingRun) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = run.network.state_dict()
    return state


def base_weights(base: Path) -> dict[str, Any]:
    state: dict[str, Any] = load_network(base, num_labels=3).state_dict()
    return state


def changed(run: TrainingRun, base: Path) -> set[str]:
    """Names of the pretrained weights that training has changed, without those of the head."""
    before = base_weights(base)
    return {name for name, part in weights(run).items() if name.startswith("bert.") and not part.equal(before[name])}


def test_training_learns_and_reports_every_step(tiny_base: Path) -> None:
    recorder = Recorder()
    run = Trainer(tiny_base, TINY_RECIPE).run(TRAIN, DEVELOPMENT, recorder)
    assert run.after.macro_f1 > 0.95 > run.before.macro_f1
    done, total = recorder.steps[-1]
    assert total == TINY_RECIPE.epochs * -(-len(TRAIN) // TINY_RECIPE.batch_size)
    assert done == len(recorder.steps) <= total
    assert tuple(recorder.epochs) == run.history


def test_the_head_alone_leaves_the_encoder_as_it_was(tiny_base: Path) -> None:
    run = Trainer(tiny_base, replace(TINY_RECIPE, epochs=1, layers="head")).run(TRAIN, DEVELOPMENT)
    assert changed(run, tiny_base) == {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert run.trained_parameters == 32 * 32 + 32 + 32 * 3 + 3


def test_the_last_layer_is_trained_and_no_other(tiny_base: Path) -> None:
    run = Trainer(tiny_base, replace(TINY_RECIPE, epochs=1, layers="1")).run(TRAIN, DEVELOPMENT)
    layers = {name.split("layer.")[1][0] for name in changed(run, tiny_base) if "encoder.layer." in name}
    assert layers == {"1"}
    assert not any("embeddings" in name for name in changed(run, tiny_base))


def test_everything_is_trained_by_default(tiny_base: Path) -> None:
    run = Trainer(tiny_base, replace(TINY_RECIPE, epochs=1)).run(TRAIN, DEVELOPMENT)
    assert run.trained_parameters == run.all_parameters
    assert any("embeddings" in name for name in changed(run, tiny_base))


@pytest.mark.parametrize("layers", ["0", "3", "-1", "last", ""])
def test_layers_that_are_not_there_are_refused(tiny_base: Path, layers: str) -> None:
    with pytest.raises(Misconfigured, match="a number from 1 to 2"):
        freeze(load_network(tiny_base, num_labels=3), layers)


@pytest.mark.parametrize(("batch_size", "accumulate"), [(10, 2), (5, 4), (7, 3)])
def test_accumulated_gradients_equal_those_of_one_big_batch(tiny_base: Path, batch_size: int, accumulate: int) -> None:
    recipe = replace(TINY_RECIPE, epochs=1, batch_size=20)
    big = Trainer(tiny_base, recipe).run(TRAIN[:20], DEVELOPMENT)
    small = Trainer(tiny_base, replace(recipe, batch_size=batch_size, accumulate=accumulate)).run(
        TRAIN[:20], DEVELOPMENT
    )
    for name, part in weights(big).items():
        torch.testing.assert_close(weights(small)[name], part, atol=2e-4, rtol=0, msg=name)


def test_training_stops_when_the_development_rows_gain_nothing(tiny_base: Path) -> None:
    recipe = replace(TINY_RECIPE, epochs=9, patience=2, learning_rate=0.0)
    assert len(Trainer(tiny_base, recipe).run(TRAIN[:32], DEVELOPMENT).history) == 3


def test_the_best_epoch_is_kept_not_the_last(tiny_base: Path) -> None:
    run = Trainer(tiny_base, TINY_RECIPE).run(TRAIN, DEVELOPMENT)
    assert run.after.macro_f1 == max(report.macro_f1 for report in run.history)


def test_the_same_seed_gives_the_same_weights(tiny_base: Path) -> None:
    recipe = replace(TINY_RECIPE, epochs=1)
    one, other = (Trainer(tiny_base, recipe).run(TRAIN, DEVELOPMENT) for _ in range(2))
    assert all(part.equal(weights(other)[name]) for name, part in weights(one).items())


def test_a_loss_that_is_not_finite_ends_the_training(tiny_base: Path) -> None:
    with pytest.raises(Failed, match="lower --learning-rate"):
        Trainer(tiny_base, replace(TINY_RECIPE, learning_rate=1e30)).run(TRAIN, DEVELOPMENT)


def test_rows_without_text_are_nothing_to_train_on(tiny_base: Path) -> None:
    with pytest.raises(Failed, match="training split has no usable rows"):
        Trainer(tiny_base, TINY_RECIPE).run([Example("https://example.com", 0)], DEVELOPMENT)


def test_weights_in_pickle_are_not_loaded(tiny_base: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((tiny_base / name).read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(Misconfigured, match="only safetensors are loaded"):
        Trainer(tmp_path, Recipe())


def test_a_folder_is_its_own_base(tiny_base: Path) -> None:
    assert find_base(str(tiny_base)) == tiny_base


@pytest.mark.parametrize("base", ["/no/such/folder", "./none", "a/b/c"])
def test_a_base_that_is_a_missing_folder_is_not_looked_for_elsewhere(base: str) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        find_base(base)


@given(st.lists(st.integers(1, 60)), st.integers(1, 9), st.integers())
def test_buckets_hold_every_row_once(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = bucket(lengths, batch_size, random.Random(seed))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
