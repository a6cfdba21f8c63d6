"""From a trained network to an ONNX graph in float32."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bearometer.errors import Failed
from model.extras import import_torch
from model.folder import ModelFolder
from model.onnx import OUTPUTS
from model.torch import load_network

if TYPE_CHECKING:
    import onnx

__all__ = ["trace"]


def trace(folder: ModelFolder) -> onnx.ModelProto:
    """The graph of a folder's network; takes from half a minute to minutes, most of it in torch's exporter.

    Inputs: input_ids [B, T] and attention_mask [B, T], int64, and for our own networks spans [B, E, T], float32.
    Outputs: logits, or for our own networks text, mentions and topics, as in `model.network.Logits`.
    """
    torch = import_torch()
    # Attention written out: the fused kernels of torch have no counterpart in ONNX.
    network = load_network(folder, attn_implementation="eager")

    class WithoutHeads(torch.nn.Module):  # type: ignore[name-defined,misc]
        """A sequence classifier made by others, with plain tensors in and out."""

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return network(input_ids=input_ids, attention_mask=attention_mask).logits

    class WithHeads(torch.nn.Module):  # type: ignore[name-defined,misc]
        """Our network, with plain tensors in and out."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any, spans: Any) -> Any:
            return tuple(self.network(input_ids, attention_mask, spans))

    ids = torch.full((2, 12), 5)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    rows, tokens, mentions = (torch.export.Dim(name) for name in ("rows", "tokens", "mentions"))
    inputs = {"input_ids": (ids, {0: rows, 1: tokens}), "attention_mask": (mask, {0: rows, 1: tokens})}
    if folder.topics:
        inputs["spans"] = (torch.full((2, 3, 12), 1 / 12), {0: rows, 1: mentions, 2: tokens})
    with _quiet_exporter():
        program = torch.onnx.export(
            (WithHeads() if folder.topics else WithoutHeads()).eval(),
            tuple(example for example, _ in inputs.values()),
            dynamo=True,
            verbose=False,
            input_names=list(inputs),
            output_names=list(OUTPUTS) if folder.topics else ["logits"],
            dynamic_shapes={name: shape for name, (_, shape) in inputs.items()},
        )
    if program is None:
        message = f"torch could not export the model in {folder.path}"
        raise Failed(message)
    model: onnx.ModelProto = program.model_proto
    _forget_where_it_was_made(model)
    return model


def _forget_where_it_was_made(model: onnx.ModelProto) -> None:
    """Take away the exporter's notes: each node has the lines of code that it came from, with this machine's paths."""
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del holder.metadata_props[:]


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's own chatter away: that torchvision is not installed, and its deprecations inside torch."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*The axis name: .* will not be used", category=UserWarning)
            yield
    finally:
        logger.setLevel(level)
