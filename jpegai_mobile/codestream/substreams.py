"""How a sub-stream is divided: among dependent regions, and among me-tANS threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InvalidStream
from .bits import BitReader, BitWriter


@dataclass(frozen=True)
class SubStream:
    """Bytes for one me-tANS coder; `place` names them in errors."""

    payload: bytes
    place: str


def split_regions(sub_stream: SubStream, regions: int) -> list[SubStream]:
    """Split a residual sub-stream that holds all (dependent) regions; raises InvalidStream.

    It starts with the sizes of all regions but the last as unsigned exp-Golomb numbers.
    """
    if regions == 1:
        return [sub_stream]
    reader = BitReader(sub_stream.payload, f"region sizes of {sub_stream.place}")
    sizes = [reader.read_exp_golomb() for _ in range(regions - 1)]
    reader.align()
    sizes.append(len(sub_stream.payload) - reader.byte_position - sum(sizes))
    return _cut(sub_stream, reader.byte_position, sizes, "region")


def join_regions(payloads: Sequence[bytes]) -> bytes:
    """The inverse of `split_regions`."""
    sizes = BitWriter()
    for payload in payloads[:-1]:
        sizes.write_exp_golomb(len(payload))
    return sizes.to_bytes() + b"".join(payloads)


def split_threads(sub_stream: SubStream, threads: int) -> list[SubStream]:
    """The bytes of each thread of one coder; raises InvalidStream.

    With more than one thread the bytes start with signed exp-Golomb differences between an equal share and the
    size of each thread but the last, which takes the rest.
    """
    if threads == 1:
        return [sub_stream]
    reader = BitReader(sub_stream.payload, f"thread sizes of {sub_stream.place}")
    differences = [reader.read_signed_exp_golomb() for _ in range(threads - 1)]
    reader.align()
    total = len(sub_stream.payload) - reader.byte_position
    sizes = [total // threads - difference for difference in differences]
    sizes.append(total - sum(sizes))
    return _cut(sub_stream, reader.byte_position, sizes, "thread")


def join_threads(payloads: Sequence[bytes]) -> bytes:
    """The inverse of `split_threads`."""
    share = sum(len(payload) for payload in payloads) // len(payloads)
    differences = BitWriter()
    for payload in payloads[:-1]:
        differences.write_signed_exp_golomb(share - len(payload))
    return differences.to_bytes() + b"".join(payloads)


def _cut(sub_stream: SubStream, start: int, sizes: Sequence[int], part: str) -> list[SubStream]:
    parts = []
    for index, size in enumerate(sizes):
        if size < 0 or start + size > len(sub_stream.payload):
            raise InvalidStream(f"{sub_stream.place}: {part} {index} does not fit into the sub-stream")
        place = f"{sub_stream.place}, {part} {index}"
        parts.append(SubStream(sub_stream.payload[start : start + size], place))
        start += size
    return parts
