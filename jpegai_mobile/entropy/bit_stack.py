"""The bits of one me-tANS coder: a stack whose top is the last bit that was written."""

from __future__ import annotations

from ..codestream.substreams import SubStream
from ..errors import InvalidStream


class BitStack:
    """Reads a sub-stream from its top: the bytes are one little-endian number below a sentinel bit."""

    def __init__(self, sub_stream: SubStream) -> None:
        """Raises InvalidStream when the sentinel is missing."""
        self._data = sub_stream.payload
        self.place = sub_stream.place
        if not self._data or self._data[-1] == 0:
            raise InvalidStream(f"{self.place}: the last byte holds no sentinel bit")
        self._height = 8 * len(self._data) - 9 + self._data[-1].bit_length()

    @property
    def empty(self) -> bool:
        """True when every bit was read."""
        return self._height == 0

    def pop(self, bits: int) -> int:
        """The next `bits` bits, most significant first; raises InvalidStream when fewer are left."""
        low = self._height - bits
        if low < 0:
            raise InvalidStream(f"{self.place}: runs out of bits (damaged, or made for other weights)")
        window = int.from_bytes(self._data[low >> 3 : (self._height + 7) >> 3], "little")
        self._height = low
        return (window >> (low & 7)) & ((1 << bits) - 1)


class BitStackWriter:
    """The inverse of `BitStack`: what is pushed last is read first."""

    def __init__(self) -> None:
        self._fields: list[tuple[int, int]] = []

    def push(self, value: int, bits: int) -> None:
        """Put `value` as `bits` bits on top."""
        self._fields.append((value, bits))

    def to_bytes(self) -> bytes:
        """The sub-stream: all bits and the sentinel on top, little endian."""
        # The bottom of the stack is the least significant bit, so the last field comes first in the number.
        digits = "1" + "".join(format(value, f"0{bits}b") for value, bits in reversed(self._fields) if bits)
        number = int(digits, 2)
        return number.to_bytes((len(digits) + 7) // 8, "little")
