"""Writes files in the form of `torch.save`, sound and forged ones, without PyTorch."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STORAGE_NAMES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


@dataclass(frozen=True)
class Global:
    name: str


@dataclass(frozen=True)
class Reduce:
    function: Global
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Persistent:
    identity: object


@dataclass(frozen=True)
class OrderedDict:
    items: Mapping[str, object]
    attributes: Mapping[str, object]


def pickled(value: object) -> bytes:
    """`value` as a protocol 2 pickle."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value: object) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int() if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        case int():
            number = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(number)]) + number
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            text = value.encode("utf-8")
            return b"X" + struct.pack("<I", len(text)) + text
        case tuple():
            return b"(" + b"".join(map(_opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(_opcodes, value)) + b"e"
        case dict():
            return b"}(" + b"".join(_opcodes(part) for item in value.items() for part in item) + b"u"
        case Global(name):
            return b"c" + name.replace(" ", "\n").encode() + b"\n"
        case Reduce(function, arguments):
            return _opcodes(function) + _opcodes(arguments) + b"R"
        case Persistent(identity):
            return _opcodes(identity) + b"Q"
        case OrderedDict(items, attributes):
            empty = Reduce(Global("collections OrderedDict"), ())
            entries = b"".join(_opcodes(part) for item in items.items() for part in item)
            return _opcodes(empty) + b"(" + entries + b"u" + _opcodes(dict(attributes)) + b"b"
    raise TypeError(value)


@dataclass
class Tensor:
    """How a pickle describes a tensor; the defaults describe `array` truly."""

    array: NDArray[np.generic]
    offset: int = 0
    size: tuple[object, ...] | None = None
    stride: tuple[object, ...] | None = None
    count: int | None = None
    storage_type: str | None = None

    def described(self, key: str) -> Reduce:
        strides = tuple(step // self.array.itemsize for step in self.array.strides)
        storage = (
            "storage",
            Global(self.storage_type or f"torch {STORAGE_NAMES[self.array.dtype.name]}"),
            key,
            "cpu",
            self.array.size if self.count is None else self.count,
        )
        return Reduce(
            Global("torch._utils _rebuild_tensor_v2"),
            (
                Persistent(storage),
                self.offset,
                self.array.shape if self.size is None else self.size,
                strides if self.stride is None else self.stride,
                False,
                OrderedDict({}, {}),
            ),
        )


@dataclass
class Archive:
    """A `torch.save` file in the making: change a field, then `bytes()` it."""

    tensors: Mapping[str, NDArray[np.generic] | Tensor]
    prefix: str = "archive"
    compression: int = zipfile.ZIP_STORED
    pickle: bytes | None = None
    records: dict[str, bytes] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        tensors = [value if isinstance(value, Tensor) else Tensor(value) for value in self.tensors.values()]
        described = {
            name: tensor.described(str(key))
            for key, (name, tensor) in enumerate(zip(self.tensors, tensors, strict=True))
        }
        records = {
            "data.pkl": pickled(described) if self.pickle is None else self.pickle,
            "byteorder": b"little",
        }
        records |= {f"data/{key}": tensor.array.tobytes() for key, tensor in enumerate(tensors)}
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", self.compression) as archive:
            for name, data in (records | self.records).items():
                archive.writestr(f"{self.prefix}/{name}", data)
        return buffer.getvalue()


def save(path: Path, tensors: Mapping[str, NDArray[np.generic] | Tensor]) -> None:
    """A state dict file at `path`, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(Archive(tensors)))
