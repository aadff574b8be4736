"""Reads the wire format of protocol buffers: messages of numbered fields, in bounded time and memory."""

from __future__ import annotations

from collections.abc import Iterator

MAX_ITEMS = 1 << 20
"""Most fields and listed integers of one file; the largest of the reference's ONNX files has some thousand."""
MAX_VARINT_BYTES = 10

Value = int | memoryview


class ProtobufReader:
    """Reads the messages of one file; every method raises ValueError, saying at which byte of the message."""

    def __init__(self) -> None:
        self._items_left = MAX_ITEMS

    def fields(self, message: memoryview) -> Iterator[tuple[int, Value]]:
        """(field number, value) of every field in order; a value is an unsigned integer or the bytes of the field."""
        position = 0
        while position < len(message):
            self._count()
            start = position
            key, position = _varint(message, position)
            match key & 7:
                case 0:  # an integer
                    value, position = _varint(message, position)
                    yield key >> 3, value
                    continue
                case 1:  # eight bytes
                    size = 8
                case 2:  # a length, then as many bytes
                    size, position = _varint(message, position)
                case 5:  # four bytes
                    size = 4
                case kind:
                    raise ValueError(f"a field of unknown kind {kind} at byte {start}")
            if size > len(message) - position:
                raise ValueError(f"truncated: the field at byte {start} has {size} bytes")
            yield key >> 3, message[position : position + size]
            position += size

    def integers(self, value: Value) -> Iterator[int]:
        """The signed integers of a repeated field: one, or those packed into bytes."""
        if isinstance(value, int):
            yield _signed(value)
            return
        position = 0
        while position < len(value):
            self._count()
            number, position = _varint(value, position)
            yield _signed(number)

    def _count(self) -> None:
        self._items_left -= 1
        if self._items_left < 0:
            raise ValueError(f"more than {MAX_ITEMS} fields")


def text(value: Value) -> str:
    """A string field. Raises ValueError when it is none."""
    return message_of(value).tobytes().decode("utf-8")


def message_of(value: Value) -> memoryview:
    """A field that is bytes. Raises ValueError when it is an integer."""
    if isinstance(value, int):
        raise ValueError("an integer where bytes belong")
    return value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """The unsigned integer at `position`, and the position after it."""
    value = 0
    for count, byte in enumerate(message[position : position + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, position + count + 1
    raise ValueError(f"truncated: the integer at byte {position} does not end")


def _signed(value: int) -> int:
    """The 64-bit signed integer that an unsigned one stands for."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
