"""A model folder on its way into use: it is looked at, loaded and tried before anything depends on it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bearometer.errors import BearometerError, Misconfigured
from bearometer.registry import ModelVersion
from bearometer.settings import ModelSettings
from model.classifier import Classifier, Passage
from model.folder import (
    CARD_FILE,
    CONFIG_FILE,
    FP32_FILE,
    INT8_FILE,
    TOKENIZER_FILE,
    TORCH_FILE,
    ModelFolder,
    digest_of,
)
from model.load import SHIPPED_WEIGHTS, load_classifier
from model.scaling import AS_TRAINED

__all__ = ["FolderContent", "inspect_folder", "load_tried", "load_version"]

_TRIAL = Passage("ACME's results were far worse than feared.", ("ACME",))


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What a folder holds, by the classifier that was loaded from it and by its files."""

    path: Path
    version: str
    name: str
    files: Mapping[str, str]
    """Of weights, tokenizer, configuration and card, file to the first eight hex digits of its SHA-256.

    Of the card only what the answers depend on is digested: topics, scalings and the longest text.
    """
    card: Mapping[str, Any]


def inspect_folder(path: Path, settings: ModelSettings) -> FolderContent:
    """Load the folder as a worker with these settings would, and have it judge a sentence; takes seconds.

    Raises Misconfigured, or another error of ours, in one line when it cannot be used.
    """
    path = path.absolute()
    version = load_tried(path, settings).version
    weights = [file for name in (INT8_FILE, FP32_FILE, TORCH_FILE) if (file := path / name).is_file()]
    card = path / CARD_FILE
    folder = ModelFolder.open(path)
    return FolderContent(
        path=path,
        version=version,
        name=folder.name,
        files={file.name: digest_of(file) for file in weights} | _digest_description(folder),
        card=orjson.loads(card.read_bytes()) if card.is_file() else {},
    )


def load_version(model: ModelVersion | None, settings: ModelSettings) -> Classifier:
    """The classifier of a registered version (of the shipped weights for None), tried on a sentence; takes seconds.

    Raises Misconfigured, or another error of ours, in one line when the folder is missing, damaged, or does not hold
    what was registered: other weights, another tokenizer or configuration, other topics or scalings.
    """
    if model is None:
        return load_tried(SHIPPED_WEIGHTS, settings)
    classifier = load_tried(model.folder, settings)
    if not model.said(classifier.version):
        message = f"the model folder {model.folder} holds {classifier.version} now, not {model.version}"
        raise Misconfigured(message)
    now = _digest_description(ModelFolder.open(model.folder))
    changed = [name for name, digest in now.items() if model.files.get(name, digest) != digest]
    if changed:
        files = " and ".join(changed)
        message = f"{model.folder} has another {files} than {model.version} was registered with: register it again"
        raise Misconfigured(message)
    return classifier


def _digest_description(folder: ModelFolder) -> dict[str, str]:
    temperatures = {head: scaling.temperature for head, scaling in folder.scalings.items()}
    exponents = {head: scaling.exponent for head, scaling in folder.scalings.items()}
    said = [folder.topics, temperatures, folder.max_tokens]
    if set(exponents.values()) != {AS_TRAINED.exponent}:  # else the digest of folders that were registered before
        said.append(exponents)
    return {
        TOKENIZER_FILE: digest_of(folder.path / TOKENIZER_FILE),
        CONFIG_FILE: digest_of(folder.path / CONFIG_FILE),
        CARD_FILE: hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8],
    }


def load_tried(path: Path, settings: ModelSettings) -> Classifier:
    """The classifier of a folder, after it has judged a sentence; whatever goes wrong is one line of ours."""
    try:
        classifier = load_classifier(settings.model_copy(update={"path": path}))
        (judgement,) = classifier.classify(classifier.prepare([_TRIAL]))
    except BearometerError:
        raise
    except Exception as error:  # weights that somebody made may break the libraries anywhere
        reason = (str(error).strip().splitlines() or [""])[0]
        message = f"the model in {path} cannot be used: {type(error).__name__}: {reason[:300]}"
        raise Misconfigured(message) from error
    if judgement is None:
        message = f"the model in {path} gives no usable answer"
        raise Misconfigured(message)
    return classifier
