"""Reads a PyTorch state dict (`torch.save` zip archive) into NumPy arrays, without PyTorch.

The archive holds `PREFIX/data.pkl`, a pickle that describes the tensors, and their numbers in uncompressed
records `PREFIX/data/KEY`. The pickle is read as data (see `pickle_data`); every size in it is checked
against the records before it is used, so a forged file costs little more memory than its own size.
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.pickle_data import Call, GlobalName, Persistent, read_pickle
from jpegai_mobile.errors import BundleError
from jpegai_mobile.sources import opened_file
from jpegai_mobile.zip_damage import ZIP_DAMAGE

MAX_FILE_BYTES = 256 << 20
"""Largest file that is read; the largest of the reference's files has 15 MB."""
MAX_PICKLE_BYTES = 1 << 20
MAX_RECORDS = 10_000
MAX_DIMENSIONS = 8

_STORAGE_DTYPES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "?",
}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"


class _Refused(ValueError):
    """What is wrong with the file, without its name."""


def read_file(path: Path) -> bytes:
    """The bytes of a checkpoint file. Raises BundleError when it is no regular file, unreadable or too large."""
    with opened_file(path) as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise BundleError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return data


def parse_state_dict(data: bytes, source: str) -> dict[str, NDArray[np.generic]]:
    """Tensor name -> array (C order, native bytes, its stored type) of the bytes of a state dict file.

    Entries that are not tensors are left out. Raises BundleError, naming `source` and the tensor, for
    anything but a sound state dict of finite numbers.
    """
    try:
        return _tensors(_Archive(data))
    except ValueError as error:
        raise BundleError(f"{source}: {error}") from error


class _Archive:
    """The records of a `torch.save` file: uncompressed, each once, together no larger than the file."""

    def __init__(self, data: bytes) -> None:
        if data.count(b"PK\1\2") > MAX_RECORDS:
            raise _Refused(f"more than {MAX_RECORDS} records")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except ZIP_DAMAGE as error:
            raise _Refused("not a PyTorch zip archive, or a truncated one") from error
        self._records: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise _Refused(f"record {info.filename[:80]!r} is compressed")
            if info.filename in self._records:
                raise _Refused(f"record {info.filename[:80]!r} appears twice")
            self._records[info.filename] = info
        if sum(info.file_size for info in self._records.values()) > len(data):
            raise _Refused("its records overlap")
        self.size = len(data)
        """Bytes of the file."""
        self._prefix = self._find_prefix()
        self._storages: dict[str, bytes] = {}
        if f"{self._prefix}byteorder" in self._records and self._read("byteorder") != b"little":
            raise _Refused("its numbers are not little endian")

    def _find_prefix(self) -> str:
        pickles = [name for name in self._records if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise _Refused("not a PyTorch archive: it has no single data.pkl record")
        return pickles[0].removesuffix("data.pkl")

    def _read(self, name: str) -> bytes:
        info = self._records.get(self._prefix + name)
        if info is None:
            raise _Refused(f"record {name[:80]!r} is missing")
        try:
            return self._zip.read(info)
        except ZIP_DAMAGE as error:
            raise _Refused(f"record {name[:80]!r} is damaged") from error

    def pickle(self) -> bytes:
        """The pickle that describes the tensors."""
        data = self._read("data.pkl")
        if len(data) > MAX_PICKLE_BYTES:
            raise _Refused(f"its pickle is larger than {MAX_PICKLE_BYTES} bytes")
        return data

    def storage(self, key: str) -> bytes:
        """The numbers that the pickle knows as `key`."""
        if key not in self._storages:
            self._storages[key] = self._read(f"data/{key}")
        return self._storages[key]


def _tensors(archive: _Archive) -> dict[str, NDArray[np.generic]]:
    entries = read_pickle(archive.pickle())
    if not isinstance(entries, dict):
        raise _Refused("its pickle is not a state dict")
    tensors: dict[str, NDArray[np.generic]] = {}
    size = 0
    for name, value in entries.items():
        if not isinstance(value, Call):
            continue
        try:
            description = _describe(value)
            size += description.elements * description.dtype.itemsize
            if size > archive.size:
                raise _Refused("its tensors together are larger than the file")
            tensors[str(name)] = _array(description, archive)
        except ValueError as error:
            raise _Refused(f"tensor {str(name)[:80]!r}: {error}") from error
    return tensors


@dataclass(frozen=True)
class _Description:
    """A tensor as its pickle describes it: which elements of which storage."""

    storage: str
    storage_elements: int
    dtype: np.dtype[np.generic]
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.size)

    @property
    def stop(self) -> int:
        """One past the last storage element that the tensor touches."""
        if not self.elements:
            return self.offset
        return self.offset + 1 + sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))


def _describe(call: Call) -> _Description:
    if call.function == _PARAMETER and call.arguments and isinstance(call.arguments[0], Call):
        call = call.arguments[0]
    if call.function != _TENSOR:
        raise _Refused(f"would call {call.function[:80]!r}, which is no tensor")
    match call.arguments:
        case (
            Persistent(("storage", GlobalName(storage_type), str(key), str(), int(count))),
            int(offset),
            tuple(size),
            tuple(stride),
            bool(),
            dict(),
            *_,
        ):
            pass
        case _:
            raise _Refused("is described in an unknown way")
    if storage_type not in _STORAGE_DTYPES:
        raise _Refused(f"has elements of unknown type {storage_type[:80]!r}")
    sizes, strides = _whole_numbers(size), _whole_numbers(stride)
    if len(sizes) != len(strides) or offset < 0:
        raise _Refused("has an impossible layout")
    description = _Description(key, count, np.dtype(_STORAGE_DTYPES[storage_type]), offset, sizes, strides)
    if description.elements > count or description.stop > count:
        raise _Refused(f"reaches past its storage of {count} elements")
    return description


def _whole_numbers(values: tuple[object, ...]) -> tuple[int, ...]:
    numbers = tuple(value for value in values if isinstance(value, int) and 0 <= value <= MAX_FILE_BYTES)
    if len(numbers) != len(values) or len(numbers) > MAX_DIMENSIONS:
        raise _Refused("has an impossible layout")
    return numbers


def _array(description: _Description, archive: _Archive) -> NDArray[np.generic]:
    data = archive.storage(description.storage)
    dtype = description.dtype
    if len(data) != description.storage_elements * dtype.itemsize:
        raise _Refused(f"its storage has {len(data)} bytes, not {description.storage_elements} elements")
    if dtype == np.bool_ and data.strip(b"\0\1"):
        raise _Refused("holds truth values other than 0 and 1")
    storage = np.frombuffer(data, dtype)[description.offset : description.stop]
    strides = [stride * dtype.itemsize for stride in description.stride]
    view = np.lib.stride_tricks.as_strided(storage, description.size, strides, writeable=False)
    array = np.ascontiguousarray(view, dtype.newbyteorder("=")).reshape(description.size)
    if np.issubdtype(dtype, np.floating) and not np.isfinite(array).all():
        raise _Refused("holds a NaN or an infinity")
    return array
