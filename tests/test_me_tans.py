"""me-tANS against the unit vectors of the reference, both directions, and round trips of random rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jpegai_mobile.codestream.substreams import SubStream, join_threads, split_threads
from jpegai_mobile.entropy.coding_tables import CodingTable, residual_tables, z_table
from jpegai_mobile.entropy.me_tans import MeTansDecoder, encode_rows
from jpegai_mobile.errors import InvalidStream

from .vectors import unit_vectors

THREADS = (1, 2, 4, 8, 16)


def _residual_rows(vectors: dict[str, np.ndarray]) -> list[tuple[list[CodingTable | None], list[int]]]:
    tables = residual_tables()
    rows = []
    for i in range(int(vectors["num_calls"])):
        index, mask, value = (vectors[f"{name}_{i}"] for name in ("sigma_idx", "mask", "value"))
        rows.append(([tables[k] if coded else None for k, coded in zip(index, mask, strict=True)], value.tolist()))
    return rows


def _z_rows(vectors: dict[str, np.ndarray]) -> list[tuple[list[CodingTable | None], list[int]]]:
    rows = []
    for i in range(int(vectors["num_calls"])):
        for cdf, symbols in zip(vectors[f"cdf_{i}"], vectors[f"symbol_{i}"], strict=True):
            rows.append(([z_table(cdf.tolist())] * len(symbols), symbols.tolist()))
    return rows


@pytest.mark.parametrize("kind", ["residual", "z"])
@pytest.mark.parametrize("threads", THREADS)
def test_unit_vectors_decode_and_encode(kind: str, threads: int) -> None:
    vectors = unit_vectors(f"ans_{kind}_t{threads}")
    rows = _residual_rows(vectors) if kind == "residual" else _z_rows(vectors)
    data, sizes = vectors["payload"].tobytes(), vectors["thread_sizes"].tolist()
    parts = [data[sum(sizes[:t]) : sum(sizes[: t + 1])] for t in range(threads)]
    payload = join_threads(parts)
    decoder = MeTansDecoder(SubStream(payload, kind), threads)
    for tables, values in rows:
        assert decoder.decode_row(tables) == values
    decoder.finish()
    assert encode_rows(rows, threads) == payload


def test_residual_tables_equal_the_reference() -> None:
    vectors = unit_vectors("ans_tables")
    for i, table in enumerate(residual_tables()):
        assert table.bound == vectors["bound"][i]
        assert list(table.machine.symbol) == vectors["dec_symbol"][i].tolist()
        assert list(table.machine.bits) == vectors["dec_nbits"][i].tolist()
        assert list(table.machine.base) == vectors["dec_next"][i].tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 31), st.booleans(), st.integers(-300, 300)), max_size=120),
    st.sampled_from(THREADS),
)
def test_round_trip(symbols: list[tuple[int, bool, int]], threads: int) -> None:
    tables = residual_tables()
    row = [tables[index] if coded else None for index, coded, _ in symbols]
    values = [value if coded else 0 for _, coded, value in symbols]
    payload = encode_rows([(row, values)], threads)
    decoder = MeTansDecoder(SubStream(payload, "row"), threads)
    assert decoder.decode_row(row) == values
    decoder.finish()


@given(st.binary(max_size=40), st.sampled_from(THREADS))
def test_any_bytes_decode_or_are_refused(payload: bytes, threads: int) -> None:
    row = [residual_tables()[12]] * 64
    try:
        decoder = MeTansDecoder(SubStream(payload, "noise"), threads)
        decoder.decode_row(row)
        decoder.finish()
    except InvalidStream as error:
        assert "\n" not in str(error)


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=16))
def test_thread_sizes_round_trip(parts: list[bytes]) -> None:
    joined = SubStream(join_threads(parts), "threads")
    assert [part.payload for part in split_threads(joined, len(parts))] == parts
