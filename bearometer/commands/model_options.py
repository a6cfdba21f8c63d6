"""What the commands that run a classifier have in common: which weights, and where."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bearometer.settings import ModelSettings

__all__ = ["Device", "DeviceOption", "ModelOption", "model_settings"]


class Device(StrEnum):
    """Where the classifier runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Folder of weights; default: `model.path`, or the shipped weights.")
]
DeviceOption = Annotated[
    Device | None, typer.Option(help="auto: the GPU if torch finds one and the folder has torch's weights; else CPU.")
]


def model_settings(path: Path | None, device: Device | None) -> ModelSettings:
    """The settings, with what the command line says instead."""
    from bearometer.settings import load_settings

    settings = load_settings().model
    changes: dict[str, object] = {}
    if path is not None:
        changes["path"] = path
    if device is not None:
        changes["device"] = device.value
    return settings.model_copy(update=changes)
