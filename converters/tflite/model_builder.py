"""A TFLite model with one subgraph, authored tensor by tensor and operator by operator.

Along dynamic axes the shape of an activation is only the one that the file is authored at: an interpreter may
resize the inputs to any other.
The bytes depend on nothing but the calls made: the same calls give the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
SIGNATURE = "serving_default"

_TENSOR_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int8): schema.TensorType.INT8,
}
_LAST_DEPRECATED_CODE = 127


@dataclass(frozen=True)
class Quantisation:
    """What the integers n of a tensor stand for: scale * (n - zero_point)."""

    scales: NDArray[np.float32]
    """One for the tensor, or one for every index along `axis`."""
    zero_point: int = 0
    axis: int = 0


class ModelBuilder:
    """Collects tensors and operators in execution order; `finish` gives the file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._graph = schema.SubGraphT()
        self._graph.name = name
        self._graph.tensors = []
        self._graph.operators = []
        self._model = schema.ModelT()
        self._model.version = SCHEMA_VERSION
        self._model.description = name
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]  # buffer 0 is by definition the empty one
        self._model.subgraphs = [self._graph]
        self._opcodes: dict[tuple[int, int], int] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes, bytes], int] = {}

    def activation(
        self, name: str, shape: Sequence[int], dynamic: Sequence[int], quantisation: Quantisation | None = None
    ) -> int:
        """Add a float32 tensor, int8 if quantised, of any size along the axes `dynamic`; gives its index."""
        dtype = np.dtype(np.float32 if quantisation is None else np.int8)
        tensor = self._tensor(name, shape, dtype, quantisation)
        tensor.shapeSignature = np.array(shape, np.int32)
        tensor.shapeSignature[list(dynamic)] = -1
        return self._append(tensor)

    def constant(self, name: str, values: NDArray[Any], quantisation: Quantisation | None = None) -> int:
        """Add a constant; equal ones of equal meaning are stored once, under the first name."""
        data = np.ascontiguousarray(values).tobytes()
        meaning = b"" if quantisation is None else quantisation.scales.tobytes()
        key = (values.dtype.str, values.shape, data, meaning)
        if key not in self._constants:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data, np.uint8)
            self._model.buffers.append(buffer)
            tensor = self._tensor(name, values.shape, values.dtype, quantisation)
            tensor.buffer = len(self._model.buffers) - 1
            self._constants[key] = self._append(tensor)
        return self._constants[key]

    def operator(self, name: str, inputs: Sequence[int], output: int, options: Any = None, version: int = 1) -> None:
        """Append the builtin operator `name` (as in the schema, `CONV_2D`) with its options table."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._opcode(getattr(schema.BuiltinOperator, name), version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        if options is not None:
            table = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = options
        self._graph.operators.append(operator)

    def finish(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        """Name the tensors that go in and out of the model and serialise it."""
        self._graph.inputs = np.array(list(inputs.values()), np.int32)
        self._graph.outputs = np.array(list(outputs.values()), np.int32)
        signature = schema.SignatureDefT()
        signature.signatureKey = SIGNATURE
        signature.inputs = [_named_tensor(name, index) for name, index in inputs.items()]
        signature.outputs = [_named_tensor(name, index) for name, index in outputs.items()]
        self._model.signatureDefs = [signature]
        flatbuffer = flatbuffers.Builder(1 << 16)
        flatbuffer.Finish(self._model.Pack(flatbuffer), file_identifier=FILE_IDENTIFIER)
        return bytes(flatbuffer.Output())

    def _tensor(self, name: str, shape: Sequence[int], dtype: np.dtype[Any], quantisation: Quantisation | None) -> Any:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = np.array(shape, np.int32)
        tensor.type = _TENSOR_TYPES[dtype]
        if quantisation is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = quantisation.scales
            tensor.quantization.zeroPoint = np.full(quantisation.scales.size, quantisation.zero_point, np.int64)
            tensor.quantization.quantizedDimension = quantisation.axis
        return tensor

    def _append(self, tensor: Any) -> int:
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _opcode(self, code: int, version: int) -> int:
        if (code, version) not in self._opcodes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = code
            entry.deprecatedBuiltinCode = min(code, _LAST_DEPRECATED_CODE)
            entry.version = version
            self._model.operatorCodes.append(entry)
            self._opcodes[code, version] = len(self._model.operatorCodes) - 1
        return self._opcodes[code, version]


def _named_tensor(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name = name
    entry.tensorIndex = index
    return entry
