"""One description of a header's syntax for reading and writing.

A header module walks its syntax once, handing every field to a `Fields` object: the reader returns what the
stream holds, the writer stores what the dataclass holds and returns it unchanged. Both keep a record of the
fields in coding order, which `jpegai info` prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import InvalidStream
from .bits import BitReader, BitWriter


@dataclass(frozen=True)
class Field:
    """A coded field: its standard name, bits per value, and its value or values."""

    name: str
    bits: int
    value: int | tuple[int, ...]


class Fields(Protocol):
    """What a header's syntax is walked with."""

    record: list[Field]

    def u(self, name: str, bits: int, value: int) -> int:
        """One unsigned field of `bits` bits."""

    def array(self, name: str, bits: int, count: int, values: Sequence[int]) -> list[int]:
        """`count` unsigned fields of `bits` bits."""


class FieldReader:
    """Reads fields; the values handed in are ignored."""

    def __init__(self, reader: BitReader, place: str) -> None:
        self._reader = reader
        self._place = place
        self.record: list[Field] = []

    def u(self, name: str, bits: int, value: int) -> int:
        """Read one field."""
        value = self._reader.read(bits)
        self.record.append(Field(name, bits, value))
        return value

    def array(self, name: str, bits: int, count: int, values: Sequence[int]) -> list[int]:
        """Read `count` fields, after checking that the segment can hold them."""
        if count * bits > self._reader.remaining_bits:
            raise InvalidStream(f"{self._place}: ends inside {name}")
        read = [self._reader.read(bits) for _ in range(count)]
        self.record.append(Field(name, bits, tuple(read)))
        return read


class FieldWriter:
    """Writes the values handed in."""

    def __init__(self, writer: BitWriter) -> None:
        self._writer = writer
        self.record: list[Field] = []

    def u(self, name: str, bits: int, value: int) -> int:
        """Write one field."""
        self._writer.write(value, bits)
        self.record.append(Field(name, bits, value))
        return value

    def array(self, name: str, bits: int, count: int, values: Sequence[int]) -> list[int]:
        """Write `count` fields."""
        if len(values) != count:
            raise ValueError(f"{name}: {count} values expected, {len(values)} given")
        for value in values:
            self._writer.write(value, bits)
        self.record.append(Field(name, bits, tuple(values)))
        return list(values)
