"""The classifier on ONNX Runtime: CPUs, without torch."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnxruntime

from bearometer.errors import Misconfigured
from model.answer import Outputs, judge
from model.classifier import Judgement, Passage
from model.folder import FP32_FILE, INT8_FILE, TOKENIZER_FILE, ModelFolder
from model.groups import Group, Prepared, group_passages
from model.tokenise import Tokeniser

__all__ = ["OUTPUTS", "OnnxClassifier"]

GROUP_TOKENS = 512
"""Tokens of one forward pass, padding counted: what keeps the activations in a core's cache."""

SLOWER_FUSED = ["SkipLayerNormFusion"]
"""What the runtime had better not do: a pass with it takes 1.1 times as long in float32, 1.4 times in int8 (measured on
onnxruntime 1.32 with AVX-512)."""

OUTPUTS = ("text", "mentions", "topics")
"""What our exports give; a single other output holds the whole text's logits."""


class OnnxClassifier:
    """An exported classifier; prefers the int8 weights of its folder to the fp32 ones."""

    def __init__(
        self, folder: ModelFolder, threads: int = 0, max_tokens: int = 512, group_tokens: int = GROUP_TOKENS
    ) -> None:
        """Load the weights; `threads` 0 takes as many as there are cores that this process may use.

        Each thread runs whole groups by itself: threads that share a pass wait for each other at each of its steps.
        """
        kind, weights = "int8", folder.file(INT8_FILE)
        if weights is None:
            kind = "fp32"
            weights = folder.require(FP32_FILE, f"nor {INT8_FILE}; make them with `bearometer export`")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._folder = folder
        self._group_tokens = group_tokens
        self._threads = threads or _cores()
        self._pool = ThreadPoolExecutor(self._threads, "classify") if self._threads > 1 else None
        self._version = folder.version(weights, kind)
        self._tokeniser = Tokeniser.open(folder.path / TOKENIZER_FILE, min(max_tokens, folder.max_tokens))
        self._session = _open_session(weights, options)
        self._has_heads = _has_heads(weights, self._session, folder)

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self._version

    def prepare(self, passages: Sequence[Passage]) -> Prepared:
        """Tokenise, find the entities, and group by length so that little is padded."""
        return group_passages(passages, self._tokeniser, self._group_tokens, self._folder.pad_id, self._threads)

    def classify(self, prepared: Prepared) -> list[Judgement | None]:
        """One forward pass per group."""
        run = self._pool.map if self._pool and len(prepared.groups) > 1 else map
        return judge(prepared, list(run(self._run, prepared.groups)), self._folder)

    def _run(self, group: Group) -> Outputs:
        inputs = {"input_ids": group.ids, "attention_mask": group.mask}
        if self._has_heads:
            return Outputs(*self._session.run(OUTPUTS, {**inputs, "spans": group.spans}))
        return Outputs(*self._session.run(None, inputs))


def _cores() -> int:
    # Not every system knows which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _open_session(weights: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(
            str(weights), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER_FUSED
        )
    except Exception as error:  # the library's errors share no base class but this
        reason = str(error).strip().splitlines()[0]
        message = f"the weights {weights} cannot be loaded: {reason}"
        raise Misconfigured(message) from None


def _has_heads(weights: Path, session: onnxruntime.InferenceSession, folder: ModelFolder) -> bool:
    """Whether the weights answer for mentions and topics too; raises Misconfigured when they fit neither form."""
    outputs = {output.name: output.shape for output in session.get_outputs()}
    if len(outputs) == 1 and not folder.topics:
        return False
    if outputs.keys() != set(OUTPUTS) or outputs["topics"][-1] != len(folder.topics):
        message = f"the weights {weights} give {outputs}, which is not what {folder.path} describes; export them again"
        raise Misconfigured(message)
    return True
