import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bearometer.errors import Failed, Misconfigured
from bearometer.topics import TOPICS
from model.base import find_base, freeze, open_network
from model.dataset import Example, split_examples
from model.finetune import Portion, Trainer
from model.network import load_encoder, load_trained
from model.recipe import EpochReport, Recipe
from model.run_folder import TrainingRun, load_run, save_run
from model.schooling import Schooling
from tests.unit.model.conftest import TINY_RECIPE
from tests.unit.model.tiny import tiny_contrasts, tiny_examples

TRAIN, DEVELOPMENT = split_examples(tiny_examples())
FEW = [Portion(TRAIN[:48])]
SHORT = replace(TINY_RECIPE, epochs=1)


class Recorder:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, float, float]] = []
        self.epochs: list[EpochReport] = []

    def step(self, done: int, total: int, loss: float, learning_rate: float) -> None:
        self.steps.append((done, total, loss, learning_rate))

    def epoch(self, report: EpochReport) -> None:
        self.epochs.append(report)


def weights(run: TrainingRun) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = run.network.state_dict()
    return state


def base_weights(base: Path) -> dict[str, Any]:
    return {f"encoder.{name}": part for name, part in load_encoder(base).state_dict().items()}


def changed(run: TrainingRun, base: Path) -> set[str]:
    """Names of the pretrained weights that training has changed."""
    return {name for name, part in base_weights(base).items() if not part.equal(weights(run)[name])}


def test_training_lowers_the_loss_and_reports_every_step(tiny_base: Path) -> None:
    recorder = Recorder()
    recipe = replace(TINY_RECIPE, epochs=2)
    run = Trainer(tiny_base, recipe).run([Portion(TRAIN)], DEVELOPMENT, recorder)
    assert run.history[1].loss < 0.8 * run.history[0].loss
    assert run.after.overall > 0.8 > run.before.overall
    total = recipe.epochs * math.ceil(len(TRAIN) / recipe.batch_size)
    assert [(done, of) for done, of, _, _ in recorder.steps] == [(step + 1, total) for step in range(total)]
    assert max(rate for _, _, _, rate in recorder.steps) == pytest.approx(recipe.learning_rate)
    assert recorder.steps[-1][3] < recorder.steps[total // 2][3]
    assert tuple(recorder.epochs) == run.history


def test_all_three_tasks_are_learnt_and_two_companies_told_apart(tiny_run: Path) -> None:
    after = load_run(tiny_run).after
    assert min(after.text_accuracy or 0, after.mention_accuracy or 0, after.topic_accuracy or 0) > 0.9


def test_the_head_alone_leaves_the_encoder_as_it_was(tiny_base: Path) -> None:
    run = Trainer(tiny_base, replace(SHORT, layers="head")).run(FEW, DEVELOPMENT)
    assert changed(run, tiny_base) == set()
    assert run.trained_parameters == sum(p.numel() for n, p in run.network.named_parameters() if "_head." in n)


def test_the_last_layer_is_trained_and_no_other(tiny_base: Path) -> None:
    run = Trainer(tiny_base, replace(SHORT, layers="1")).run(FEW, DEVELOPMENT)
    assert changed(run, tiny_base) == {name for name in base_weights(tiny_base) if ".layer.1." in name}


@pytest.mark.parametrize("layers", ["0", "3", "-1", "last", ""])
def test_layers_that_are_not_there_are_refused(tiny_base: Path, layers: str) -> None:
    with pytest.raises(Misconfigured, match="a number from 1 to 2"):
        freeze(open_network(tiny_base, Recipe()), layers)


@pytest.mark.parametrize("fgm", [0.0, 0.5])
def test_accumulated_gradients_equal_those_of_one_big_batch(tiny_base: Path, fgm: float) -> None:
    rows = [Portion(TRAIN[:20])]
    recipe = replace(SHORT, batch_size=20, dropout=0.0, fgm=fgm)
    big = Trainer(tiny_base, recipe).run(rows, DEVELOPMENT)
    small = Trainer(tiny_base, replace(recipe, batch_size=7, accumulate=3)).run(rows, DEVELOPMENT)
    for name, part in weights(big).items():
        torch.testing.assert_close(weights(small)[name], part, atol=3e-4, rtol=0, msg=name)


def test_training_stops_when_the_development_rows_gain_nothing(tiny_base: Path) -> None:
    recipe = replace(TINY_RECIPE, epochs=9, patience=2, learning_rate=0.0)
    assert len(Trainer(tiny_base, recipe).run(FEW, DEVELOPMENT).history) == 3


def test_the_best_epoch_is_kept_not_the_last(tiny_base: Path) -> None:
    # Steps so long that the last epochs undo what the first had learnt.
    run = Trainer(tiny_base, replace(TINY_RECIPE, epochs=4, learning_rate=0.05)).run(FEW, DEVELOPMENT)
    assert run.after.overall == max(report.scores.overall for report in run.history)
    measured = Trainer(tiny_base, replace(SHORT, learning_rate=0.0))
    measured._network.load_state_dict(weights(run))
    assert measured.run(FEW, DEVELOPMENT).before == run.after


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny_base: Path) -> None:
    one, same, other = (
        weights(Trainer(tiny_base, replace(SHORT, seed=seed)).run(FEW, DEVELOPMENT)) for seed in (3, 3, 4)
    )
    assert all(part.equal(same[name]) for name, part in one.items())
    assert not any(part.equal(other[name]) for name, part in one.items() if part.ndim > 1)


