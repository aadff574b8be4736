"""The trace container: named arrays with a hash each. docs/trace-format.md describes the bytes."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import TraceError

MAGIC = b"JAITRAC2"
HASH_SIZE = 32
MAX_RANK = 3
TYPES = {code: np.dtype(code).newbyteorder("<") for code in "bBhiIf"}
"""Element type by its code; codes are those of NumPy and `struct`."""

_CODES = {np.dtype(code): code for code in TYPES} | {np.dtype(np.bool_): "B"}


@dataclass(frozen=True, eq=False)
class Record:
    """A named array; `values` has one of the types int8, uint8, int16, int32, uint32 and float32, and rank 0 to 3."""

    name: str
    values: NDArray[Any]
    hash: str = ""
    """SHA-256 as it was read."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A trace that was read; its hashes are right."""

    records: tuple[Record, ...]
    hash: str
    """SHA-256 of the hashes of all records: equal traces have equal ones."""


def write_trace(records: Iterable[Record]) -> Iterator[bytes]:
    """The bytes of a trace, record by record; the hashes of the given records are not looked at."""
    count, hashes = 0, hashlib.sha256()
    yield MAGIC
    for record in records:
        data = _record_bytes(record)
        digest = hashlib.sha256(data).digest()
        hashes.update(digest)
        count += 1
        yield data + digest
    yield struct.pack("<BI", 0, count) + hashes.digest()


def read_trace(data: bytes) -> Trace:
    """The records of a trace. Raises TraceError, saying where, when it is damaged, cut or goes on too long."""
    if data[: len(MAGIC)] != MAGIC:
        raise TraceError("not a trace: it does not begin with JAITRAC2")
    position, records, hashes = len(MAGIC), list[Record](), hashlib.sha256()
    while _part(data, position, 1)[0]:
        record, position = _read_record(data, position)
        hashes.update(bytes.fromhex(record.hash))
        records.append(record)
    (count,) = struct.unpack("<I", _part(data, position + 1, 4))
    end = position + 5
    if count != len(records) or _part(data, end, HASH_SIZE) != hashes.digest():
        raise TraceError(f"byte {position}: the end of the trace does not fit its {len(records)} records")
    if len(data) != end + HASH_SIZE:
        raise TraceError(f"byte {end + HASH_SIZE}: the trace goes on behind its end")
    return Trace(tuple(records), hashes.hexdigest())


def _record_bytes(record: Record) -> bytes:
    name, values = record.name.encode("ascii"), record.values
    code = _CODES[values.dtype]
    head = struct.pack(f"<B{len(name)}scB{values.ndim}I", len(name), name, code.encode(), values.ndim, *values.shape)
    return head + np.ascontiguousarray(values, TYPES[code]).tobytes()


def _read_record(data: bytes, start: int) -> tuple[Record, int]:
    """The record at a byte, and where the next one begins."""
    name_size = data[start]
    name = _part(data, start + 1, name_size).decode("latin-1")
    code, rank = _part(data, start + 1 + name_size, 2)
    if chr(code) not in TYPES or rank > MAX_RANK:
        raise TraceError(f"byte {start}: record {name!r} has an unknown type or rank")
    shape = struct.unpack(f"<{rank}I", _part(data, start + 3 + name_size, 4 * rank))
    values_start = start + 3 + name_size + 4 * rank
    dtype = TYPES[chr(code)]
    values = np.frombuffer(_part(data, values_start, math.prod(shape) * dtype.itemsize), dtype).reshape(shape)
    end = values_start + values.nbytes
    digest = hashlib.sha256(data[start:end]).digest()
    if _part(data, end, HASH_SIZE) != digest:
        raise TraceError(f"byte {start}: record {name!r} does not fit its hash")
    return Record(name, values, digest.hex()), end + HASH_SIZE


def _part(data: bytes, start: int, size: int) -> bytes:
    part = data[start : start + size]
    if len(part) != size:
        raise TraceError(f"byte {start}: the trace ends early")
    return part
