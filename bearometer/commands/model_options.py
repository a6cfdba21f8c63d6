"""What the commands that run a classifier have in common: which weights, and where."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.errors import Misconfigured

if TYPE_CHECKING:
    from bearometer.settings import ModelSettings

__all__ = ["Device", "DeviceOption", "ModelOption", "TasksOption", "labelled_files", "model_settings"]


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


TasksOption = Annotated[
    list[str] | None,
    typer.Option(help="What each --data is labelled with, in order: sentiment (default), mentions, topic, posts."),
]


def labelled_files(paths: Sequence[Path], tasks: Sequence[str]) -> list[tuple[Path, str]]:
    """Each file of labelled rows with its task; Misconfigured when they do not match, or a task has no labels."""
    from model.dataset import TASKS

    measurable = [task for task in TASKS if task != "texts"]
    for task in tasks:
        if task not in measurable:
            message = f"--task is {task!r}; it must be one of {', '.join(measurable)}"
            raise Misconfigured(message)
    if tasks and len(tasks) != len(paths):
        message = f"--task is given {len(tasks)} times and --data {len(paths)} times; each file needs its task"
        raise Misconfigured(message)
    return list(zip(paths, tasks or ["sentiment"] * len(paths), strict=True))


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
