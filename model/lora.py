"""Low-rank adapters on the encoder, by peft: trained in place of its weights, and merged into them in the end."""

from __future__ import annotations

from typing import Any

from model.extras import import_extra
from model.recipe import Recipe

__all__ = ["add_adapters", "merge_adapters"]


def add_adapters(network: Any, recipe: Recipe) -> None:
    """Freeze the encoder, and put adapters of `lora_rank` beside all its linear layers; the heads stay as they are.

    Hu et al. 2021, https://arxiv.org/abs/2106.09685. At first they change nothing. Raises MissingExtra without peft.
    """
    peft = import_extra("peft")
    config = peft.LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear",
    )
    network.encoder = peft.get_peft_model(network.encoder, config)


def merge_adapters(network: Any) -> None:
    """Add the adapters' changes to the encoder's weights: an ordinary network again, with the same outputs."""
    network.encoder = network.encoder.merge_and_unload()
