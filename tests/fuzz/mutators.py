"""Ways to damage a code stream or a model file, all driven by a seeded generator."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

from jpegai_mobile.codestream.fields import Field
from jpegai_mobile.codestream.segments import Marker, read_segments, write_segments
from jpegai_mobile.codestream.stream import read_code_stream

LIMITED_FIELDS = {
    "num_chs", "num_ver_splits_minus1", "num_hor_splits_minus1", "synthesis_tile_size", "tile_size", "best_cand_idx",
    "img_width_minus64", "img_height_minus64",
}  # fmt: skip
"""Header fields with a limit that legal streams come near to; that of tile sizes is the field that follows them."""

Mutator = Callable[[random.Random, bytes], bytes]
CODED_MARKERS = (Marker.SOZ, Marker.SORP, Marker.SORS, Marker.SOQ)
HEADER_MARKERS = {
    "picture_header": Marker.PIH,
    "tool_header": Marker.TON,
    "rendering_information": Marker.RDI,
}


def mutate(rng: random.Random, data: bytes) -> bytes:
    """A damaged copy of a legal code stream: one mutation, sometimes a second one of the bytes."""
    mutated = rng.choice(STREAM_MUTATORS)(rng, data)
    return rng.choice(BYTE_MUTATORS)(rng, mutated) if mutated and rng.random() < 0.1 else mutated


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    """Flip one to four bits anywhere."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    """Overwrite a few neighbouring bytes with noise, zeros or ones."""
    start = rng.randrange(len(data))
    size = min(rng.randint(1, 8), len(data) - start)
    filling = rng.choice([rng.randbytes(size), bytes(size), b"\xff" * size])
    return data[:start] + filling + data[start + size :]


def truncate(rng: random.Random, data: bytes) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data))]


def insert_or_delete(rng: random.Random, data: bytes) -> bytes:
    """Insert noise or remove bytes."""
    start, size = rng.randrange(len(data)), rng.randint(1, 6)
    if rng.random() < 0.5:
        return data[:start] + rng.randbytes(size) + data[start:]
    return data[:start] + data[start + size :]


def rearrange_segments(rng: random.Random, data: bytes) -> bytes:
    """Drop, repeat, swap or rename whole segments."""
    segments = read_segments(data)
    i, j = rng.randrange(len(segments)), rng.randrange(len(segments))
    match rng.randrange(4):
        case 0:
            del segments[i]
        case 1:
            segments.insert(j, segments[i])
        case 2:
            segments[i], segments[j] = segments[j], segments[i]
        case _:
            other = rng.choice([m for m in Marker if m not in (Marker.SOC, Marker.EOC)])
            segments[i] = replace(segments[i], marker=other)
    return write_segments(segments)


def shuffle_segments(rng: random.Random, data: bytes) -> bytes:
    """Any order behind the picture header: this is still legal."""
    first, *others = read_segments(data)
    rng.shuffle(others)
    return write_segments([first, *others])


def resize_segment(rng: random.Random, data: bytes) -> bytes:
    """Make a payload longer or shorter, its size field with it."""
    segments = read_segments(data)
    i = rng.randrange(len(segments))
    payload = segments[i].payload
    if rng.random() < 0.5:
        payload += rng.choice([bytes(rng.randint(1, 3)), rng.randbytes(rng.randint(1, 20))])
    else:
        payload = payload[rng.choice([0, 0, 1]) : rng.randrange(len(payload) + 1)]
    segments[i] = replace(segments[i], payload=payload)
    return write_segments(segments)


def damage_symbols(rng: random.Random, data: bytes) -> bytes:
    """Flip bits inside one coded sub-stream, thread and region sizes included."""
    segments = read_segments(data)
    coded = [i for i, segment in enumerate(segments) if segment.marker in CODED_MARKERS and segment.payload]
    i = rng.choice(coded)
    payload = bytearray(segments[i].payload)
    near_the_start = rng.random() < 0.3
    for _ in range(rng.randint(1, 3)):
        position = rng.randrange(min(len(payload), 12) if near_the_start else len(payload))
        payload[position] ^= 1 << rng.randrange(8)
    segments[i] = replace(segments[i], payload=bytes(payload))
    return write_segments(segments)


def swap_symbols(rng: random.Random, data: bytes) -> bytes:
    """Exchange the payloads of two coded sub-streams, or fill one with noise."""
    segments = read_segments(data)
    coded = [i for i, segment in enumerate(segments) if segment.marker in CODED_MARKERS]
    i, j = rng.choice(coded), rng.choice(coded)
    a, b = segments[i].payload, segments[j].payload
    if i == j:
        a = b = rng.randbytes(len(a))
    segments[i], segments[j] = replace(segments[i], payload=b), replace(segments[j], payload=a)
    return write_segments(segments)


def change_header_field(rng: random.Random, data: bytes) -> bytes:
    """Overwrite a few header fields with extreme or random values; what follows is not moved."""
    stream = read_code_stream(data)
    name = rng.choice(["picture_header", "picture_header", "tool_header", "rendering_information"])
    segments, record = list(stream.segments), stream.fields[name]
    i = next((i for i, segment in enumerate(segments) if segment.marker == HEADER_MARKERS[name]), None)
    if i is None:
        return flip_bits(rng, data)
    payload = segments[i].payload
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        payload = _overwrite_field(rng, payload, record)
    segments[i] = replace(segments[i], payload=payload)
    return write_segments(segments)


def _overwrite_field(rng: random.Random, payload: bytes, record: list[Field]) -> bytes:
    """Replace one value of a field by an extreme or random one, or move one with a limit by a step or to the limit."""
    coded = [i for i, field in enumerate(record) if field.bits and _values(field)]
    limited = [i for i in coded if record[i].name.split("[")[0] in LIMITED_FIELDS]
    near_its_limit = limited and rng.random() < 0.3
    chosen = rng.choice(limited if near_its_limit else coded)
    values, largest = _values(record[chosen]), (1 << record[chosen].bits) - 1
    place = rng.randrange(len(values))
    if near_its_limit:
        following = next((value for field in record[chosen + 1 :] for value in _values(field)), 0)
        value = rng.choice([values[place] + 1, values[place] - 1, following])
    else:
        value = rng.choice([0, 1, largest, largest // 2 + 1, rng.randint(0, largest)])
    return _overwritten(payload, record, chosen, place, value & largest)


def with_field(payload: bytes, record: list[Field], name: str, value: int) -> bytes:
    """A header with another value in the field of that name, legal or not; what follows is not moved."""
    return _overwritten(payload, record, [field.name for field in record].index(name), 0, value)


def _overwritten(payload: bytes, record: list[Field], chosen: int, place: int, value: int) -> bytes:
    """Replace one value of a field; `record` lists all fields in coding order."""
    bits = record[chosen].bits
    start = sum(field.bits * len(_values(field)) for field in record[:chosen]) + bits * place
    shift = 8 * len(payload) - start - bits
    number = int.from_bytes(payload, "big") & ~(((1 << bits) - 1) << shift)
    return (number | value << shift).to_bytes(len(payload), "big")


def _values(field: Field) -> tuple[int, ...]:
    return field.value if isinstance(field.value, tuple) else (field.value,)


BYTE_MUTATORS: tuple[Mutator, ...] = (flip_bits, change_bytes, truncate, insert_or_delete)
STREAM_MUTATORS: tuple[Mutator, ...] = (
    *BYTE_MUTATORS,
    rearrange_segments,
    shuffle_segments,
    resize_segment,
    damage_symbols,
    damage_symbols,
    swap_symbols,
    change_header_field,
    change_header_field,
    change_header_field,
)


def mutate_model(rng: random.Random, model: bytes) -> bytes:
    """A damaged model file, mostly with a checksum that matches."""
    body = bytearray(model[:-4])
    for _ in range(rng.choice([1, 1, 2, 40])):
        # Counts, gains and tables of luma lie at the start; noise in the weights makes another legal model.
        position = rng.choice([rng.randrange(12), rng.randrange(400), rng.randrange(10_500), rng.randrange(len(body))])
        body[position] = rng.choice([0, 0xFF, 0x80, rng.randrange(256)])
    if rng.random() < 0.1:
        body = body[: rng.randrange(len(body))] if rng.random() < 0.5 else body + bytes(rng.randint(1, 9))
    checksum = zlib.crc32(body) if rng.random() < 0.9 else rng.getrandbits(32)
    return bytes(body) + struct.pack("<I", checksum)
