"""Layer normalisation and channel attention in TFLite operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

from .operators import Operators, Tensor

_SMALLEST_NORM = 1e-12
_OTHER_HEAD = -1e9
"""Added to scores that must not count: their exponential is zero."""


def layer_norm(
    operators: Operators,
    name: str,
    x: Tensor,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    epsilon: float,
) -> Tensor:
    """At every position (x - mean) / sqrt(variance + epsilon) * weight + bias over the channels."""
    parts = _Parts(operators, name)
    whole, narrow = (1, x.rows, x.columns, x.channels), (1, x.rows, x.columns, 1)
    mean = parts.reduce("MEAN", "mean", x.index, 3, narrow, (1, 2))
    deviation = parts.append("SUB", "deviation", [x.index, mean], whole, (1, 2))
    square = parts.append("MUL", "square", [deviation, deviation], whole, (1, 2))
    variance = parts.reduce("MEAN", "variance", square, 3, narrow, (1, 2))
    positive = parts.append("ADD", "positive", [variance, parts.number("epsilon", epsilon)], narrow, (1, 2))
    factor = parts.append("RSQRT", "factor", [positive], narrow, (1, 2))
    normal = parts.append("MUL", "normal", [deviation, factor], whole, (1, 2))
    scaled = parts.append("MUL", "scaled", [normal, parts.constant("weight", weight)], whole, (1, 2))
    output = operators.append("ADD", name, [scaled, parts.constant("bias", bias)], whole, (1, 2), schema.AddOptionsT())
    return Tensor(output, x.rows, x.columns, x.channels)


def channel_attention(
    operators: Operators, name: str, q: Tensor, k: Tensor, v: Tensor, temperature: NDArray[np.float32]
) -> Tensor:
    """`ChannelAttention`, all heads at once: scores between channels of different heads get no weight.

    Let N be the number of positions and C that of channels. The scores [C, C] are products over the
    positions; a position of v is weighted as a row vector.
    """
    parts = _Parts(operators, name)
    positions, channels = q.rows * q.columns, q.channels
    square = (1, channels, channels)
    q_columns, k_columns = parts.flat("q", q), parts.flat("k", k)
    order = parts.constant("order", np.array([0, 2, 1], np.int32))
    q_rows = parts.append("TRANSPOSE", "q_rows", [q_columns, order], (1, channels, positions), (2,))
    q_norm = parts.norm("q", q_rows, 2, (1, channels, positions), (1, channels, 1))
    k_norm = parts.norm("k", k_columns, 1, (1, positions, channels), (1, 1, channels))
    head = np.repeat(np.arange(temperature.size), channels // temperature.size)
    factors = parts.constant("temperature", temperature.ravel()[head].reshape(1, channels, 1))
    others = np.where(head[:, None] == head, 0, _OTHER_HEAD).astype(np.float32)[np.newaxis]
    scores = parts.append("BATCH_MATMUL", "scores", [q_rows, k_columns], square, ())
    scores = parts.append("DIV", "by_q", [scores, q_norm], square, ())
    scores = parts.append("DIV", "by_k", [scores, k_norm], square, ())
    scores = parts.append("MUL", "scaled", [scores, factors], square, ())
    scores = parts.append("ADD", "own", [scores, parts.constant("others", others)], square, ())
    weights = parts.append("SOFTMAX", "shares", [scores], square, ())
    shape = parts.constant("shape", np.array([1, 1, channels, channels], np.int32))
    weights = parts.append("RESHAPE", "weights", [weights, shape], (1, 1, channels, channels), ())
    options = schema.BatchMatMulOptionsT()
    options.adjY = True
    output = operators.append(
        "BATCH_MATMUL", name, [v.index, weights], (1, v.rows, v.columns, channels), (1, 2), options
    )
    return Tensor(output, v.rows, v.columns, channels)


class _Parts:
    """The operators inside a block; their tensors are called after the block."""

    def __init__(self, operators: Operators, name: str) -> None:
        self._operators = operators
        self._name = name

    def append(
        self, operator: str, part: str, inputs: list[int], shape: tuple[int, ...], dynamic: tuple[int, ...]
    ) -> int:
        return self._operators.append(operator, f"{self._name}_{part}", inputs, shape, dynamic, _options(operator))

    def constant(self, part: str, values: NDArray[Any]) -> int:
        return self._operators.builder.constant(f"{self._name}_{part}", values)

    def number(self, part: str, value: float) -> int:
        return self.constant(part, np.full(1, value, np.float32))

    def reduce(
        self, operator: str, part: str, x: int, axis: int, shape: tuple[int, ...], dynamic: tuple[int, ...]
    ) -> int:
        """MEAN or SUM along one axis, which stays with size 1."""
        axes = self.constant(f"{part}_axis", np.array([axis], np.int32))
        return self.append(operator, part, [x, axes], shape, dynamic)

    def flat(self, part: str, x: Tensor) -> int:
        """[1, positions, channels]."""
        shape = self.constant("flat", np.array([1, -1, x.channels], np.int32))
        return self.append("RESHAPE", part, [x.index, shape], (1, x.rows * x.columns, x.channels), (1,))

    def norm(self, part: str, x: int, axis: int, shape: tuple[int, ...], reduced: tuple[int, ...]) -> int:
        """Euclidean norm along the axis of the positions, never zero."""
        square = self.append("MUL", f"{part}_square", [x, x], shape, (axis,))
        total = self.reduce("SUM", f"{part}_sum", square, axis, reduced, ())
        root = self.append("SQRT", f"{part}_root", [total], reduced, ())
        floor = self.number("smallest", _SMALLEST_NORM)
        return self.append("MAXIMUM", f"{part}_norm", [root, floor], reduced, ())


def _options(operator: str) -> Any:
    """The options table of an operator as used here."""
    match operator:
        case "MEAN" | "SUM":
            reducer = schema.ReducerOptionsT()
            reducer.keepDims = True
            return reducer
        case "SOFTMAX":
            softmax = schema.SoftmaxOptionsT()
            softmax.beta = 1.0
            return softmax
        case "RSQRT" | "SQRT":
            return None
    table = {"BATCH_MATMUL": "BatchMatMul", "MAXIMUM": "MaximumMinimum"}.get(operator, operator.capitalize())
    return getattr(schema, f"{table}OptionsT")()
