"""The classifier on torch: resident on the GPU where there is one, on the CPU otherwise."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bearometer.errors import Failed, Misconfigured, MissingExtra
from model.answer import judge, softmax
from model.classifier import Judgement, Passage
from model.folder import TOKENIZER_FILE, TORCH_FILE, ModelFolder
from model.tokenise import Ids, Tokeniser, pad_groups

if TYPE_CHECKING:
    import torch

__all__ = ["TorchClassifier", "import_torch", "load_network"]


def import_torch() -> Any:
    """The torch module; raises MissingExtra when it is not installed."""
    return _import("torch")


def import_transformers() -> Any:
    """The transformers module, told to stay off the network; raises MissingExtra when it is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is loaded from folders
    transformers = _import("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def _import(package: str) -> Any:
    try:
        return importlib.import_module(package)  # several seconds, and not installed everywhere
    except ImportError:
        raise MissingExtra(package, "train") from None


def load_network(path: Path, **changes: Any) -> Any:
    """The sequence classifier in a folder, in float32 on the CPU; `changes` override its configuration.

    Only safetensors are read and no code of the folder is run. Raises Misconfigured when there is no usable model.
    """
    import_torch()
    transformers = import_transformers()
    if not (path / TORCH_FILE).is_file() and not (path / f"{TORCH_FILE}.index.json").is_file():
        message = f"the model folder {path} has no {TORCH_FILE}: only safetensors are loaded"
        raise Misconfigured(message)
    try:
        return transformers.AutoModelForSequenceClassification.from_pretrained(
            path,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="float32",
            **changes,
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        message = f"the model in {path} cannot be loaded: {reason}"
        raise Misconfigured(message) from None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tokenised batch: each group's rows have similar lengths."""

    passages: list[Passage]
    groups: list[tuple[list[int], torch.Tensor, torch.Tensor]]
    """Places in the batch, ids, attention mask."""


class TorchClassifier:
    """A fine-tuned encoder on torch; its weights stay on the device, in bfloat16 where a GPU knows it.

    `version` is of the float32 weights, whatever the device.
    """

    def __init__(self, folder: ModelFolder, device: str = "cpu", threads: int = 0, max_tokens: int = 512) -> None:
        """Load the weights onto the device; `threads` is for the CPU, for the whole process, 0 leaves it to torch."""
        torch = import_torch()
        if device == "cuda" and not torch.cuda.is_available():
            message = "`model.device` is cuda; torch finds no GPU here"
            raise Misconfigured(message)
        weights = folder.require(TORCH_FILE, "make it with `bearometer train`, or use --device cpu")
        if threads:
            torch.set_num_threads(threads)
        self._torch = torch
        self._folder = folder
        self._device = torch.device(device)
        self._version = folder.version(weights, "torch")
        self._tokeniser = Tokeniser.open(folder.path / TOKENIZER_FILE, min(max_tokens, folder.max_tokens))
        # A GPU is busy from some ten thousands of tokens on; a CPU's caches hold the activations of a thousand.
        self._group_tokens = 65_536 if device == "cuda" else 1_024
        dtype = torch.bfloat16 if device == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
        self._network = load_network(folder.path).eval().to(device=self._device, dtype=dtype)

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self._version

    def prepare(self, passages: Sequence[Passage]) -> Prepared:
        """Tokenise, and group by length so that little is padded."""
        rows = self._tokeniser.encode([passage.text for passage in passages])
        groups = pad_groups(rows, self._group_tokens, self._folder.pad_id)
        return Prepared(list(passages), [(places, self._ready(ids), self._ready(mask)) for places, ids, mask in groups])

    def _ready(self, array: Ids) -> torch.Tensor:
        tensor: torch.Tensor = self._torch.from_numpy(array)
        # Pinned memory lets the copy to the GPU run beside the pass before it.
        return tensor.pin_memory() if self._device.type == "cuda" else tensor

    def classify(self, prepared: Prepared) -> list[Judgement | None]:
        """One forward pass per group; raises Failed when the GPU's memory does not hold a group."""
        torch = self._torch
        outputs = []
        try:
            with torch.inference_mode():
                for _, ids, mask in prepared.groups:
                    logits = self._network(
                        input_ids=ids.to(self._device, non_blocking=True),
                        attention_mask=mask.to(self._device, non_blocking=True),
                    ).logits
                    outputs.append(logits.float())
                # The first copy back waits for the GPU: all passes are queued before it.
                arrays = [output.cpu().numpy() for output in outputs]
        except torch.cuda.OutOfMemoryError:
            message = f"the GPU has no memory for a group of {self._group_tokens} tokens; lower `stream.batch_size`"
            raise Failed(message) from None
        probabilities = np.full((len(prepared.passages), 3), np.nan)
        for (places, _, _), array in zip(prepared.groups, arrays, strict=True):
            probabilities[places] = softmax(array[:, self._folder.label_order])
        return judge(prepared.passages, probabilities)
