"""me-tANS of the native core: unit vectors and random rows, both directions, equal to the plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jpegai_mobile import native
from jpegai_mobile.codestream.substreams import SubStream, join_threads
from jpegai_mobile.entropy.coding_tables import CodingTable, residual_tables, z_table
from jpegai_mobile.entropy.me_tans import MeTansDecoder, encode_rows
from jpegai_mobile.errors import InvalidStream

from .vectors import unit_vectors

THREADS = (1, 2, 4, 8, 16)


def payload_of(vectors: dict[str, np.ndarray], threads: int) -> bytes:
    """The sub-stream of a file of unit vectors, thread sizes included."""
    data, sizes = vectors["payload"].tobytes(), vectors["thread_sizes"].tolist()
    return join_threads([data[sum(sizes[:t]) : sum(sizes[: t + 1])] for t in range(threads)])


def zeroed(row: native.ResidualRow) -> native.ResidualRow:
    """The row without its values, to decode into."""
    return native.ResidualRow(row.table_index, row.mask, np.zeros_like(row.value))


@pytest.mark.parametrize("threads", THREADS)
def test_residual_vectors_decode_and_encode(threads: int) -> None:
    vectors = unit_vectors(f"ans_residual_t{threads}")
    calls = range(int(vectors["num_calls"]))
    rows = [native.ResidualRow(vectors[f"sigma_idx_{i}"], vectors[f"mask_{i}"], vectors[f"value_{i}"]) for i in calls]
    payload = payload_of(vectors, threads)
    decoded = [zeroed(row) for row in rows]
    native.decode_residual_rows(payload, threads, decoded)
    for row, expected in zip(decoded, rows, strict=True):
        assert np.array_equal(row.value, expected.value)
    assert native.encode_residual_rows(threads, rows) == payload


@pytest.mark.parametrize("threads", THREADS)
def test_any_number_but_0_in_a_mask_stands_for_coded(threads: int) -> None:
    rng = np.random.default_rng(6)
    masks = (np.full(700, 255, np.uint8), rng.choice([0, 1, 2, 255], 700).astype(np.uint8))
    for mask in masks:
        row = native.ResidualRow(np.full(700, 12, np.uint8), mask != 0, rng.integers(-9, 9, 700).astype(np.int16))
        odd = native.ResidualRow(row.table_index, mask.view(np.bool_), np.zeros_like(row.value))
        payload = native.encode_residual_rows(threads, [row])
        native.decode_residual_rows(payload, threads, [odd])
        assert np.array_equal(odd.value, np.where(mask != 0, row.value, 0))
        assert native.encode_residual_rows(threads, [odd]) == payload


@pytest.mark.parametrize("threads", THREADS)
def test_z_vectors_decode_and_encode(threads: int) -> None:
    vectors = unit_vectors(f"ans_z_t{threads}")
    rows = [
        native.ZRow(cumulative, symbols)
        for i in range(int(vectors["num_calls"]))
        for cumulative, symbols in zip(vectors[f"cdf_{i}"], vectors[f"symbol_{i}"], strict=True)
    ]
    payload = payload_of(vectors, threads)
    decoded = [native.ZRow(row.cumulative, np.zeros_like(row.symbol)) for row in rows]
    native.decode_z_rows(payload, threads, decoded)
    for row, expected in zip(decoded, rows, strict=True):
        assert np.array_equal(row.symbol, expected.symbol)
    assert native.encode_z_rows(threads, rows) == payload


residual_positions = st.lists(
    st.tuples(st.integers(0, 31), st.booleans(), st.integers(-(2**15), 2**15 - 1) | st.integers(-9, 9)),
    max_size=150,
)


def residual_row(positions: list[tuple[int, bool, int]]) -> native.ResidualRow:
    index, mask, value = (np.array([p[k] for p in positions]) for k in range(3))
    return native.ResidualRow(index.astype(np.uint8), mask.astype(bool), value.astype(np.int16))


@settings(max_examples=150, deadline=None)
@given(st.lists(residual_positions, min_size=1, max_size=3), st.sampled_from(THREADS))
def test_residual_rows_equal_the_plain_coder(positions: list[list[tuple[int, bool, int]]], threads: int) -> None:
    tables = residual_tables()
    plain: list[tuple[list[CodingTable | None], list[int]]] = [
        ([tables[index] if coded else None for index, coded, _ in row], [value for *_, value in row])
        for row in positions
    ]
    rows = [residual_row(row) for row in positions]
    payload = native.encode_residual_rows(threads, rows)
    assert payload == encode_rows(plain, threads)
    decoded = [zeroed(row) for row in rows]
    native.decode_residual_rows(payload, threads, decoded)
    for row, expected in zip(decoded, rows, strict=True):
        assert np.array_equal(row.value, np.where(expected.mask, expected.value, 0))


@st.composite
def z_rows(draw: st.DrawFn) -> native.ZRow:
    steps = draw(st.lists(st.integers(0, 255), min_size=62, max_size=62))
    symbols = draw(st.lists(st.integers(0, 63), max_size=70))
    return native.ZRow(np.array([*sorted(steps), 255], np.uint8), np.array(symbols, np.uint8))


@settings(max_examples=100, deadline=None)
@given(st.lists(z_rows(), min_size=1, max_size=3), st.sampled_from(THREADS))
def test_z_rows_equal_the_plain_coder(rows: list[native.ZRow], threads: int) -> None:
    plain = [([z_table(row.cumulative.tolist())] * row.symbol.size, row.symbol.tolist()) for row in rows]
    payload = native.encode_z_rows(threads, rows)
    assert payload == encode_rows(plain, threads)
    decoded = [native.ZRow(row.cumulative, np.zeros_like(row.symbol)) for row in rows]
    native.decode_z_rows(payload, threads, decoded)
    for row, expected in zip(decoded, rows, strict=True):
        assert np.array_equal(row.symbol, expected.symbol)


def plain_outcome(payload: bytes, threads: int, count: int) -> list[int] | None:
    """Values of a row that is all coded with table 12; None when it is refused."""
    try:
        decoder = MeTansDecoder(SubStream(payload, "noise"), threads)
        values = decoder.decode_row([residual_tables()[12]] * count)
        decoder.finish()
    except InvalidStream:
        return None
    return values if all(-(2**15) <= value < 2**15 for value in values) else None


def native_outcome(payload: bytes, threads: int, count: int) -> list[int] | None:
    row = native.ResidualRow(np.full(count, 12, np.uint8), np.ones(count, bool), np.zeros(count, np.int16))
    try:
        native.decode_residual_rows(payload, threads, [row])
    except InvalidStream as error:
        assert "\n" not in str(error)
        return None
    return [int(value) for value in row.value]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(THREADS), st.integers(0, 70))
def test_noise_is_judged_as_by_the_plain_coder(payload: bytes, threads: int, count: int) -> None:
    assert native_outcome(payload, threads, count) == plain_outcome(payload, threads, count)


@settings(max_examples=200, deadline=None)
@given(residual_positions, st.sampled_from(THREADS), st.data())
def test_a_changed_bit_is_judged_as_by_the_plain_coder(
    positions: list[tuple[int, bool, int]], threads: int, data: st.DataObject
) -> None:
    row = residual_row([(12, True, value) for *_, value in positions])
    payload = bytearray(native.encode_residual_rows(threads, [row]))
    bit = data.draw(st.integers(0, 8 * len(payload) - 1))
    payload[bit // 8] ^= 1 << bit % 8
    count = row.value.size
    assert native_outcome(bytes(payload), threads, count) == plain_outcome(bytes(payload), threads, count)


def test_wrong_arrays_are_refused_before_the_library_sees_them() -> None:
    right = residual_row([(3, True, 1)] * 8)
    with pytest.raises(ValueError, match="contiguous"):
        native.encode_residual_rows(1, [native.ResidualRow(right.table_index[::2], right.mask, right.value)])
    with pytest.raises(ValueError, match="above 31"):
        native.encode_residual_rows(1, [native.ResidualRow(right.table_index + 29, right.mask, right.value)])
    with pytest.raises(ValueError, match="threads"):
        native.encode_residual_rows(3, [right])
    with pytest.raises(ValueError, match="does not end at 255"):
        native.decode_z_rows(b"", 1, [native.ZRow(np.zeros(63, np.uint8), np.zeros(4, np.uint8))])
