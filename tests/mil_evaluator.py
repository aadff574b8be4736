"""Evaluates a saved Core ML package with NumPy, as Core ML itself runs on Apple's systems only.

The package is read back from its files, so that what is evaluated is what a phone gets: the program and the
weights as they are stored. Every operation is computed in float32 at least and rounded to the type of its
output, as a machine with exact inner sums would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from coremltools.converters.mil.frontend.milproto.load import load  # type: ignore[import,unused-ignore]
from coremltools.converters.mil.mil import types  # type: ignore[import,unused-ignore]
from coremltools.models import MLModel  # type: ignore[import,unused-ignore]
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class MilOperation:
    """One operation of a program."""

    kind: str
    sources: Mapping[str, str]
    """Argument -> kind of the operation that makes it, `input` for an input of the program."""


class MilEvaluator:
    """The function `main` of a saved package."""

    def __init__(self, package: Path) -> None:
        """Read a package, NAME.mlpackage."""
        model = MLModel(str(package), skip_model_load=True)
        self.specification = model.get_spec()
        version = self.specification.specificationVersion
        program = load(self.specification, version, file_weights_dir=model.weights_dir)
        self._main = program.functions["main"]

    def operations(self) -> list[MilOperation]:
        """The operations in execution order, constants left out."""
        return [_described(operation) for operation in self._main.operations if operation.op_type != "const"]

    def evaluate(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, [1, channels, rows, columns] in the type that the package states.

        Raises ValueError for inputs of other names or shapes than the package takes, and NotImplementedError
        for an operation that the project's packages do not have.
        """
        tensors: dict[str, Array] = {}
        self._check(inputs)
        for name, variable in self._main.inputs.items():
            tensors[name] = inputs[name].astype(types.nptype_from_builtin(variable.dtype))
        for operation in self._main.operations:
            if operation.op_type == "const":
                continue
            if operation.op_type not in _OPERATIONS:
                raise NotImplementedError(f"MIL operation {operation.op_type}")
            arguments = {name: _value(variable, tensors) for name, variable in operation.inputs.items()}
            output = operation.outputs[0]
            result = _OPERATIONS[operation.op_type](**arguments)
            tensors[output.name] = result.astype(types.nptype_from_builtin(output.dtype))
        return {variable.name: tensors[variable.name] for variable in self._main.outputs}

    def _check(self, inputs: Mapping[str, Array]) -> None:
        features = {feature.name: feature.type.multiArrayType for feature in self.specification.description.input}
        if inputs.keys() != features.keys():
            raise ValueError(f"inputs are {sorted(inputs)}, the package has {sorted(features)}")
        chosen = set()
        for name, feature in features.items():
            enumerated = [tuple(shape.shape) for shape in feature.enumeratedShapes.shapes]
            allowed = enumerated or [tuple(feature.shape)]
            if inputs[name].shape not in allowed:
                raise ValueError(f"input {name} is {inputs[name].shape}, the package takes {allowed}")
            chosen.add(allowed.index(inputs[name].shape))
        if len(chosen) != 1:
            raise ValueError("inputs are of different tile sizes")


def _described(operation: Any) -> MilOperation:
    single = {name: variable for name, variable in operation.inputs.items() if not isinstance(variable, list | tuple)}
    return MilOperation(
        operation.op_type,
        {name: variable.op.op_type if variable.op else "input" for name, variable in single.items()},
    )


def _value(variable: Any, tensors: Mapping[str, Array]) -> Any:
    """What an operation reads: a tensor, a constant, or a list of them."""
    if isinstance(variable, list | tuple):
        return [_value(part, tensors) for part in variable]
    return tensors.get(variable.name, variable.val)


def _wide(x: Array) -> NDArray[np.float32]:
    return np.asarray(x, np.float32)


def _conv(
    x: Array, weight: Array, strides: Array, pad: Array, groups: int, bias: Array | None = None, **_: Any
) -> Array:
    padded = np.pad(_wide(x[0]), ((0, 0), (pad[0], pad[1]), (pad[2], pad[3])))
    windows = sliding_window_view(padded, weight.shape[2:], axis=(1, 2))[:, :: strides[0], :: strides[1]]
    parts = [
        np.tensordot(filters, window, axes=((1, 2, 3), (0, 3, 4)))
        for filters, window in zip(np.split(_wide(weight), groups), np.split(windows, groups), strict=True)
    ]
    return _with_bias(np.concatenate(parts), bias)


