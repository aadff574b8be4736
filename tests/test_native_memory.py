"""Memory of the native core: every allocation may fail, the limit holds, nothing leaks."""

from __future__ import annotations

import ctypes as c
import gc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.errors import InvalidStream, LimitExceeded
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.native import rows
from jpegai_mobile.native.binding import ALLOCATE, RELEASE, Allocator, NativeContext
from jpegai_mobile.native.stage import SPARSE_RESIDUAL, stream_options

from .vectors import DATA, stream_folder

MODEL_BYTES = (DATA / "entropy_1.bin").read_bytes()
UNTIL_DAMAGE = 32
"""A bit of jai_options.arrays that Python does not use."""
STREAMS = ["bop_64x64", "bop_bm1069_cubes_200x136", "meta_udi_rdi_64x64", "qmap_rvs_threads8_300x220"]


class CountingAllocator:
    """Gives memory until the allocation number `fails_at`, and knows what was not given back."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.count = 0
        self.blocks: dict[int, c.Array[c.c_char]] = {}
        self.fails_at = fails_at
        self.structure = Allocator(ALLOCATE(self._allocate), RELEASE(self._release), None)

    def _allocate(self, user: int, size: int) -> int | None:
        self.count += 1
        if self.count - 1 == self.fails_at:
            return None
        block = c.create_string_buffer(b"\xa5" * size, size)
        self.blocks[c.addressof(block)] = block
        return c.addressof(block)

    def _release(self, user: int, memory: int, size: int) -> None:
        assert c.sizeof(self.blocks.pop(memory)) == size


@pytest.fixture
def short_collections() -> Iterator[None]:
    """The garbage collector looks at what the test makes only: at everything, it takes most of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def decode(context: NativeContext, data: bytes, arrays_wanted: int = 0) -> None:
    """A whole decode in a context."""
    options = stream_options(context, 1 << 20)
    options.arrays |= arrays_wanted
    stream = context.open("stream", "jai_stream_open", data, len(data), c.byref(options))
    model = context.open("model", "jai_model_open", MODEL_BYTES, len(MODEL_BYTES))
    arrays = c.c_void_p()
    context.call("jai_stream_decode", stream, model, c.byref(options), c.byref(arrays))


@pytest.mark.usefixtures("short_collections")
@pytest.mark.parametrize("wanted", [0, SPARSE_RESIDUAL])
@pytest.mark.parametrize("name", STREAMS)
def test_every_allocation_may_fail(name: str, wanted: int) -> None:
    data = (stream_folder(name) / "stream.jai").read_bytes()
    whole = CountingAllocator()
    decode(NativeContext(allocator=whole.structure), data, wanted)
    assert whole.count > 20
    # Every channel of a sparse residual is an allocation of the same kind: a sample of them is enough.
    for number in [*range(60), *range(60, whole.count, 17)] if wanted else range(whole.count):
        allocator = CountingAllocator(fails_at=number)
        context = NativeContext(allocator=allocator.structure)
        with pytest.raises(MemoryError, match="out of memory"):
            decode(context, data, wanted)
        del context
        gc.collect()
        assert (allocator.count, allocator.blocks) == (number + 1, {})


def test_everything_is_given_back() -> None:
    allocator = CountingAllocator()
    context = NativeContext(allocator=allocator.structure)
    decode(context, (stream_folder("depreg_threads4_640x392") / "stream.jai").read_bytes())
    assert context.context.bytes_held == sum(c.sizeof(block) for block in allocator.blocks.values())
    del context
    gc.collect()
    assert allocator.blocks == {}


def test_single_sub_streams_leave_nothing_behind() -> None:
    row = rows.ResidualRow(np.full(90, 9, np.uint8), np.ones(90, bool), np.zeros(90, np.int16))
    structures = rows.residual_rows([row])
    payload = rows.encode_residual_rows(2, [row])
    for data in (payload, payload[:-3], b""):
        allocator = CountingAllocator()
        context = NativeContext(allocator=allocator.structure)
        arguments = (c.byref(context.context), data, len(data), 2, structures, 1)
        if data == payload:
            context.call("jai_decode_residual_rows", *arguments)
        else:
            with pytest.raises(InvalidStream):
                context.call("jai_decode_residual_rows", *arguments)
        assert allocator.count and allocator.blocks == {}


