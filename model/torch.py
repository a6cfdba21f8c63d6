"""The classifier on torch: resident on the GPU where there is one, on the CPU otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bearometer.errors import Failed, Misconfigured
from model.answer import Outputs, judge
from model.classifier import Judgement, Passage
from model.extras import import_torch, import_transformers
from model.folder import TOKENIZER_FILE, TORCH_FILE, ModelFolder
from model.groups import Prepared, group_passages
from model.network import load_trained
from model.tokenise import Tokeniser

if TYPE_CHECKING:
    import torch

__all__ = ["TorchClassifier", "load_network"]


def load_network(folder: ModelFolder, **changes: Any) -> Any:
    """The network in a folder, in float32 on the CPU; `changes` override its encoder's configuration.

    Ours has three heads (see `model.network`); a folder made by others has a sequence classifier of transformers. Only
    safetensors are read and no code of the folder is run. Raises Misconfigured when there is no usable model.
    """
    import_torch()
    transformers = import_transformers()
    path = folder.path
    if not (path / TORCH_FILE).is_file() and not (path / f"{TORCH_FILE}.index.json").is_file():
        message = f"the model folder {path} has no {TORCH_FILE}: only safetensors are loaded"
        raise Misconfigured(message)
    if folder.topics:
        return load_trained(path, folder.topics, **changes)
    try:
        network = transformers.AutoModelForSequenceClassification.from_pretrained(
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
    return network.eval()


@dataclass(frozen=True, slots=True)
class TorchPrepared:
    """A tokenised batch, and for each of its groups the tensors: ids, attention mask, spans."""

    prepared: Prepared
    tensors: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


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
        self._network = load_network(folder).to(device=self._device, dtype=dtype)

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self._version

    def prepare(self, passages: Sequence[Passage]) -> TorchPrepared:
        """Tokenise, find the entities, and group by length so that little is padded."""
        prepared = group_passages(passages, self._tokeniser, self._group_tokens, self._folder.pad_id)
        return TorchPrepared(
            prepared,
            [(self._ready(group.ids), self._ready(group.mask), self._ready(group.spans)) for group in prepared.groups],
        )

    def _ready(self, array: Any) -> torch.Tensor:
        tensor: torch.Tensor = self._torch.from_numpy(array)
        # Pinned memory lets the copy to the GPU run beside the pass before it.
        return tensor.pin_memory() if self._device.type == "cuda" else tensor

    def classify(self, prepared: TorchPrepared) -> list[Judgement | None]:
        """One forward pass per group; raises Failed when the GPU's memory does not hold a group."""
        torch = self._torch
        try:
            with torch.inference_mode():
                outputs = [
                    self._run(*(part.to(self._device, non_blocking=True) for part in each)) for each in prepared.tensors
                ]
                # The first copy back waits for the GPU: all passes are queued before it.
                arrays = [Outputs(*(part.float().cpu().numpy() for part in output)) for output in outputs]
        except torch.cuda.OutOfMemoryError:
            message = f"the GPU has no memory for a group of {self._group_tokens} tokens; lower `stream.batch_size`"
            raise Failed(message) from None
        return judge(prepared.prepared, arrays, self._folder)

    def _run(self, ids: torch.Tensor, mask: torch.Tensor, spans: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self._folder.topics:
            return tuple(self._network(ids, mask, spans))
        return (self._network(input_ids=ids, attention_mask=mask).logits,)