def test_the_heads_begin_alike_where_the_head_seed_is_the_same(tiny_base: Path) -> None:
    one, same, other = (
        open_network(tiny_base, Recipe(seed=seed, head_seed=head_seed)).text_head[1].weight
        for seed, head_seed in ((1, 9), (2, 9), (2, 8))
    )
    assert one.equal(same) and not one.equal(other)


def test_the_adversarial_pass_changes_the_gradients(tiny_base: Path) -> None:
    plain, moved = (
        weights(Trainer(tiny_base, replace(SHORT, dropout=0.0, fgm=fgm)).run(FEW, DEVELOPMENT)) for fgm in (0.0, 1.0)
    )
    assert not any(part.equal(moved[name]) for name, part in plain.items() if part.ndim > 1)


def test_an_adversarial_pass_needs_word_embeddings_that_are_trained(tiny_base: Path) -> None:
    with pytest.raises(Misconfigured, match=r"`fgm` is 0\.5; it must be 0"):
        Trainer(tiny_base, Recipe(fgm=0.5, layers="head", max_tokens=32))


def test_lora_trains_few_parameters_and_leaves_an_ordinary_network(tiny_base: Path) -> None:
    run = Trainer(tiny_base, replace(SHORT, lora_rank=2)).run(FEW, DEVELOPMENT)
    assert set(weights(run)) == set(open_network(tiny_base, Recipe()).state_dict())
    assert changed(run, tiny_base) == {
        n for n in base_weights(tiny_base) if ".layer." in n and ".dense.weight" in n
    } | {n for n in base_weights(tiny_base) if ".self." in n and n.endswith(".weight")}
    assert run.trained_parameters < run.all_parameters / 2


def test_texts_longer_than_the_base_has_places_are_refused(tiny_base: Path) -> None:
    Trainer(tiny_base, replace(SHORT, max_tokens=64))
    with pytest.raises(Misconfigured, match=r"`max_tokens` is 65; it must be from 8 to 64"):
        Trainer(tiny_base, replace(SHORT, max_tokens=65))


