"""What a training leaves behind: weights, tokenizer, card and metrics, and reading them back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from bearometer import __version__
from bearometer.errors import Misconfigured
from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.base import open_tokeniser
from model.folder import CARD_FILE, TOKENIZER_FILE, TORCH_FILE, digest_of
from model.network import load_trained, save_network
from model.recipe import EpochReport, Recipe, Scores
from model.tokenise import Tokeniser

__all__ = ["METRICS_FILE", "NEW_CARD_FILE", "TrainingRun", "load_run", "save_run"]

METRICS_FILE = "metrics.json"
NEW_CARD_FILE = f"{CARD_FILE}.new"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A trained network (its best epoch's weights) and how it got there."""

    network: Any
    tokeniser: Tokeniser
    before: Scores
    after: Scores
    history: tuple[EpochReport, ...]
    trained_parameters: int
    all_parameters: int


def save_run(
    run: TrainingRun,
    folder: Path,
    name: str,
    recipe: Recipe,
    origin: Mapping[str, Any],
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """Write weights (safetensors), tokenizer, description and metrics; the folder is made, files are replaced.

    `origin` goes into the card too, and `metrics` beside the run's own. The card comes last: where it is, the run is
    whole, and a kill leaves none or all of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_FILE).unlink(missing_ok=True)
    save_network(run.network, folder)
    run.tokeniser.tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    measured = {
        "before": asdict(run.before),
        "after": asdict(run.after),
        "history": [asdict(report) for report in run.history],
        "trained_parameters": run.trained_parameters,
        "all_parameters": run.all_parameters,
        **(metrics or {}),
    }
    (folder / METRICS_FILE).write_bytes(orjson.dumps(measured, option=orjson.OPT_INDENT_2))
    card = {
        "name": name,
        "labels": LABELS,
        "topics": TOPICS,
        "max_tokens": recipe.max_tokens,
        "files": {TORCH_FILE: digest_of(folder / TORCH_FILE)},
        "made_by": f"bearometer {__version__}",
        "recipe": asdict(recipe),
        **origin,
    }
    new = folder / NEW_CARD_FILE
    with new.open("wb") as file:
        file.write(orjson.dumps(card, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / CARD_FILE)


def load_run(folder: Path) -> TrainingRun:
    """What `save_run` wrote; Misconfigured when it is damaged or not there."""
    try:
        card = orjson.loads((folder / CARD_FILE).read_bytes())
        metrics = orjson.loads((folder / METRICS_FILE).read_bytes())
        return TrainingRun(
            load_trained(folder, card["topics"]),
            open_tokeniser(folder, card["max_tokens"]),
            Scores(**metrics["before"]),
            Scores(**metrics["after"]),
            tuple(EpochReport(**{**each, "scores": Scores(**each["scores"])}) for each in metrics["history"]),
            metrics["trained_parameters"],
            metrics["all_parameters"],
        )
    except (OSError, KeyError, TypeError, orjson.JSONDecodeError) as error:
        message = f"the run in {folder} cannot be read: {error}"
        raise Misconfigured(message) from None
