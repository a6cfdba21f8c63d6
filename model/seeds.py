"""Several trainings that differ in their seeds, and the one model that is made of them."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from model.dataset import Example
from model.development import measure_network
from model.extras import import_torch
from model.network import Logits
from model.recipe import Recipe, Scores
from model.run_folder import TrainingRun

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Combined", "average_weights", "combine_runs", "join_logits", "mean_weights", "spread"]


@dataclass(frozen=True, slots=True)
class Combined:
    """What several trainings give together, measured on the same development rows."""

    run: TrainingRun
    """The one that is kept."""
    average: Scores
    """Of the network with the mean of all weights: one pass."""
    ensemble: Scores
    """Of the mean of all logits: one pass for each; what a student may learn from, not what ships."""


def combine_runs(
    runs: Mapping[int, TrainingRun], combine: str, development: Sequence[Example], recipe: Recipe
) -> Combined:
    """Make one run of several (by seed, at least one); `combine` is one of `model.plan.COMBINATIONS`."""
    best = max(runs.values(), key=lambda run: run.after.overall)
    networks = [run.network for run in runs.values()]
    average = average_weights(networks)
    scores = measure_network(average, best.tokeniser, development, recipe)
    ensemble = measure_network(join_logits(networks), best.tokeniser, development, recipe)
    return Combined(
        replace(best, network=average, after=scores) if combine == "average" else best,
        average=scores,
        ensemble=ensemble,
    )


def average_weights(networks: Sequence[Any]) -> Any:
    """A new network with the mean of the weights, on the CPU.

    "Model soups", Wortsman et al. 2022, https://arxiv.org/abs/2203.05482: it takes networks that began alike, the heads
    included (`Recipe.head_seed`).
    """
    average = copy.deepcopy(networks[0]).to("cpu")
    average.load_state_dict(mean_weights([network.state_dict() for network in networks], [1.0] * len(networks)))
    return average.eval()


def mean_weights(states: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    """The mean of several networks' weights, of which each counts by its share of all shares, on the CPU."""
    torch = import_torch()
    counts = torch.tensor(shares, dtype=torch.float64)

    def mean(name: str, part: Tensor) -> Tensor:
        parts = torch.stack([state[name].to("cpu", torch.float64) for state in states])
        weighted: Tensor = torch.tensordot(counts, parts, dims=1) / counts.sum()
        return weighted.to(part.dtype)

    return {name: mean(name, part) for name, part in states[0].items()}


def join_logits(networks: Sequence[Any]) -> Any:
    """A module that answers with the mean of the networks' logits; all read the same tokens."""
    torch = import_torch()

    class Ensemble(torch.nn.Module):  # type: ignore[name-defined,misc]
        """See `join_logits`."""

        def __init__(self) -> None:
            super().__init__()
            self.networks = torch.nn.ModuleList(networks)

        @property
        def encoder(self) -> Any:
            """The first one's, for its configuration."""
            return self.networks[0].encoder

        def forward(self, ids: Tensor, mask: Tensor, spans: Tensor) -> Logits:
            answers = [network(ids, mask, spans) for network in self.networks]
            return Logits(*(torch.stack(parts).mean(0) for parts in zip(*answers, strict=True)))

    return Ensemble().eval()


def spread(runs: Mapping[int, TrainingRun]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation (of a sample; 0 for a single run) of each score over the seeds."""
    spreads: dict[str, dict[str, float]] = {}
    for name in Scores.__slots__:
        values = [value for run in runs.values() if (value := getattr(run.after, name)) is not None]
        if values:
            deviation = statistics.stdev(values) if len(values) > 1 else 0.0
            spreads[name] = {"mean": statistics.mean(values), "standard_deviation": deviation}
    return spreads
