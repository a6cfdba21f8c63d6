"""The classifier on ONNX Runtime: CPUs, without torch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from bearometer.errors import Misconfigured
from model.answer import judge, softmax
from model.classifier import Judgement, Passage
from model.folder import FP32_FILE, INT8_FILE, TOKENIZER_FILE, ModelFolder
from model.tokenise import Ids, Tokeniser, pad_groups

__all__ = ["OnnxClassifier"]

GROUP_TOKENS = 1024
"""Tokens of one forward pass, padding counted: what keeps the activations in the cores' caches."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tokenised batch: each group's rows have similar lengths."""

    passages: list[Passage]
    groups: list[tuple[list[int], Ids, Ids]]
    """Places in the batch, ids, attention mask."""


class OnnxClassifier:
    """An exported classifier; prefers the int8 weights of its folder to the fp32 ones."""

    def __init__(
        self, folder: ModelFolder, threads: int = 0, max_tokens: int = 512, group_tokens: int = GROUP_TOKENS
    ) -> None:
        """Load the weights; `threads` 0 takes as many as there are cores that this process may use."""
        kind, weights = "int8", folder.file(INT8_FILE)
        if weights is None:
            kind = "fp32"
            weights = folder.require(FP32_FILE, f"nor {INT8_FILE}; make them with `bearometer export`")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _cores()
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take the cores that tokenising needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._folder = folder
        self._group_tokens = group_tokens
        self._version = folder.version(weights, kind)
        self._tokeniser = Tokeniser.open(folder.path / TOKENIZER_FILE, min(max_tokens, folder.max_tokens))
        self._session = _open_session(weights, options)

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self._version

    def prepare(self, passages: Sequence[Passage]) -> Prepared:
        """Tokenise, and group by length so that little is padded."""
        rows = self._tokeniser.encode([passage.text for passage in passages])
        return Prepared(list(passages), list(pad_groups(rows, self._group_tokens, self._folder.pad_id)))

    def classify(self, prepared: Prepared) -> list[Judgement | None]:
        """One forward pass per group."""
        probabilities = np.full((len(prepared.passages), 3), np.nan)
        for places, ids, mask in prepared.groups:
            (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
            probabilities[places] = softmax(logits[:, self._folder.label_order])
        return judge(prepared.passages, probabilities)


def _cores() -> int:
    # Not every system knows which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _open_session(weights: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors share no base class but this
        reason = str(error).strip().splitlines()[0]
        message = f"the weights {weights} cannot be loaded: {reason}"
        raise Misconfigured(message) from None
