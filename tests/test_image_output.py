"""Picture files, written band by band."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import quantise, yuv_to_rgb
from jpegai_mobile.image.layout import PictureLayout
from jpegai_mobile.image.output import FORMATS, OutputFormatError, format_of, open_writer, write_picture
from jpegai_mobile.image.planes import Planes, Subsampling
from jpegai_mobile.image.row_upsampling import RowUpsampler

from .test_image import random_planes

FORMATS_OF_CHROMA: tuple[Subsampling, ...] = ((1, 1), (1, 2), (2, 2))
SIZE = 301, 53


def written(planes: Planes, layout: PictureLayout, file_format: str) -> bytes:
    stream = io.BytesIO()
    write_picture(stream, planes, layout, file_format)
    return stream.getvalue()


def expected_rgb(planes: Planes, bit_depth: int) -> np.ndarray:
    return yuv_to_rgb(to_444(planes), bit_depth)


def smooth_planes(size: tuple[int, int], subsampling: Subsampling = (1, 1)) -> Planes:
    planes = random_planes(size, subsampling)
    ramp = np.linspace(0, 200, size[1], dtype=np.float32)
    return Planes(planes.y * np.float32(0.1) + ramp, planes.u, planes.v)


def unfiltered_png(data: bytes) -> np.ndarray:
    """Samples of an RGB PNG whose rows use the filters None, Sub and Up, read from its definition."""
    chunks, position = {}, 8
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, content = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        assert struct.unpack_from(">I", data, position + 8 + length)[0] == zlib.crc32(kind + content)
        chunks[kind] = chunks.get(kind, b"") + content
        position += 12 + length
    assert kind == b"IEND"
    width, height, depth, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [2, 0, 0, 0]
    pixel = 3 * depth // 8
    raw = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * pixel)
    rows = np.zeros((height, width * pixel), np.uint8)
    for y, (kind_of_filter, row) in enumerate(zip(raw[:, 0], raw[:, 1:], strict=True)):
        if kind_of_filter == 1:
            rows[y] = row.reshape(width, pixel).cumsum(axis=0, dtype=np.uint8).ravel()
        else:
            assert kind_of_filter == 2
            rows[y] = row + (rows[y - 1] if y else 0)
    return rows.view(np.uint8 if depth == 8 else ">u2").reshape(height, width, 3)


@pytest.mark.parametrize("subsampling", FORMATS_OF_CHROMA)
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_lossless_rgb_files_hold_the_samples(subsampling: Subsampling, bit_depth: int) -> None:
    planes = smooth_planes(SIZE, subsampling)
    layout = PictureLayout(SIZE, bit_depth, subsampling, is_rgb=False)
    rgb = expected_rgb(planes, bit_depth)
    full = rgb if bit_depth == 8 else np.round(rgb * (65535 / 1023)).astype(np.uint16)
    assert np.array_equal(np.load(io.BytesIO(written(planes, layout, "npy"))), rgb)
    assert np.array_equal(unfiltered_png(written(planes, layout, "png")), full)
    header = b"P6\n53 301\n%d\n" % (255 if bit_depth == 8 else 65535)
    ppm = written(planes, layout, "ppm")
    assert ppm.startswith(header)
    assert np.array_equal(np.frombuffer(ppm[len(header) :], full.dtype.newbyteorder(">")), full.ravel())


def test_pillow_reads_our_png() -> None:
    planes = smooth_planes(SIZE)
    layout = PictureLayout(SIZE, 8, (1, 1), is_rgb=True)
    with Image.open(io.BytesIO(written(planes, layout, "png"))) as picture:
        assert picture.mode == "RGB"
        assert np.array_equal(np.array(picture), expected_rgb(planes, 8))


def test_png_uses_both_filters() -> None:
    rows, columns = np.indices((40, 50), np.float32)
    for plane, kind in ((rows * 6, 1), (columns * 5, 2)):
        grey = Planes(plane, np.full_like(plane, 127.5), np.full_like(plane, 127.5))
        data = written(grey, PictureLayout((40, 50), 8, (1, 1), is_rgb=True), "png")
        content = zlib.decompress(data[data.index(b"IDAT") + 4 : data.index(b"IEND") - 8])
        assert set(content[151 : 40 * 151 : 151]) == {kind}


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_jpeg_is_close(bit_depth: int) -> None:
    flat = np.full((40, 50), 127.5, np.float32)
    planes = Planes(np.tile(np.linspace(0, 255, 50, dtype=np.float32), (40, 1)), flat, flat)
    layout = PictureLayout((40, 50), bit_depth, (1, 1), is_rgb=True)
    with Image.open(io.BytesIO(written(planes, layout, "jpg"))) as picture:
        decoded = np.array(picture).astype(int)
    assert np.abs(decoded - expected_rgb(planes, 8)).max() <= 4


@pytest.mark.parametrize(
    ("sample", "expected"), [(1, 0), (3, 1), (511, 127), (513, 128), (514, 128), (1020, 254), (1022, 255)]
)
def test_ten_bits_are_rounded_for_jpeg(sample: int, expected: int) -> None:
    luma, chroma = (np.full((8, 8), value, np.float32) for value in (255 * sample / 1023, 127.5))
    layout = PictureLayout((8, 8), 10, (1, 1), is_rgb=True)
    with Image.open(io.BytesIO(written(Planes(luma, chroma, chroma), layout, "jpg"))) as picture:
        assert np.all(np.asarray(picture) == expected)


@pytest.mark.parametrize("subsampling", FORMATS_OF_CHROMA)
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_yuv_is_planar(subsampling: Subsampling, bit_depth: int) -> None:
    planes = random_planes(SIZE, subsampling)
    data = written(planes, PictureLayout(SIZE, bit_depth, subsampling, is_rgb=False), "yuv")
    samples = [quantise(plane, bit_depth).ravel() for plane in (planes.y, planes.u, planes.v)]
    assert np.array_equal(np.frombuffer(data, "u1" if bit_depth == 8 else "<u2"), np.concatenate(samples))


@given(st.integers(1, 40), st.lists(st.integers(1, 9), min_size=1))
def test_420_rows_are_the_same_in_any_bands(height: int, cuts: list[int]) -> None:
    planes = random_planes((height, 7), (2, 2))
    whole = to_444(planes)
    upsampler = RowUpsampler((height, 7))
    bands, top = [], 0
    for size in cuts * 40:
        chroma = slice(top // 2, (top + 2 * size) // 2)
        band = Planes(planes.y[top : top + 2 * size], planes.u[chroma], planes.v[chroma])
        if top < height:
            bands.append(upsampler.feed(band))
        top += 2 * size
    for name in "yuv":
        joined = np.concatenate([getattr(band, name) for band in bands])
        assert np.array_equal(joined, getattr(whole, name))


@pytest.mark.parametrize("file_format", ["png", "ppm", "npy", "yuv"])
def test_memory_is_a_few_bands(file_format: str) -> None:
    size, count = (3200, 1000), 32
    layout = PictureLayout(size, 10, (2, 2), is_rgb=False)
    band = random_planes((count, size[1]), (2, 2))
    with open(os.devnull, "wb") as nowhere, open_writer(nowhere, layout, file_format) as writer:
        writer.write_rows(band)
        tracemalloc.start()
        for _ in range(size[0] // count - 1):
            writer.write_rows(band)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5_000_000


def test_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    planes = random_planes((20, 30))
    layout = PictureLayout((20, 30), 8, (1, 1), is_rgb=True)
    target = tmp_path / "picture.ppm"
    with open_writer(target, layout) as writer:
        writer.write_rows(planes)
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["picture.ppm"]


def test_failure_leaves_what_was_there(tmp_path: Path) -> None:
    layout = PictureLayout((20, 30), 8, (1, 1), is_rgb=True)
    target = tmp_path / "picture.png"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="broken"), open_writer(target, layout) as writer:
        writer.write_rows(random_planes((10, 30)))
        raise RuntimeError("broken")
    with pytest.raises(ValueError, match="10 of 20 rows"), open_writer(target, layout) as writer:
        writer.write_rows(random_planes((10, 30)))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_picture(tmp_path / "a.npy", random_planes((4, 4)), PictureLayout((4, 4), 8, (1, 1), is_rgb=True))
    assert (tmp_path / "a.npy").stat().st_mode == usual.stat().st_mode


@pytest.mark.skipif(os.name == "nt", reason="no device files")
def test_pipe_is_written_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_picture(pipe, random_planes((4, 4)), PictureLayout((4, 4), 8, (1, 1), is_rgb=True), "ppm")
    assert os.read(reader, 100).startswith(b"P6\n4 4\n")
    os.close(reader)
    assert pipe.is_fifo()


def test_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    planes = random_planes((4, 6))
    layout = PictureLayout((4, 6), 8, (1, 1), is_rgb=True)
    write_picture("-", planes, layout, "npy")
    assert np.array_equal(np.load(io.BytesIO(capsysbinary.readouterr().out)), expected_rgb(planes, 8))


@pytest.mark.parametrize(
    "band",
    [
        random_planes((21, 30), (2, 2)),
        random_planes((5, 30), (2, 2)),
        random_planes((4, 28), (2, 2)),
        random_planes((4, 30)),
    ],
    ids=["too many rows", "odd rows", "narrow", "other chroma format"],
)
def test_bands_that_do_not_fit_are_refused(band: Planes) -> None:
    layout = PictureLayout((20, 30), 8, (2, 2), is_rgb=False)
    with pytest.raises(ValueError, match="does not fit"), open_writer(io.BytesIO(), layout, "npy") as writer:
        writer.write_rows(band)


def test_formats_of_file_names() -> None:
    names = [f"a.{file_format}" for file_format in FORMATS]
    assert tuple(map(format_of, names)) == FORMATS
    assert format_of(Path("B.JPEG")) == "jpg"
    for target in ("-", io.BytesIO()):
        with pytest.raises(OutputFormatError, match="name its format"):
            format_of(target)


@pytest.mark.parametrize(
    ("target", "layout", "message"),
    [
        ("a.gif", PictureLayout((4, 4), 8, (1, 1), is_rgb=True), "unknown output format 'gif'"),
        ("a", PictureLayout((4, 4), 8, (1, 1), is_rgb=True), "unknown output format ''"),
        ("a.yuv", PictureLayout((4, 4), 8, (1, 1), is_rgb=True), "cannot be written as yuv"),
        ("a.jpg", PictureLayout((4, 70000), 8, (1, 1), is_rgb=True), "at most 65500"),
    ],
)
def test_unfit_formats_are_refused_before_anything_is_written(
    target: str, layout: PictureLayout, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputFormatError, match=message), open_writer(tmp_path / target, layout):
        pass
    assert not list(tmp_path.iterdir())
