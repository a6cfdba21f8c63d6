"""Back from the int8 file that ships to numbers that can be trained: what `model/quantise.py` did, undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bearometer.errors import Misconfigured
from model.extras import import_extra

if TYPE_CHECKING:
    import onnx

__all__ = ["thaw"]

NETWORK = "network."
"""What the tracer puts before the name of each weight."""
PRODUCTS = frozenset({"MatMul", "MatMulIntegerToFloat"})

Floats = npt.NDArray[np.float32]


def thaw(path: Path) -> dict[str, Floats]:
    """The weights of an ONNX file that `bearometer export` wrote, by the names that they have in the network.

    They are those of the int8 file exactly: what the rounding took is not given back. A weight that the exporter gave
    a name of its own (all those that it transposed) is found by the bias that is added to its product. Raises
    Misconfigured when the file cannot be read, MissingExtra without onnx.
    """
    library: Any = import_extra("onnx")
    try:
        model = library.load(path)
    except Exception as error:  # the parser of the format raises its own kind
        message = f"{path} cannot be read: {type(error).__name__}"
        raise Misconfigured(message) from None
    arrays = {tensor.name: library.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    floats = dict(_rescaled(arrays))
    named = {name: array for name, array in floats.items() if name.startswith(NETWORK)}
    for bias, product in _biases(model.graph):
        weight = floats.get(product.input[1].removesuffix(".int8"))
        if weight is not None:
            named[f"{bias.removesuffix('.bias')}.weight"] = np.ascontiguousarray(weight.T)
    return {name.removeprefix(NETWORK): array for name, array in named.items()}


def _rescaled(arrays: dict[str, Any]) -> Iterator[tuple[str, Floats]]:
    """Every matrix and vector in float32: int8 ones times their scales, by their names before they were int8."""
    for name, array in arrays.items():
        if name.endswith(".int8"):
            original = name.removesuffix(".int8")
            yield original, array.astype(np.float32) * arrays[f"{original}.scale"]
        elif array.dtype == np.float32 and not name.endswith(".scale"):
            yield name, array


def _biases(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.NodeProto]]:
    """Each bias of the network with the product that it is added to."""
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        names = [name for name in node.input if name.startswith(NETWORK) and name.endswith(".bias")]
        if node.op_type != "Add" or len(names) != 1:
            continue
        (value,) = (name for name in node.input if name != names[0])
        product = makers.get(value)
        if product is not None and product.op_type == "Mul":  # int8: the product by its rows' scales
            product = makers.get(product.input[0])
        if product is not None and product.op_type in PRODUCTS:
            yield names[0], product
