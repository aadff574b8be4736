"""The TFLite operators that the networks need, with shape inference.

A tensor is an index into the file together with the shape it has at the authored size. Operators with an
argument `affine` compute in int8 when it is given; their inputs must then be int8, too. Those that only move
samples keep the type of their input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from ..quantisation.affine import Affine
from .model_builder import ModelBuilder, Quantisation

_CHANNEL_AXIS = 3

Shape = tuple[int, int, int]
"""Rows, columns, channels."""


class Activation(Enum):
    """Activation that TFLite fuses into an operator; the value is its name in the schema."""

    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"


@dataclass(frozen=True)
class Tensor:
    """An activation [1, rows, columns, channels]: float32, or int8 on a grid."""

    index: int
    rows: int
    columns: int
    channels: int
    affine: Affine | None = None


@dataclass(frozen=True)
class Border:
    """Rows and columns added to or taken from the four sides."""

    top: int
    left: int
    bottom: int
    right: int

    def __bool__(self) -> bool:
        return any((self.top, self.left, self.bottom, self.right))


class Operators:
    """Appends operators to a model; every method gives the output tensor, which is called `name`."""

    def __init__(self, builder: ModelBuilder) -> None:
        self.builder = builder

    def activation(self, name: str, rows: int, columns: int, channels: int) -> Tensor:
        """A tensor without an operator that makes it: an input."""
        index = self.builder.activation(name, (1, rows, columns, channels), dynamic=(1, 2))
        return Tensor(index, rows, columns, channels)

    def convolution(
        self, name: str, source: Tensor, weight: int, bias: int, *, kernel: tuple[int, int], channels: int,
        stride: int, same: bool, activation: Activation, affine: Affine | None = None,
    ) -> Tensor:  # fmt: skip
        """CONV_2D; `weight` is [channels, rows, columns, in / groups]; `same` pads to keep the size."""
        rows, columns = source.rows, source.columns
        if not same:
            rows = (rows - kernel[0]) // stride + 1
            columns = (columns - kernel[1]) // stride + 1
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME if same else schema.Padding.VALID
        options.strideH = options.strideW = stride
        inputs = [source.index, weight, bias]
        return self._append("CONV_2D", name, inputs, (rows, columns, channels), options, activation, affine)

    def depthwise_convolution(
        self, name: str, source: Tensor, weight: int, bias: int, activation: Activation, affine: Affine | None = None
    ) -> Tensor:
        """DEPTHWISE_CONV_2D that keeps size and channels; `weight` is [1, rows, columns, channels]."""
        options = schema.DepthwiseConv2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = options.depthMultiplier = 1
        shape = (source.rows, source.columns, source.channels)
        inputs = [source.index, weight, bias]
        return self._append("DEPTHWISE_CONV_2D", name, inputs, shape, options, activation, affine)

    def pad(self, name: str, source: Tensor, border: Border) -> Tensor:
        """PAD with zeros."""
        paddings = np.array([[0, 0], [border.top, border.bottom], [border.left, border.right], [0, 0]], np.int32)
        inputs = [source.index, self.builder.constant(f"{name}_paddings", paddings)]
        rows = source.rows + border.top + border.bottom
        columns = source.columns + border.left + border.right
        shape = (rows, columns, source.channels)
        return self._append("PAD", name, inputs, shape, schema.PadOptionsT(), affine=source.affine)

    def trim(self, name: str, source: Tensor, border: Border) -> Tensor:
        """STRIDED_SLICE without the rows and columns of `border`."""
        rows = source.rows - border.top - border.bottom
        columns = source.columns - border.left - border.right
        begin, end = (border.top, border.left, 0), (-border.bottom, -border.right, 0)
        return self._strided_slice(name, source, begin, end, (rows, columns, source.channels))

    def slice_channels(self, name: str, source: Tensor, start: int, stop: int) -> Tensor:
        """STRIDED_SLICE with the channels start..stop-1."""
        end = (0, 0, stop - source.channels)
        return self._strided_slice(name, source, (0, 0, start), end, (source.rows, source.columns, stop - start))

    def depth_to_space(self, name: str, source: Tensor, factor: int) -> Tensor:
        """DEPTH_TO_SPACE: channel (row * factor + column) * C + c becomes channel c."""
        options = schema.DepthToSpaceOptionsT()
        options.blockSize = factor
        shape = (source.rows * factor, source.columns * factor, source.channels // (factor * factor))
        return self._append("DEPTH_TO_SPACE", name, [source.index], shape, options, affine=source.affine)

    def multiply(
        self, name: str, left: Tensor, right: Tensor, activation: Activation, affine: Affine | None = None
    ) -> Tensor:
        """MUL; `right` may have one channel for all."""
        return self._elementwise("MUL", name, [left, right], schema.MulOptionsT(), activation, affine)

    def add(
        self, name: str, left: Tensor, right: Tensor, activation: Activation, affine: Affine | None = None
    ) -> Tensor:
        """ADD."""
        return self._elementwise("ADD", name, [left, right], schema.AddOptionsT(), activation, affine)

    def quantise(self, name: str, source: Tensor, affine: Affine) -> Tensor:
        """QUANTIZE a float32 tensor, or an int8 one from its grid to another; values beyond the grid saturate."""
        return self._elementwise("QUANTIZE", name, [source], affine=affine)

    def dequantise(self, name: str, source: Tensor) -> Tensor:
        """DEQUANTIZE to float32."""
        return self._elementwise("DEQUANTIZE", name, [source])

    def constant_as_float32(self, name: str, stored: int, shape: Sequence[int], version: int) -> int:
        """DEQUANTIZE of a constant, which runtimes do once when they load the file; gives the tensor's index."""
        output = self.builder.activation(name, shape, ())
        self.builder.operator("DEQUANTIZE", [stored], output, None, version)
        return output

    def unary(self, operator: str, name: str, source: Tensor) -> Tensor:
        """An element-wise operator without options: RELU, RELU6, ELU, LOGISTIC, ABS."""
        return self._elementwise(operator, name, [source])

    def leaky_relu(self, name: str, source: Tensor, slope: float) -> Tensor:
        """LEAKY_RELU."""
        options = schema.LeakyReluOptionsT()
        options.alpha = slope
        return self._elementwise("LEAKY_RELU", name, [source], options)

    def concatenation(self, name: str, sources: Sequence[Tensor]) -> Tensor:
        """CONCATENATION along the channels."""
        shape = (sources[0].rows, sources[0].columns, sum(source.channels for source in sources))
        return self._concatenation(name, sources, _CHANNEL_AXIS, shape)

    def repeat_last(self, name: str, source: Tensor) -> Tensor:
        """One more row and one more column, repeating the last ones."""
        rows, columns, channels = source.rows, source.columns, source.channels
        row = self._strided_slice(f"{name}_row", source, (-1, 0, 0), (0, 0, 0), (1, columns, channels))
        taller = self._concatenation(f"{name}_taller", [source, row], 1, (rows + 1, columns, channels))
        column = self._strided_slice(f"{name}_column", taller, (0, -1, 0), (0, 0, 0), (rows + 1, 1, channels))
        return self._concatenation(name, [taller, column], 2, (rows + 1, columns + 1, channels))

    def _elementwise(
        self, operator: str, name: str, sources: Sequence[Tensor], options: Any = None,
        activation: Activation = Activation.NONE, affine: Affine | None = None,
    ) -> Tensor:  # fmt: skip
        shape = (sources[0].rows, sources[0].columns, sources[0].channels)
        inputs = [source.index for source in sources]
        mixed = any(source.affine is not None for source in sources)
        return self._append(operator, name, inputs, shape, options, activation, affine, reads_int8=mixed)

    def _strided_slice(self, name: str, source: Tensor, begin: Shape, end: Shape, shape: Shape) -> Tensor:
        """Negative begins and all ends count from the far side, for the slice to follow a resized tensor."""
        options = schema.StridedSliceOptionsT()
        options.endMask = sum(1 << axis for axis, value in enumerate((0, *end)) if value == 0)
        inputs = [
            source.index,
            self.builder.constant(f"{name}_begin", np.array((0, *begin), np.int32)),
            self.builder.constant(f"{name}_end", np.array((0, *end), np.int32)),
            self.builder.constant(f"{name}_strides", np.ones(4, np.int32)),
        ]
        return self._append("STRIDED_SLICE", name, inputs, shape, options, affine=source.affine)

    def _concatenation(self, name: str, sources: Sequence[Tensor], axis: int, shape: Shape) -> Tensor:
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        inputs = [source.index for source in sources]
        return self._append("CONCATENATION", name, inputs, shape, options, affine=sources[0].affine)

    def append(
        self, operator: str, name: str, inputs: Sequence[int], shape: Sequence[int], dynamic: Sequence[int],
        options: Any = None,
    ) -> int:  # fmt: skip
        """Any float32 operator with an output of any shape, `dynamic` along some axes; gives the tensor's index."""
        output = self.builder.activation(name, shape, dynamic)
        self.builder.operator(operator, inputs, output, options)
        return output

    def _append(
        self, operator: str, name: str, inputs: Sequence[int], shape: Shape, options: Any = None,
        activation: Activation = Activation.NONE, affine: Affine | None = None, reads_int8: bool = False,
    ) -> Tensor:  # fmt: skip
        if activation is not Activation.NONE:
            options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation.value)
        output = self.builder.activation(name, (1, *shape), (1, 2), _quantisation(affine))
        self.builder.operator(operator, inputs, output, options, _version(operator, affine is not None, reads_int8))
        return Tensor(output, *shape, affine)


def _quantisation(affine: Affine | None) -> Quantisation | None:
    return None if affine is None else Quantisation(np.array([affine.scale], np.float32), affine.zero_point)


def _version(operator: str, writes_int8: bool, reads_int8: bool) -> int:
    """The first version of the operator that has the types in use."""
    match operator:
        case "CONV_2D" | "DEPTHWISE_CONV_2D" if writes_int8:
            return 3
        case "QUANTIZE" | "DEQUANTIZE":
            return 2 if reads_int8 else 1
    return 2 if writes_int8 else 1