def _conv_transpose(x: Array, weight: Array, strides: Array, pad: Array, bias: Array | None = None, **_: Any) -> Array:
    """Zeros between the samples, then a convolution with the filter turned around."""
    _, channels, rows, columns = x.shape
    spread = np.zeros((1, channels, (rows - 1) * strides[0] + 1, (columns - 1) * strides[1] + 1), np.float32)
    spread[:, :, :: strides[0], :: strides[1]] = x
    turned = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    surround = [weight.shape[2 + side // 2] - 1 - pad[side] for side in range(4)]
    return _conv(spread, turned, np.array([1, 1]), np.array(surround), 1, bias)


def _with_bias(x: Array, bias: Array | None) -> Array:
    shifted: Array = x if bias is None else x + _wide(bias)[:, np.newaxis, np.newaxis]
    return shifted[np.newaxis]


def _pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    _, channels, rows, columns = x.shape
    f = int(upscale_factor)
    cells = x.reshape(1, channels // f**2, f, f, rows, columns)
    return cells.transpose(0, 1, 4, 2, 5, 3).reshape(1, channels // f**2, rows * f, columns * f)


def _slice(x: Array, begin: Array, end: Array, begin_mask: Array, end_mask: Array, **_: Any) -> Array:
    bounds = zip(begin, end, begin_mask, end_mask, strict=True)
    return x[tuple(slice(None if open_start else b, None if open_end else e) for b, e, open_start, open_end in bounds)]


def _pad(x: Array, pad: Array, mode: str, constant_val: Any) -> Array:
    if mode != "constant":
        raise NotImplementedError(f"MIL operation pad, mode {mode}")
    padded: Array = np.pad(x, np.reshape(pad, (-1, 2)).tolist(), constant_values=constant_val)
    return padded


def _quantize(input: Array, scale: Array, zero_point: Array, output_dtype: str, **_: Any) -> Array:
    limits = np.iinfo(output_dtype)
    steps: Array = np.rint(_wide(input) / _wide(scale)) + _wide(zero_point)
    return np.clip(steps, limits.min, limits.max)


def _dequantize(input: Array, scale: Array, zero_point: Array, **_: Any) -> Array:
    return (_wide(input) - _wide(zero_point)) * _wide(scale)


def _affine_constant(quantized_data: Array, scale: Array, zero_point: Array, axis: int) -> Array:
    per_channel = np.moveaxis(_wide(quantized_data), int(axis), -1) - _wide(zero_point)
    return np.moveaxis(per_channel * _wide(scale), -1, int(axis))


def _layer_norm(x: Array, axes: Array, gamma: Array, beta: Array, epsilon: Array) -> Array:
    over = tuple(int(axis) for axis in axes)
    deviation = _wide(x) - _wide(x).mean(axis=over, keepdims=True)
    normal = deviation / np.sqrt(np.square(deviation).mean(axis=over, keepdims=True) + _wide(epsilon))
    shape = [x.shape[axis] if axis in over else 1 for axis in range(x.ndim)]
    scaled: Array = normal * _wide(gamma).reshape(shape) + _wide(beta).reshape(shape)
    return scaled


def _softmax(x: Array, axis: int) -> Array:
    exponentials = np.exp(_wide(x) - _wide(x).max(axis=int(axis), keepdims=True))
    shares: Array = exponentials / exponentials.sum(axis=int(axis), keepdims=True)
    return shares


_OPERATIONS: dict[str, Callable[..., Array]] = {
    "abs": lambda x: np.abs(x),
    "add": lambda x, y: _wide(x) + _wide(y),
    "concat": lambda values, axis, **_: np.concatenate(values, axis=int(axis)),
    "constexpr_affine_dequantize": _affine_constant,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "dequantize": _dequantize,
    "elu": lambda x, alpha: np.where(x > 0, x, _wide(alpha) * np.expm1(np.minimum(_wide(x), 0))),
    "layer_norm": _layer_norm,
    "leaky_relu": lambda x, alpha: np.where(x > 0, x, _wide(x) * _wide(alpha)),
    "matmul": lambda x, y, transpose_y=False, **_: (
        _wide(x) @ (np.swapaxes(_wide(y), -1, -2) if transpose_y else _wide(y))
    ),
    "maximum": lambda x, y: np.maximum(x, y),
    "mul": lambda x, y: _wide(x) * _wide(y),
    "pad": _pad,
    "pixel_shuffle": _pixel_shuffle,
    "quantize": _quantize,
    "real_div": lambda x, y: _wide(x) / _wide(y),
    "reduce_l2_norm": lambda x, axes, keep_dims: np.sqrt(
        np.square(_wide(x)).sum(axis=tuple(axes), keepdims=bool(keep_dims))
    ),
    "reduce_max": lambda x, axes, keep_dims: x.max(axis=tuple(axes), keepdims=bool(keep_dims)),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "reshape": lambda x, shape: np.reshape(x, tuple(int(size) for size in shape)),
    "shape": lambda x: np.array(x.shape),
    "sigmoid": lambda x: 1 / (1 + np.exp(-_wide(x))),
    "slice_by_index": _slice,
    "softmax": _softmax,
    "sub": lambda x, y: _wide(x) - _wide(y),
}
