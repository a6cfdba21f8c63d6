"""A model folder: what is in it, what its labels are, and which version its weights are."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bearometer.errors import Misconfigured
from bearometer.mention import LABELS
from model.dataset import LABEL_NAMES
from model.scaling import AS_TRAINED, Scaling

__all__ = [
    "CARD_FILE",
    "CONFIG_FILE",
    "FP32_FILE",
    "HEADS",
    "INT8_FILE",
    "TOKENIZER_FILE",
    "TORCH_FILE",
    "ModelFolder",
    "digest_of",
]

CARD_FILE = "bearometer.json"
CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
TORCH_FILE = "model.safetensors"
INT8_FILE = "model-int8.onnx"
FP32_FILE = "model-fp32.onnx"

HEADS = ("text", "mention", "topic")
"""What a model says of a text: its sentiment, each mention's, and its topic."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder with weights, a tokenizer and a description of both.

    Made by `bearometer train` and `bearometer export`; a folder made by others needs `config.json` with an `id2label`
    that names the three sentiments, `tokenizer.json` and `model.safetensors`.
    """

    path: Path
    name: str
    label_order: tuple[int, ...]
    """For each of LABELS, which output of the model it is."""
    max_tokens: int
    pad_id: int
    digests: Mapping[str, str]
    """File name to the digest that its maker wrote down, where one did."""
    topics: tuple[str, ...] = ()
    """What the model's topic head tells apart, in the order of its outputs; empty for a model made by others."""
    scalings: Mapping[str, Scaling] = field(default_factory=lambda: dict.fromkeys(HEADS, AS_TRAINED))
    """For each of HEADS how its logits become probabilities."""

    @classmethod
    def open(cls, path: Path) -> "ModelFolder":
        """Read the description; raises Misconfigured when something is missing or contradicts itself."""
        if not path.is_dir():
            message = f"the model folder {path} does not exist"
            raise Misconfigured(message)
        if not (path / TOKENIZER_FILE).is_file():
            message = f"the model folder {path} has no {TOKENIZER_FILE}"
            raise Misconfigured(message)
        card = _read_json(path / CARD_FILE) if (path / CARD_FILE).is_file() else {}
        config = _read_json(path / CONFIG_FILE)
        return cls(
            path=path,
            name=str(card.get("name") or path.resolve().name),
            label_order=_label_order(path / CONFIG_FILE, config.get("id2label")),
            max_tokens=_max_tokens(card, config),
            pad_id=int(config.get("pad_token_id") or 0),
            digests=card.get("files") or {},
            topics=_topics(path / CARD_FILE, card.get("topics")),
            scalings=_scalings(path / CARD_FILE, card),
        )

    def file(self, name: str) -> Path | None:
        """One of the folder's files, if it is there."""
        path = self.path / name
        return path if path.is_file() else None

    def require(self, name: str, hint: str) -> Path:
        """One of the folder's files; raises Misconfigured with the hint when it is not there."""
        path = self.file(name)
        if path is None:
            message = f"the model folder {self.path} has no {name}: {hint}"
            raise Misconfigured(message)
        return path

    def version(self, weights: Path, kind: str) -> str:
        """Name and digest of a weights file, such as `minilm-l6-int8@3f2a9c1b`; reads the whole file.

        Raises Misconfigured when the file is not the one that the folder's description was written for.
        """
        digest = digest_of(weights)
        expected = self.digests.get(weights.name, digest)
        if digest != expected:
            message = f"the weights {weights} are damaged or were replaced: digest {digest}, not {expected}"
            raise Misconfigured(message)
        return f"{self.name}-{kind}@{digest}"


def digest_of(weights: Path) -> str:
    """The first eight hex digits of the file's SHA-256."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise Misconfigured(message) from None
    if not isinstance(content, dict):
        message = f"{path} must hold a JSON object"
        raise Misconfigured(message)
    return content


def _max_tokens(card: dict[str, Any], config: dict[str, Any]) -> int:
    # RoBERTa's position table is two longer than its longest text.
    limit = int(config.get("max_position_embeddings") or 512)
    return int(card.get("max_tokens") or min(limit - 2 if limit % 2 == 0 and limit > 512 else limit, 512))


def _topics(path: Path, topics: object) -> tuple[str, ...]:
    if topics is None:
        return ()
    if not isinstance(topics, list) or not topics or len({str(topic) for topic in topics}) != len(topics):
        message = f"{path}: `topics` must be a list of different names; it is {topics!r:.120}"
        raise Misconfigured(message)
    return tuple(str(topic) for topic in topics)


def _scalings(path: Path, card: Mapping[str, Any]) -> dict[str, Scaling]:
    """Cards made before there were exponents have none, and those of models that were never calibrated neither."""
    temperatures, exponents = (_by_head(path, key, card.get(key)) for key in ("temperatures", "exponents"))
    return {head: Scaling(temperatures[head], exponents[head]) for head in HEADS}


def _by_head(path: Path, key: str, numbers: object) -> dict[str, float]:
    given = {} if numbers is None else numbers
    if not isinstance(given, dict) or not all(
        name in HEADS and isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
        for name, value in given.items()
    ):
        message = f"{path}: `{key}` must give {', '.join(HEADS)} numbers above 0; it is {numbers!r:.120}"
        raise Misconfigured(message)
    return {name: float(given.get(name, 1.0)) for name in HEADS}


def _label_order(path: Path, id2label: object) -> tuple[int, ...]:
    found: dict[int, int] = {}
    if isinstance(id2label, dict):
        for index, name in id2label.items():
            place = LABEL_NAMES.get(str(name).strip().lower())
            if place is not None and not str(name).isdecimal() and str(index).isdecimal():
                found[place] = int(index)
    if sorted(found.values()) != list(range(len(LABELS))) or len(found) != len(LABELS):
        message = f"{path}: `id2label` must name {', '.join(LABELS)}; it is {id2label!r:.120}"
        raise Misconfigured(message)
    return tuple(found[place] for place in range(len(LABELS)))
