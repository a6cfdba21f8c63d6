"""int8 weights for an exported encoder, with activations quantised token by token.

ONNX Runtime's own dynamic quantisation takes one scale for a whole batch's activations, so that a text's answer
depends on which texts share its batch. Here each token's vector has its own scale: an answer depends on its text
alone, and the steps are finer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

__all__ = ["quantise"]

WEIGHT_LIMIT = 63
"""Seven bits: CPUs without VNNI add pairs of products in 16 bits, which eight bits would overflow."""
ACTIVATION_LIMIT = 127.0
ZERO_POINT = 128
GELU_BOUND = 0.17
"""Gelu is nowhere below -0.16997, so that its largest size is known from its largest value."""


def quantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose matrix products with constant weights, and whose embedding tables, are int8.

    For y = xW + b: each row of x is divided by its own scale max|row| / 127 and rounded, each column of W likewise to
    seven bits; the integer product is multiplied by both scales. Products of two activations (attention) stay float,
    and so does what comes behind the encoder: pooling and heads.
    """
    import onnx  # noqa: PLC0415 - not installed where models are only run

    quantised = onnx.ModelProto()
    quantised.CopyFrom(model)
    rewriter = _Rewriter(quantised, onnx)
    rewriter.run()
    domains = {entry.domain for entry in quantised.opset_import}
    if "com.microsoft" not in domains:
        quantised.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.checker.check_model(quantised)
    return quantised


