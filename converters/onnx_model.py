"""Reads an ONNX file as data: its constants by name and the list of its operators.

Of the messages that onnx.proto defines only the parts are read that say where a network's numbers are. Every
size is checked against the bytes that are there before an array is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .protobuf import ProtobufReader, Value, message_of, text

MAX_DIMENSIONS = 8

_TYPES = {
    1: "<f4",
    2: "u1",
    3: "i1",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
}
"""TensorProto.data_type -> type of the elements."""
_FLOATS, _INTEGERS, _LONGS, _RAW, _DOUBLES = 4, 5, 7, 9, 10
"""Fields of TensorProto that hold elements."""

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Operator:
    """A node of the graph; of its attributes only the value of a Constant is kept."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constant: Array | None


class OnnxModel:
    """The constants and operators of one ONNX file."""

    def __init__(self, data: bytes) -> None:
        """Raises ValueError, naming the tensor where there is one, for anything but a sound ONNX file."""
        parser = _Parser()
        self.tensors: dict[str, Array] = {}
        """Initialisers by name, also under the names that `Identity` gives them: equal ones are stored once."""
        operators, tensors = parser.graph(data)
        self.operators = tuple(operators)
        for name, array in tensors:
            if name in self.tensors:
                raise ValueError(f"tensor {name[:80]!r} appears twice")
            self.tensors[name] = array
        for operator in operators:
            if operator.kind == "Identity" and operator.inputs[0] in self.tensors:
                self.tensors.update(dict.fromkeys(operator.outputs, self.tensors[operator.inputs[0]]))
        self._makers = {output: operator for operator in operators for output in operator.outputs}

    def maker(self, tensor: str) -> Operator | None:
        """The operator that makes a tensor; changes of its type are passed over."""
        operator = self._makers.get(tensor)
        for _ in self.operators:  # no more steps than operators: a damaged file may have a circle
            if operator is None or operator.kind != "Cast":
                break
            operator = self._makers.get(operator.inputs[0])
        return operator

    def constant(self, tensor: str) -> Array | None:
        """The value of an initialiser or a Constant, None for any other tensor."""
        operator = self.maker(tensor)
        return self.tensors.get(tensor, operator.constant if operator else None)


class _Parser:
    """The messages of an ONNX file."""

    def __init__(self) -> None:
        self._reader = ProtobufReader()

    def graph(self, data: bytes) -> tuple[list[Operator], list[tuple[str, Array]]]:
        """The operators and the named initialisers of a ModelProto."""
        try:
            graphs = [message_of(value) for number, value in self._reader.fields(memoryview(data)) if number == 7]
        except ValueError as error:
            raise ValueError(f"not an ONNX model, or a damaged one: {error}") from error
        if len(graphs) != 1:
            raise ValueError("not an ONNX model: it has no single graph")
        operators, tensors = [], []
        for number, value in self._reader.fields(graphs[0]):
            if number == 1:
                operators.append(self._operator(message_of(value)))
            elif number == 5:
                tensors.append(self._tensor(message_of(value)))
        return operators, tensors

    def _operator(self, message: memoryview) -> Operator:
        inputs, outputs, kind, constant = [], [], "", None
        for number, value in self._reader.fields(message):
            match number:
                case 1:
                    inputs.append(text(value))
                case 2:
                    outputs.append(text(value))
                case 4:
                    kind = text(value)
                case 5:
                    constant = self._attribute(message_of(value))
        if not outputs or (kind in ("Cast", "Identity") and not inputs):
            raise ValueError(f"damaged: operator {kind[:40]!r} lacks inputs or outputs")
        return Operator(kind, tuple(inputs), tuple(outputs), constant if kind == "Constant" else None)

    def _attribute(self, message: memoryview) -> Array | None:
        """The value of an attribute that is a tensor."""
        for number, value in self._reader.fields(message):
            if number == 5:
                return self._tensor(message_of(value))[1]
        return None

    def _tensor(self, message: memoryview) -> tuple[str, Array]:
        """Name and elements of a TensorProto."""
        name, data_type, external = "", 0, False
        shape: list[int] = []
        elements: dict[int, list[Value]] = {}
        for number, value in self._reader.fields(message):
            match number:
                case 1:
                    shape += self._reader.integers(value)
                case 2:
                    data_type = value if isinstance(value, int) else 0
                case 8:
                    name = text(value)
                case 13 | 14:  # external_data, data_location
                    external = external or value != 0
                case _:
                    elements.setdefault(number, []).append(value)
        try:
            if external:
                raise ValueError("keeps its numbers in another file")
            return name, self._array(tuple(shape), data_type, elements)
        except ValueError as error:
            raise ValueError(f"tensor {name[:80]!r}: {error}") from error

    def _array(self, shape: tuple[int, ...], data_type: int, elements: dict[int, list[Value]]) -> Array:
        if data_type not in _TYPES:
            raise ValueError(f"has elements of unknown type {data_type}")
        if len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape):
            raise ValueError("has an impossible shape")
        dtype = np.dtype(_TYPES[data_type])
        values = self._elements(elements, dtype)
        if len(values) != math.prod(shape):
            raise ValueError(f"has {len(values)} elements, not those of its shape {shape}")
        if dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError("holds a NaN or an infinity")
        return values.astype(dtype.newbyteorder("=")).reshape(shape)

    def _elements(self, elements: dict[int, list[Value]], dtype: np.dtype[np.generic]) -> Array:
        """The elements, which stand in a field of raw bytes or in that of their type."""
        for number, stored in ((_RAW, dtype), (_FLOATS, np.dtype("<f4")), (_DOUBLES, np.dtype("<f8"))):
            if number in elements:
                return _from_bytes(b"".join(message_of(part) for part in elements[number]), stored)
        parts = elements.get(_INTEGERS, []) + elements.get(_LONGS, [])
        integers = [number for part in parts for number in self._reader.integers(part)]
        try:
            if dtype == np.float16:  # listed as the integers of their bits
                return np.array(integers, "<u2").view("<f2")
            return np.array(integers, dtype)
        except OverflowError as error:
            raise ValueError("holds a number that does not fit its type") from error


def _from_bytes(data: bytes, dtype: np.dtype[np.generic]) -> Array:
    if len(data) % dtype.itemsize:
        raise ValueError(f"has {len(data)} bytes, not elements of {dtype.itemsize}")
    if dtype.kind == "b" and data.strip(b"\0\1"):
        raise ValueError("holds truth values other than 0 and 1")
    return np.frombuffer(data, dtype)
