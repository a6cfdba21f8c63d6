from pathlib import Path
from typing import Any

import torch

from model.base import open_network
from model.lora import add_adapters, merge_adapters
from model.recipe import Recipe

IDS = torch.tensor([[2, 9, 10, 11, 3], [2, 12, 13, 3, 0]])
INPUTS = (IDS, (IDS > 0).long(), torch.full((2, 1, 5), 0.2))


def answers(network: Any) -> list[torch.Tensor]:
    with torch.inference_mode():
        return list(network.eval()(*INPUTS))


def test_adapters_change_nothing_at_first_and_give_the_same_outputs_when_merged(tiny_base: Path) -> None:
    recipe = Recipe(lora_rank=4, lora_alpha=8)
    network = open_network(tiny_base, recipe)
    names, plain = set(network.state_dict()), answers(network)
    add_adapters(network, recipe)
    for before, after in zip(plain, answers(network), strict=True):
        torch.testing.assert_close(after, before)
    with torch.no_grad():
        for name, part in network.named_parameters():
            if "lora_B" in name:
                part.normal_()
    adapted = answers(network)
    assert all(not torch.allclose(before, after, atol=1e-3) for before, after in zip(plain, adapted, strict=True))
    merge_adapters(network)
    assert set(network.state_dict()) == names
    for before, after in zip(adapted, answers(network), strict=True):
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


def test_only_adapters_and_heads_are_trained(tiny_base: Path) -> None:
    recipe = Recipe(lora_rank=2)
    network = open_network(tiny_base, recipe)
    add_adapters(network, recipe)
    trained = {name for name, part in network.named_parameters() if part.requires_grad}
    assert trained and all("lora_" in name or "_head." in name for name in trained)
