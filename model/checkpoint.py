"""How far a training has come, on disk: killed at any moment, it goes on from the last checkpoint to the same end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bearometer.errors import Misconfigured

__all__ = ["Checkpoint", "Checkpoints", "clear_checkpoint", "has_checkpoint"]

FILE = "checkpoint.safetensors"
BEST_FILE = "best.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a training goes on from."""

    state: dict[str, Any]
    """Plain numbers: epoch, step, history, and what the training must be the same as."""
    tensors: dict[str, Any]
    """Weights, the optimizer's moments, random states."""


class Checkpoints:
    """The checkpoint of one training, in its run folder; safetensors and JSON, so that nothing in it can run."""

    def __init__(self, folder: Path, identity: str) -> None:
        """`identity` tells apart trainings that must not be mixed: recipe, data and base."""
        self._folder = folder
        self._identity = identity

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the one before, so that a kill leaves either."""
        _write(self._folder / FILE, checkpoint.tensors, {**checkpoint.state, "identity": self._identity})

    def load(self) -> Checkpoint | None:
        """The last one, or None; Misconfigured when it is of another training, or damaged."""
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - it comes with the extra

        path = self._folder / FILE
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                state = orjson.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        except (SafetensorError, KeyError, TypeError, orjson.JSONDecodeError) as error:
            message = f"the checkpoint {path} cannot be read ({error}); start over with --fresh"
            raise Misconfigured(message) from None
        if state.pop("identity", None) != self._identity:
            message = (
                f"{self._folder} holds a checkpoint of another training (its recipe, data or base differ); "
                "name another folder, or start over with --fresh"
            )
            raise Misconfigured(message)
        return Checkpoint(state, tensors)

    def save_best(self, weights: dict[str, Any]) -> None:
        """Keep the weights of the best epoch so far."""
        _write(self._folder / BEST_FILE, weights, {})

    def load_best(self) -> dict[str, Any]:
        """The weights of the best epoch so far."""
        from safetensors.torch import load_file  # noqa: PLC0415 - it comes with the extra

        weights: dict[str, Any] = load_file(self._folder / BEST_FILE)
        return weights


def has_checkpoint(folder: Path) -> bool:
    """Whether a training can go on there."""
    return (folder / FILE).is_file()


def clear_checkpoint(folder: Path) -> None:
    """Remove it: the training has ended, or is to start over."""
    for name in (FILE, BEST_FILE):
        (folder / name).unlink(missing_ok=True)
        _new(folder / name).unlink(missing_ok=True)


def _new(path: Path) -> Path:
    """Where a file is written before it takes the other's place."""
    return path.with_suffix(".new")


def _write(path: Path, tensors: dict[str, Any], state: dict[str, Any]) -> None:
    from safetensors.torch import save_file  # noqa: PLC0415 - it comes with the extra

    path.parent.mkdir(parents=True, exist_ok=True)
    new = _new(path)
    save_file(tensors, new, metadata={"state": orjson.dumps(state).decode()})
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(path)
