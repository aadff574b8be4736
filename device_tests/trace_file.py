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

FORMAT, VERSION = b"JAITRAC", b"3"
MAGIC = FORMAT + VERSION
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
    """SHA-256 of what was read."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A trace that was read."""

    records: tuple[Record, ...]
    hash: str
    """SHA-256 of the hashes of all records: equal traces have equal ones."""
    damage: str = ""
    """The first stored hash that does not fit, in words; empty in a trace that `read_trace` did not refuse."""


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


def read_trace(data: bytes | memoryview) -> Trace:
    """The records of a trace, whose values are views of `data`.

    Raises TraceError, saying where, when it is damaged, cut or goes on too long.
    """
    trace = read_damaged_trace(data)
    if trace.damage:
        raise TraceError(trace.damage)
    return trace


def read_damaged_trace(data: bytes | memoryview) -> Trace:
    """A trace whose stored hashes need not fit its records. Raises TraceError when it has no records to be read."""
    data = memoryview(data)
    if data[: len(FORMAT)] != FORMAT:
        raise TraceError(f"not a trace: it does not begin with {FORMAT.decode()}")
    if data[len(FORMAT) : len(MAGIC)] != VERSION:
        raise TraceError(f"byte {len(FORMAT)}: not a trace of version {VERSION.decode()}")
    position, records, hashes, damage = len(MAGIC), dict[str, Record](), hashlib.sha256(), list[str]()
    while _part(data, position, 1)[0]:
        start, (record, stored, position) = position, _read_record(data, position)
        if record.name in records:
            raise TraceError(f"byte {start}: there is a record {record.name!r} already")
        if record.hash != stored:
            damage.append(f"byte {start}: record {record.name!r} does not fit its hash")
        hashes.update(bytes.fromhex(record.hash))
        records[record.name] = record
    (count,) = struct.unpack("<I", _part(data, position + 1, 4))
    end = position + 5
    if count != len(records) or _part(data, end, HASH_SIZE) != hashes.digest():
        damage.append(f"byte {position}: the end of the trace does not fit its {len(records)} records")
    if len(data) != end + HASH_SIZE:
        raise TraceError(f"byte {end + HASH_SIZE}: the trace goes on behind its end")
    return Trace(tuple(records.values()), hashes.hexdigest(), next(iter(damage), ""))


def _record_bytes(record: Record) -> bytes:
    name, values = record.name.encode("ascii"), record.values
    code = _CODES[values.dtype]
    head = struct.pack(f"<B{len(name)}scB{values.ndim}I", len(name), name, code.encode(), values.ndim, *values.shape)
    return head + np.ascontiguousarray(values, TYPES[code]).tobytes()


def _read_record(data: memoryview, start: int) -> tuple[Record, str, int]:
    """The record at a byte, the hash that is stored behind it, and where the next one begins."""
    name_size = data[start]
    name = bytes(_part(data, start + 1, name_size)).decode("ascii", "replace")
    if not (name.isascii() and name.isprintable()):
        raise TraceError(f"byte {start}: the name of a record is not printable ASCII")
    code, rank = _part(data, start + 1 + name_size, 2)
    if chr(code) not in TYPES or rank > MAX_RANK:
        raise TraceError(f"byte {start}: record {name!r} has an unknown type or rank")
    shape = struct.unpack(f"<{rank}I", _part(data, start + 3 + name_size, 4 * rank))
    if math.prod(max(length, 1) for length in shape) > len(data):
        raise TraceError(f"byte {start}: record {name!r} has a shape that no trace of this size holds")
    values_start = start + 3 + name_size + 4 * rank
    dtype = TYPES[chr(code)]
    values = np.frombuffer(_part(data, values_start, math.prod(shape) * dtype.itemsize), dtype).reshape(shape)
    end = values_start + values.nbytes
    digest = hashlib.sha256(data[start:end]).hexdigest()
    return Record(name, values, digest), _part(data, end, HASH_SIZE).hex(), end + HASH_SIZE


def _part(data: memoryview, start: int, size: int) -> memoryview:
    part = data[start : start + size]
    if len(part) != size:
        raise TraceError(f"byte {start}: the trace ends early")
    return part
