"""Plain bits, most significant first: how headers, segment sizes and thread sizes are written."""

from __future__ import annotations

from ..errors import InvalidStream

MAX_EXP_GOLOMB_PREFIX = 32
"""Longer prefixes would announce more than 2^32 bytes: refused."""


class BitReader:
    """Reads bit fields from `data[start:end]`; `place` names the bytes in errors."""

    def __init__(self, data: bytes, place: str, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._place = place
        self._position = 8 * start
        self._end = 8 * (len(data) if end is None else end)
        self.cut = False
        """Whether something was asked for that lies behind the end."""

    @property
    def byte_position(self) -> int:
        """Offset of the first byte that has not been touched."""
        return (self._position + 7) // 8

    @property
    def remaining_bits(self) -> int:
        """Bits not read yet."""
        return self._end - self._position

    def read(self, bits: int) -> int:
        """The next `bits` bits as an unsigned number; raises InvalidStream past the end."""
        end = self._position + bits
        if end > self._end:
            self.cut = True
            raise InvalidStream(f"{self._place}: ends inside a field (byte {self._end // 8})")
        window = int.from_bytes(self._data[self._position // 8 : (end + 7) // 8], "big")
        self._position = end
        return (window >> (-end % 8)) & ((1 << bits) - 1)

    def read_exp_golomb(self) -> int:
        """An unsigned exp-Golomb number (k = 0)."""
        prefix = 0
        while self.read(1) == 0:
            prefix += 1
            if prefix > MAX_EXP_GOLOMB_PREFIX:
                raise InvalidStream(f"{self._place}: a size is out of range (byte {self._position // 8})")
        return (1 << prefix) - 1 + self.read(prefix)

    def read_signed_exp_golomb(self) -> int:
        """A signed exp-Golomb number: codes 0, 1, 2, 3, 4 stand for 0, 1, -1, 2, -2."""
        code = self.read_exp_golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def align(self) -> None:
        """Skip to the next byte; raises InvalidStream when a padding bit is set."""
        if self.read(-self._position % 8) != 0:
            raise InvalidStream(f"{self._place}: padding bits are not zero (byte {self._position // 8 - 1})")

    def finish(self) -> None:
        """Check that nothing but zero padding of the last byte is left."""
        self.align()
        if self.remaining_bits:
            raise InvalidStream(
                f"{self._place}: {self.remaining_bits // 8} bytes left over (byte {self.byte_position})"
            )


class BitWriter:
    """The inverse of `BitReader`."""

    def __init__(self) -> None:
        self._value = 0
        self._bits = 0

    def write(self, value: int, bits: int) -> None:
        """Append `value` as `bits` bits; raises ValueError when it does not fit."""
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{value} does not fit into {bits} bits")
        self._value = self._value << bits | value
        self._bits += bits

    def write_exp_golomb(self, value: int) -> None:
        """Append an unsigned exp-Golomb number (k = 0)."""
        prefix = (value + 1).bit_length() - 1
        self.write(value + 1, 2 * prefix + 1)

    def write_signed_exp_golomb(self, value: int) -> None:
        """Append a signed exp-Golomb number."""
        self.write_exp_golomb(2 * value - 1 if value > 0 else -2 * value)

    def to_bytes(self) -> bytes:
        """All bits, the last byte padded with zeros."""
        padding = -self._bits % 8
        return (self._value << padding).to_bytes((self._bits + padding) // 8, "big")


def bits_for_largest(value: int) -> int:
    """Bits of a field whose largest value is `value`."""
    return value.bit_length()
