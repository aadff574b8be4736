"""The canonical trace: one sequence of bytes from three engines, and every corruption found where it is."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_tests.comparison import first_divergence
from device_tests.errors import TraceError
from device_tests.trace_file import TYPES, Record, Trace, read_trace, write_trace
from device_tests.trace_records import trace_records

from .c_compiler import LIBRARY_SOURCES, PROGRAM_SOURCES, build_program, needs_compiler
from .vectors import DATA, stream_folder

MODEL = DATA / "entropy_1.bin"
STREAMS = tuple(sorted(path.name for path in (DATA / "streams").iterdir()))
SMALL_STREAM = "qmap_rvs_threads8_300x220"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program((*LIBRARY_SOURCES, *PROGRAM_SOURCES), tmp_path_factory.mktemp("trace") / "jai-trace", "-O2")


def engine_trace(name: str, engine: str) -> bytes:
    stream = (stream_folder(name) / "stream.jai").read_bytes()
    return b"".join(write_trace(trace_records(stream, MODEL.read_bytes(), engine)))


@needs_compiler
@pytest.mark.parametrize("name", STREAMS)
def test_three_engines_write_the_same_bytes(name: str, program: Path, tmp_path: Path) -> None:
    output = tmp_path / "trace"
    stream = stream_folder(name) / "stream.jai"
    result = subprocess.run([program, stream, MODEL, output], capture_output=True, text=True, check=True)
    native = engine_trace(name, "native")
    assert output.read_bytes() == native
    assert engine_trace(name, "python") == native
    trace = read_trace(native)
    lines = [line.split() for line in result.stdout.splitlines() if not line.startswith("#")]
    assert lines == [[r.name, r.hash] for r in trace.records] + [["=", trace.hash]]


def test_every_header_part_that_a_stream_has_is_recorded() -> None:
    names = {record.name for record in read_trace(engine_trace("meta_udi_rdi_64x64", "python")).records}
    assert {"user_data", "rendering_information.mdcv.primaries", "picture_header.components[1].cube_flag"} <= names


@pytest.fixture(scope="module")
def trace() -> Trace:
    return read_trace(engine_trace(SMALL_STREAM, "native"))


def changed(trace: Trace, number: int, index: tuple[int, ...]) -> Trace:
    """The trace with one value of one record one higher (mod 2^n)."""
    records = list(trace.records)
    values = records[number].values.copy()
    values[index] += values.dtype.type(1)
    records[number] = Record(records[number].name, values)
    return read_trace(b"".join(write_trace(records)))


def test_a_changed_value_in_any_record_is_found_and_named(trace: Trace) -> None:
    rng = random.Random(8)
    for number, record in enumerate(trace.records):
        if not record.values.size:
            continue
        index = tuple(rng.randrange(length) for length in record.values.shape)
        other = changed(trace, number, index)
        divergence = first_divergence(trace, other)
        assert divergence is not None
        assert (divergence.record, tuple(divergence.place.values())) == (record.name, index)
        expected = (str(record.values[index]), str(other.records[number].values[index]))
        assert (divergence.values, divergence.differing) == (expected, 1)


def test_divergence_in_words(trace: Trace) -> None:
    names = [record.name for record in trace.records]
    number = names.index("residual_uv")
    value = trace.records[number].values[5, 2, 3]
    text = str(first_divergence(trace, changed(trace, number, (5, 2, 3))))
    size = trace.records[number].values.size
    assert text == (
        f"residual_uv, chroma, channel 5, row 2, column 3: {value} against {value + 1} (1 of {size} values differ)"
    )


def test_the_first_of_several_differences_is_named(trace: Trace) -> None:
    last = changed(trace, len(trace.records) - 1, (0, 0, 0))
    both = changed(last, [r.name for r in trace.records].index("z_y"), (1, 0, 0))
    divergence = first_divergence(trace, both)
    assert divergence is not None
    assert (divergence.record, divergence.component, divergence.place["channel"]) == ("z_y", "luma", 1)


def test_equal_traces_and_missing_records(trace: Trace) -> None:
    assert first_divergence(trace, trace) is None
    without = read_trace(b"".join(write_trace(r for r in trace.records if r.name != "quality_map")))
    shorter = read_trace(b"".join(write_trace(trace.records[:-1])))
    assert str(first_divergence(trace, without)) == "quality_map: present against absent"
    assert str(first_divergence(without, trace)) == "quality_map: absent against present"
    assert str(first_divergence(trace, shorter)) == "residual_uv, chroma: present against absent"
    assert str(first_divergence(shorter, trace)) == "residual_uv, chroma: absent against present"


def test_shapes_that_differ_are_named(trace: Trace) -> None:
    records = [Record(r.name, r.values[:1] if r.name == "z_y" else r.values) for r in trace.records]
    text = str(first_divergence(trace, read_trace(b"".join(write_trace(records)))))
    assert text == "z_y, luma: int8 [160, 4, 5] against int8 [1, 4, 5]"


SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(st.lists(st.tuples(st.text("abz_.[]019", min_size=1, max_size=255), st.sampled_from("bBhiI"), SHAPES)))
def test_any_records_come_back(descriptions: list[tuple[str, str, tuple[int, ...]]]) -> None:
    rng = np.random.default_rng(1)
    records = [Record(name, rng.integers(0, 100, shape).astype(TYPES[code])) for name, code, shape in descriptions]
    read = read_trace(b"".join(write_trace(records))).records
    assert [(r.name, r.values.dtype, r.values.shape) for r in read] == [
        (r.name, r.values.dtype, r.values.shape) for r in records
    ]
    assert all(np.array_equal(a.values, b.values) for a, b in zip(read, records, strict=True))


def test_a_damaged_trace_is_refused_at_every_byte() -> None:
    data = b"".join(write_trace([Record("a", np.arange(6, dtype=np.int16)), Record("b", np.array(7, np.uint32))]))
    assert len(read_trace(data).records) == 2
    for position in range(len(data)):
        for damaged in (data[:position], data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1 :]):
            with pytest.raises(TraceError):
                read_trace(damaged)
    with pytest.raises(TraceError, match="goes on behind its end"):
        read_trace(data + b"\0")