def test_an_epoch_that_came_out_short_takes_nothing_from_the_next(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Schooling.epoch
    monkeypatch.setattr(Schooling, "epoch", lambda self, number: whole(self, number)[: 2 if number == 0 else None])
    recorder = Recorder()
    Trainer(tiny_base, replace(SHORT, epochs=2)).run(FEW, DEVELOPMENT, recorder)
    assert [done for done, *_ in recorder.steps] == [1, 2, 4, 5, 6]


def test_a_loss_that_is_not_finite_ends_the_training(tiny_base: Path) -> None:
    with pytest.raises(Failed, match="lower the learning rate"):
        Trainer(tiny_base, replace(TINY_RECIPE, learning_rate=1e30)).run(FEW, DEVELOPMENT)


def test_rows_without_text_are_nothing_to_train_on(tiny_base: Path) -> None:
    with pytest.raises(Failed, match="training split has no usable rows"):
        Trainer(tiny_base, TINY_RECIPE).run([Portion([Example("https://example.com", 0)])], DEVELOPMENT)


def test_rows_without_labels_are_nothing_to_measure_on(tiny_base: Path) -> None:
    with pytest.raises(Failed, match="development split has no usable rows with a label"):
        Trainer(tiny_base, TINY_RECIPE).run(FEW, [Example("Quillmark moves its office")])


def test_training_goes_on_from_a_run_heads_and_all(tiny_run: Path) -> None:
    earlier = load_run(tiny_run)
    development = [row for rows in (tiny_examples(), tiny_contrasts()) for row in split_examples(rows)[1]]
    run = Trainer(tiny_run, replace(SHORT, learning_rate=1e-5)).run(FEW, development)
    assert run.before == earlier.after


@pytest.mark.parametrize("rank", [0, 2])
def test_a_share_of_the_base_s_weights_stays(tiny_run: Path, rank: int) -> None:
    before = load_trained(tiny_run, TOPICS).state_dict()
    recipe = replace(TINY_RECIPE, epochs=1, lora_rank=rank)
    learnt, kept, half = (
        weights(Trainer(tiny_run, replace(recipe, base_share=share)).run(FEW, DEVELOPMENT)) for share in (0.0, 1.0, 0.5)
    )
    assert not all(part.equal(before[name]) for name, part in learnt.items())
    for name, part in before.items():
        torch.testing.assert_close(kept[name], part)
        torch.testing.assert_close(half[name], (part + learnt[name]) / 2)


def test_what_is_reported_is_what_the_mixed_weights_reach(tiny_run: Path) -> None:
    trainer = Trainer(tiny_run, replace(TINY_RECIPE, epochs=1, learning_rate=0.1, base_share=1.0))
    run = trainer.run(FEW, DEVELOPMENT)
    assert run.after == run.before != run.history[0].scores


def test_heads_that_know_nothing_are_not_mixed_in(tiny_base: Path) -> None:
    with pytest.raises(Misconfigured, match=r"`base_share` is 0\.5, but .* was not trained"):
        Trainer(tiny_base, replace(SHORT, base_share=0.5))


def test_a_card_that_cannot_be_written_whole_is_not_there(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(tiny_run)

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("model.run_folder.os.fsync", killed)
        save_run(run, tmp_path, "x", TINY_RECIPE, {})
    assert not (tmp_path / "bearometer.json").exists() and (tmp_path / "metrics.json").is_file()
    save_run(run, tmp_path, "x", TINY_RECIPE, {})
    assert load_run(tmp_path).after == run.after and not (tmp_path / "bearometer.json.new").exists()


def test_a_base_whose_weights_have_other_names_is_refused_not_made_up(tiny_run: Path, tmp_path: Path) -> None:
    # A run without its card looks like an encoder, whose layers transformers would fill with random numbers.
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_run / name).read_bytes())
    with pytest.raises(Misconfigured, match=r"lacks .* of its weights, such as embeddings"):
        Trainer(tmp_path, Recipe())


def test_weights_in_pickle_are_not_loaded(tiny_base: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((tiny_base / name).read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(Misconfigured, match="cannot be loaded"):
        Trainer(tmp_path, Recipe())


def test_a_folder_is_its_own_base(tiny_base: Path) -> None:
    assert find_base(str(tiny_base)) == tiny_base


@pytest.mark.parametrize("base", ["/no/such/folder", "./none", "a/b/c"])
def test_a_base_that_is_a_missing_folder_is_not_looked_for_elsewhere(base: str) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        find_base(base)