def test_a_stream_may_be_decoded_again() -> None:
    data = (stream_folder("bop_64x64") / "stream.jai").read_bytes()
    context = NativeContext()
    options = stream_options(context, 1 << 20)
    stream = context.open("stream", "jai_stream_open", data, len(data), c.byref(options))
    model = context.open("model", "jai_model_open", MODEL_BYTES, len(MODEL_BYTES))
    arrays, held = c.c_void_p(), []
    for _ in range(2):
        context.call("jai_stream_decode", stream, model, c.byref(options), c.byref(arrays))
        held.append(context.context.bytes_held)
    assert held[0] == held[1]


class KeepingAllocator(CountingAllocator):
    """What is given back stays as it was: reading it is an error, but a harmless one."""

    def _release(self, user: int, memory: int, size: int) -> None:
        assert c.sizeof(self.blocks[memory]) == size


def test_residuals_of_an_earlier_decode_are_forgotten() -> None:
    """Damage in z, before any residual: all are zero, whether or not there was a decode before."""
    tables = EntropyModel.from_bytes(MODEL_BYTES)
    other = replace(tables.components[0], z_cumulative=tables.components[0].z_cumulative[::-1])
    other_bytes = EntropyModel((other, tables.components[1])).to_bytes()
    data = (stream_folder("bop_64x64") / "stream.jai").read_bytes()
    context = NativeContext(allocator=KeepingAllocator().structure)
    options = stream_options(context, 1 << 20)
    options.arrays = SPARSE_RESIDUAL | UNTIL_DAMAGE
    streams = [context.open("stream", "jai_stream_open", data, len(data), c.byref(options)) for _ in range(2)]
    model = context.open("model", "jai_model_open", MODEL_BYTES, len(MODEL_BYTES))
    damaging = context.open("model", "jai_model_open", other_bytes, len(other_bytes))
    context.call("jai_stream_decode", streams[0], model, c.byref(options), c.byref(c.c_void_p()))
    for stream in streams:
        arrays = c.c_void_p()
        with pytest.raises(InvalidStream, match="SOZ"):
            context.call("jai_stream_decode", stream, damaging, c.byref(options), c.byref(arrays))
        assert arrays
        for component in Component:
            values = np.full((4, 4, component.channels), 7, np.int16)
            context.functions.jai_residual_window(stream, component, 0, 0, 4, 4, values.ctypes.data)
            assert not values.any()


@pytest.mark.parametrize("name", STREAMS)
def test_byte_limit_holds_to_the_byte(name: str) -> None:
    data = (stream_folder(name) / "stream.jai").read_bytes()
    context = NativeContext()
    decode(context, data)
    peak = context.context.bytes_peak
    decode(NativeContext(byte_limit=peak), data)
    tight = NativeContext(byte_limit=peak - 1)
    with pytest.raises(LimitExceeded, match=f"{peak - 1} bytes"):
        decode(tight, data)
    assert tight.context.bytes_peak < peak


def test_arrays_that_are_not_wanted_cost_no_memory() -> None:
    data = (stream_folder("bop_64x64") / "stream.jai").read_bytes()
    peaks = []
    for arrays in (7, 0):
        context = NativeContext()
        options = stream_options(context, 1 << 20)
        options.arrays = arrays
        stream = context.open("stream", "jai_stream_open", data, len(data), c.byref(options))
        model = context.open("model", "jai_model_open", MODEL_BYTES, len(MODEL_BYTES))
        context.call("jai_stream_decode", stream, model, c.byref(options), c.byref(c.c_void_p()))
        peaks.append(context.context.bytes_held)
    positions = (160 + 96) * 4 * 4
    assert peaks[0] - peaks[1] >= positions * (4 + 4 + 1)


def test_encoder_allocations_may_fail() -> None:
    row = rows.ResidualRow(np.full(4000, 20, np.uint8), np.ones(4000, bool), np.arange(4000).astype(np.int16))
    structures = rows.residual_rows([row])
    whole = CountingAllocator()
    NativeContext(allocator=whole.structure).open("encoding", "jai_encode_residual_rows", 4, structures, 1)
    for number in range(whole.count):
        allocator = CountingAllocator(fails_at=number)
        context = NativeContext(allocator=allocator.structure)
        with pytest.raises(MemoryError):
            context.open("encoding", "jai_encode_residual_rows", 4, structures, 1)
        assert allocator.blocks == {}
