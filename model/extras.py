"""Packages that are not installed everywhere, and take seconds to load: asked for when they are needed."""

import importlib
import os
from typing import Any

from bearometer.errors import MissingExtra

__all__ = ["import_extra", "import_torch", "import_transformers"]


def import_extra(package: str, extra: str = "train") -> Any:
    """A package of one of our extras; raises MissingExtra, which names both, when it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingExtra(package, extra) from None


def import_torch() -> Any:
    """The torch module; raises MissingExtra when it is not installed."""
    return import_extra("torch")


def import_transformers() -> Any:
    """The transformers module, told to stay off the network; raises MissingExtra when it is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is loaded from folders
    transformers = import_extra("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers
