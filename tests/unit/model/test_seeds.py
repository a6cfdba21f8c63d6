from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from model.base import open_network, open_tokeniser
from model.dataset import split_examples
from model.recipe import Recipe, Scores
from model.run_folder import TrainingRun
from model.seeds import average_weights, combine_runs, join_logits, spread
from tests.unit.model.tiny import tiny_examples

INPUTS = (torch.tensor([[2, 9, 10, 3]]), torch.ones(1, 4, dtype=torch.int64), torch.full((1, 1, 4), 0.25))


@pytest.fixture(scope="module")
def networks(tiny_base: Path) -> list[Any]:
    return [open_network(tiny_base, Recipe(seed=seed)).eval() for seed in (1, 2, 3)]


def runs(networks: list[Any], base: Path) -> dict[int, TrainingRun]:
    tokeniser = open_tokeniser(base, 32)
    scores = (Scores(text_accuracy=0.5, text_macro_f1=share) for share in (0.25, 0.75, 0.5))
    return {
        seed: TrainingRun(network, tokeniser, Scores(), after, (), 1, 1)
        for seed, (network, after) in enumerate(zip(networks, scores, strict=True))
    }


def test_the_average_holds_the_mean_of_each_weight_and_leaves_the_networks_alone(networks: list[Any]) -> None:
    before = [network.text_head[1].weight.detach().clone() for network in networks]
    average = average_weights(networks)
    torch.testing.assert_close(average.text_head[1].weight, torch.stack(before).mean(0))
    assert all(network.text_head[1].weight.equal(part) for network, part in zip(networks, before, strict=True))


def test_the_average_of_one_network_with_itself_answers_the_same(networks: list[Any]) -> None:
    with torch.inference_mode():
        for one, other in zip(average_weights(networks[:1] * 3)(*INPUTS), networks[0](*INPUTS), strict=True):
            assert one.equal(other)


def test_an_ensemble_answers_with_the_mean_of_the_logits(networks: list[Any]) -> None:
    with torch.inference_mode():
        together, each = join_logits(networks)(*INPUTS), [network(*INPUTS) for network in networks]
    for number, part in enumerate(together):
        torch.testing.assert_close(part, torch.stack([answer[number] for answer in each]).mean(0))


@pytest.mark.parametrize("combine", ["average", "best"])
def test_what_is_kept_is_the_average_or_the_best(networks: list[Any], tiny_base: Path, combine: str) -> None:
    development = split_examples(tiny_examples())[1]
    given = runs(networks, tiny_base)
    combined = combine_runs(given, combine, development, Recipe())
    if combine == "best":
        assert combined.run is given[1]
    else:
        assert combined.run.after == combined.average
        assert not any(combined.run.network is network for network in networks)


def test_the_spread_is_that_of_a_sample(networks: list[Any], tiny_base: Path) -> None:
    given = runs(networks, tiny_base)
    assert spread(given) == {
        "text_accuracy": {"mean": 0.5, "standard_deviation": 0.0},
        "text_macro_f1": {"mean": 0.5, "standard_deviation": 0.25},
    }
    assert spread({0: replace(given[0], after=Scores(topic_accuracy=0.5))})["topic_accuracy"] == {
        "mean": 0.5,
        "standard_deviation": 0.0,
    }
