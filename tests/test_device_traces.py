"""The canonical trace: one sequence of bytes from three engines, and every corruption found where it is."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_tests.cli import main
from device_tests.comparison import first_divergence
from device_tests.errors import TraceError
from device_tests.trace_file import TYPES, Record, Trace, read_trace, write_trace
from device_tests.trace_records import trace_records
from jpegai_mobile.codestream.tiling import region_grid

from .c_compiler import needs_compiler
from .vectors import DATA, stream_folder

MODEL = DATA / "entropy_1.bin"
STREAMS = tuple(sorted(path.name for path in (DATA / "streams").iterdir()))
SMALL_STREAM = "qmap_rvs_threads8_300x220"


def engine_trace(name: str, engine: str) -> bytes:
    stream = (stream_folder(name) / "stream.jai").read_bytes()
    return b"".join(write_trace(trace_records(stream, MODEL.read_bytes(), engine)))


@needs_compiler
@pytest.mark.parametrize("name", STREAMS)
def test_three_engines_write_the_same_bytes(name: str, jai_trace: Path, tmp_path: Path) -> None:
    output = tmp_path / "trace"
    stream = stream_folder(name) / "stream.jai"
    result = subprocess.run([jai_trace, stream, MODEL, output], capture_output=True, text=True, check=True)
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
    records[number] = Record(records[number].name, values, "of the changed record")
    return Trace(tuple(records), "of the changed trace")


KINDS = {
    "picture header", "tool header", "rendering information", "user data", "hyper latents", "quality map", "scales",
    "skip mask", "residuals",
}  # fmt: skip


def test_numbers_that_are_no_header_fields_do_not_matter() -> None:
    first, second = (
        read_trace(b"".join(write_trace([Record("odd", np.array(np.nan, np.float32)), Record("sigma_y", values)])))
        for values in (np.zeros((2, 3, 4), np.int32), np.ones((2, 3, 4), np.int32))
    )
    divergence = first_divergence(first, second)
    assert divergence is not None
    assert (divergence.record, divergence.place) == ("sigma_y", {"channel": 0, "row": 0, "column": 0})


def test_a_changed_value_in_any_record_of_any_stream_is_found_and_named() -> None:
    rng = random.Random(8)
    kinds = set()
    for name in STREAMS:
        trace = read_trace(engine_trace(name, "native"))
        for number, record in enumerate(trace.records):
            if not record.values.size:
                continue
            index = tuple(rng.randrange(length) for length in record.values.shape)
            other = changed(trace, number, index)
            divergence = first_divergence(trace, other)
            assert divergence is not None
            assert (divergence.record, tuple(divergence.place.values())) == (record.name, index)
            component = "luma" if re.search(r"_y$|components.0", record.name) else "chroma"
            assert divergence.component == (component if re.search(r"_u?[vy]$|components", record.name) else None)
            expected = (str(record.values[index]), str(other.records[number].values[index]))
            assert (divergence.values, divergence.differing) == (expected, 1)
            kinds.add(divergence.stage)
    assert kinds == KINDS, "every kind of record, and no other"


def test_bytes_that_flip_in_a_file_are_found_and_named_by_the_command(
    trace: Trace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the values alone: the file is damaged behind its writer's back, so its hashes do not fit either."""
    rng = random.Random(8)
    sound, damaged = tmp_path / "sound", tmp_path / "damaged"
    data = b"".join(write_trace(trace.records))
    sound.write_bytes(data)
    end = 8
    for record in trace.records:
        head = 3 + len(record.name) + 4 * record.values.ndim
        values, end = end + head, end + head + record.values.nbytes + 32
        if not record.values.size or ("." in record.name and rng.random() < 0.8):
            continue
        index = tuple(rng.randrange(length) for length in record.values.shape)
        element = int(np.ravel_multi_index(index, record.values.shape)) if index else 0
        position = values + element * record.values.itemsize
        damaged.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert main(["compare", str(sound), str(damaged)]) == 1
        found, damage = capsys.readouterr().out.splitlines()
        place = "".join(f", {axis} {i}" for axis, i in zip(axes(record), index, strict=True))
        value = int(record.values[index])
        assert re.search(rf": {re.escape(record.name)}(, luma|, chroma)?{place}: {value} against {value ^ 1}\b", found)
        assert damage.endswith(f"record {record.name!r} does not fit its hash")


def axes(record: Record) -> tuple[str, ...]:
    if record.name.endswith("cube_flag") and record.values.ndim == 3:
        return "phase", "row", "column"
    return {0: (), 1: ("index",), 2: ("row", "column"), 3: ("channel", "row", "column")}[record.values.ndim]


def test_of_several_regions_the_one_decoded_first_is_named() -> None:
    """A damaged stream leaves all later regions empty, from channel 0 on."""
    trace = read_trace(engine_trace("indreg_rvs_threads2_700x530", "native"))
    names = [record.name for record in trace.records]
    regions = [region.on_grid(16) for region in region_grid(530, 700, 2, 2)]
    assert {
        way: int(trace.records[names.index(f"picture_header.num_{split}_splits_minus1")].values) + 1
        for way, split in (("rows", "ver"), ("columns", "hor"))
    } == {"rows": 2, "columns": 2}
    records = list(trace.records)
    for name in ("scale_index_y", "sigma_y", "skip_mask_y", "residual_y"):
        values = records[names.index(name)].values.copy()
        for region in regions[2:]:
            values[:, *region.slices] = 0
        if name == "residual_y":
            values[7, regions[1].bottom - 1, regions[1].left + 2] += 1
            values[9:, *regions[1].slices] = 0
        records[names.index(name)] = Record(name, values, "changed")
    divergence = first_divergence(trace, Trace(tuple(records), "changed"))
    assert divergence is not None
    assert (divergence.record, divergence.place) == (
        "residual_y",
        {"channel": 7, "row": regions[1].bottom - 1, "column": regions[1].left + 2},
    )


def test_divergence_in_words(trace: Trace) -> None:
    names = [record.name for record in trace.records]
    number = names.index("residual_uv")
    value = trace.records[number].values[5, 2, 3]
    text = str(first_divergence(trace, changed(trace, number, (5, 2, 3))))
    size = trace.records[number].values.size
    assert text == (
        f"residuals: residual_uv, chroma, channel 5, row 2, column 3: {value} against {value + 1} "
        f"(1 of {size} values differ)"
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
    assert str(first_divergence(trace, without)) == "quality map: quality_map: present against absent"
    assert str(first_divergence(without, trace)) == "quality map: quality_map: absent against present"
    assert str(first_divergence(trace, shorter)) == "residuals: residual_uv, chroma: present against absent"
    assert str(first_divergence(shorter, trace)) == "residuals: residual_uv, chroma: absent against present"


def test_shapes_that_differ_are_named(trace: Trace) -> None:
    records = [Record(r.name, r.values[:1] if r.name == "z_y" else r.values) for r in trace.records]
    text = str(first_divergence(trace, read_trace(b"".join(write_trace(records)))))
    assert text == "hyper latents: z_y, luma: int8 [160, 4, 5] against int8 [1, 4, 5]"


SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


NAMES = st.text("abz_.[]019", min_size=1, max_size=255)


@given(st.lists(st.tuples(NAMES, st.sampled_from("bBhiI"), SHAPES), unique_by=lambda description: description[0]))
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