class _Rewriter:
    def __init__(self, model: onnx.ModelProto, onnx_module: Any) -> None:
        self.graph = model.graph
        self.onnx = onnx_module
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.rows: dict[str, tuple[str, str]] = {}

    def run(self) -> None:
        """Rewrite node by node, in order, then drop the float weights that nobody reads any more."""
        self.constant("quantise.one", np.float32(1))
        self.constant("quantise.tiny", np.float32(1e-12))
        self.constant("quantise.inverse_limit", np.float32(1 / ACTIVATION_LIMIT))
        self.constant("quantise.gelu_bound", np.float32(GELU_BOUND))
        self.constant("quantise.zero_point", np.uint8(ZERO_POINT))
        self.constant("quantise.flat", np.array([-1], dtype=np.int64))
        self.constant("quantise.last_axis", np.array([-1], dtype=np.int64))
        float_nodes = _heads(self.graph)
        for node in list(self.graph.node):
            if node.output[0] in float_nodes:
                self.nodes.append(node)
                continue
            weight = self.weights.get(node.input[1]) if node.op_type in {"MatMul", "Gemm"} else None
            if weight is not None and len(weight.dims) == 2 and _is_plain(node):
                self.rewrite_product(node, self.array(weight))
            elif node.op_type == "Gather" and self.is_table(node):
                self.rewrite_lookup(node)
            else:
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        read = {name for node in self.nodes for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in read]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
        del self.graph.value_info[:]  # shapes of values that are gone

    def rewrite_product(self, node: onnx.NodeProto, weight: npt.NDArray[np.float32]) -> None:
        """Replace x @ W (and the bias of a Gemm)."""
        if any(a.name == "transB" and a.i for a in node.attribute):
            weight = weight.T
        name = node.input[1]
        scale = np.maximum(np.abs(weight).max(axis=0) / WEIGHT_LIMIT, 1e-12).astype(np.float32)
        self.constant(f"{name}.int8", np.rint(weight / scale).astype(np.int8))
        self.constant(f"{name}.scale", scale)
        quantised, row_scale = self.quantise_rows(node.input[0])
        output = node.output[0]
        has_bias = node.op_type == "Gemm" and len(node.input) == 3
        scaled = f"{output}.scaled" if has_bias else output
        self.add(
            "MatMulIntegerToFloat",
            [quantised, f"{name}.int8", "quantise.one", f"{name}.scale", "quantise.zero_point"],
            f"{output}.integer",
            domain="com.microsoft",
        )
        self.add("Mul", [f"{output}.integer", row_scale], scaled)
        if has_bias:
            self.add("Add", [scaled, node.input[2]], output)

    def quantise_rows(self, value: str) -> tuple[str, str]:
        """The int8 form of a value [..., K] and its scales [..., 1]; made once for all that read it."""
        if value not in self.rows:
            high, low = value, "quantise.gelu_bound"
            if not self.is_gelu(value):
                high, low = f"{value}.abs", "quantise.tiny"
                self.add("Abs", [value], high)
            self.add("ReduceMax", [high, "quantise.last_axis"], f"{value}.high", keepdims=1)
            self.add("Max", [f"{value}.high", low], f"{value}.max")
            self.add("Mul", [f"{value}.max", "quantise.inverse_limit"], f"{value}.row_scale")
            # QuantizeLinear takes a scale per row of a matrix only.
            self.add("Reshape", [f"{value}.row_scale", "quantise.flat"], f"{value}.scales")
            self.add("Shape", [value], f"{value}.shape")
            self.add("Shape", [value], f"{value}.width", start=-1)
            self.add("Concat", ["quantise.flat", f"{value}.width"], f"{value}.matrix_shape", axis=0)
            self.add("Reshape", [value, f"{value}.matrix_shape"], f"{value}.matrix")
            self.add("Shape", [f"{value}.scales"], f"{value}.count")
            self.add("Expand", ["quantise.zero_point", f"{value}.count"], f"{value}.zero_points")
            self.add(
                "QuantizeLinear",
                [f"{value}.matrix", f"{value}.scales", f"{value}.zero_points"],
                f"{value}.matrix_int8",
                axis=0,
            )
            self.add("Reshape", [f"{value}.matrix_int8", f"{value}.shape"], f"{value}.int8")
            self.rows[value] = (f"{value}.int8", f"{value}.row_scale")
        return self.rows[value]

    def is_gelu(self, value: str) -> bool:
        """Whether a value comes straight from a Gelu."""
        return any(node.op_type == "Gelu" and value in node.output for node in self.nodes[-1:])

    def is_table(self, node: onnx.NodeProto) -> bool:
        """Whether a Gather looks rows up in a big float table."""
        table = self.weights.get(node.input[0])
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        return (
            table is not None
            and axis == 0
            and len(table.dims) == 2
            and table.data_type == self.onnx.TensorProto.FLOAT
            and table.dims[0] * table.dims[1] > 100_000
        )

    def rewrite_lookup(self, node: onnx.NodeProto) -> None:
        """Replace table[ids] by int8 rows times their scales: each row of the table has its own."""
        name, ids, output = node.input[0], node.input[1], node.output[0]
        table = self.array(self.weights[name])
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True) / ACTIVATION_LIMIT, 1e-12).astype(np.float32)
        self.constant(f"{name}.int8", np.rint(table / scale).astype(np.int8))
        self.constant(f"{name}.scale", scale)
        self.add("Gather", [f"{name}.int8", ids], f"{output}.rows_int8", axis=0)
        self.add("Gather", [f"{name}.scale", ids], f"{output}.row_scales", axis=0)
        self.add("Cast", [f"{output}.rows_int8"], f"{output}.rows", to=self.onnx.TensorProto.FLOAT)
        self.add("Mul", [f"{output}.rows", f"{output}.row_scales"], output)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """Append a node."""
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], name=f"{output}:{kind}", **attributes))

    def constant(self, name: str, value: Any) -> None:
        """Add a weight, once."""
        if name not in self.weights:
            tensor = self.onnx.numpy_helper.from_array(np.asarray(value), name)
            self.weights[name] = tensor
            self.graph.initializer.append(tensor)

    def array(self, tensor: onnx.TensorProto) -> npt.NDArray[np.float32]:
        """A weight's numbers."""
        numbers: npt.NDArray[np.float32] = self.onnx.numpy_helper.to_array(tensor)
        return numbers


def _heads(graph: onnx.GraphProto) -> set[str]:
    """The outputs of all nodes behind the encoder: of those that the product with `spans` does not need.

    They are a hundredth of the work, and their numbers decide the answer.
    """
    makers = {name: node for node in graph.node for name in node.output}
    pooling = [node for node in graph.node if node.op_type == "MatMul" and node.input[0] == "spans"]
    if not pooling:
        return set()
    needed: set[str] = set()
    waiting = [pooling[0].input[1]]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += makers[name].input if name in makers else ()
    return makers.keys() - needed


def _is_plain(node: onnx.NodeProto) -> bool:
    plain = {"alpha": 1.0, "beta": 1.0}
    attributes = {a.name: a for a in node.attribute}
    return all(attributes[name].f == value for name, value in plain.items() if name in attributes) and not (
        "transA" in attributes and attributes["transA"].i
    )
