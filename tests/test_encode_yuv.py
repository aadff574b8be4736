"""YUV sources and subsampled chroma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import jpegai_mobile
from jpegai_mobile import EncodeOptions, PictureError
from jpegai_mobile.cli.main import main
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.encoder.yuv_picture import YuvPicture, yuv_from_bytes
from jpegai_mobile.image.colour import sample_type
from jpegai_mobile.image.planes import chroma_size
from picture_quality.metrics import psnr

from .encoding import own_bundle_path, own_decoder, own_encoder, photo

FORMATS = [(1, 1), (1, 2), (2, 2)]


def yuv_photo(subsampling: tuple[int, int], bit_depth: int = 8, rows: int = 133, columns: int = 187) -> YuvPicture:
    """A part of the photograph in YUV, chroma of every second row or column."""
    planes = photo().planes(np.arange(rows), np.arange(columns))
    peak = (1 << bit_depth) - 1
    kind = sample_type(bit_depth)
    y, u, v = (np.rint(np.clip(plane, 0, 255) * (peak / 255)).astype(kind) for plane in (planes.y, planes.u, planes.v))
    vertical, horizontal = subsampling
    return YuvPicture(y, u[::vertical, ::horizontal], v[::vertical, ::horizontal], subsampling)


def file_of(picture: YuvPicture) -> bytes:
    stored = "<u2" if picture.bit_depth == 10 else "u1"
    return b"".join(plane.astype(stored).tobytes() for plane in (picture.y, picture.u, picture.v))


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("subsampling", FORMATS)
def test_files_come_back(subsampling: tuple[int, int], bit_depth: int, tmp_path: Path) -> None:
    picture = yuv_photo(subsampling, bit_depth)
    source, stream, back = (tmp_path / name for name in ("a.yuv", "a.jai", "b.yuv"))
    source.write_bytes(file_of(picture))
    form = {(1, 1): "444", (1, 2): "4:2:2", (2, 2): "420"}[subsampling]
    options = ["--yuv-size", "187x133", "--yuv-format", form, "--yuv-bit-depth", str(bit_depth), "--quality", "70"]
    bundle = ["--bundle", str(own_bundle_path())]
    assert main(["encode", str(source), str(stream), *options, *bundle]) == 0
    assert main(["decode", str(stream), str(back), *bundle]) == 0
    decoded = yuv_from_bytes(back.read_bytes(), "b.yuv", (133, 187), subsampling, bit_depth)
    peak = (1 << bit_depth) - 1
    for name in "yuv":
        assert psnr(getattr(decoded, name), getattr(picture, name), peak) > 27, name


@pytest.mark.parametrize("subsampling", FORMATS)
def test_rgb_is_coded_in_any_format(subsampling: tuple[int, int]) -> None:
    options = EncodeOptions(quality=70, chroma=subsampling)
    data = own_encoder().encode(photo(), options).data
    header = read_code_stream(data).picture
    assert header.coded_subsampling == subsampling and header.source_subsampling == (1, 1)
    assert header.colour_transform_idx == 1
    assert psnr(jpegai_mobile.decode(data, own_bundle_path()), photo().samples) > 26


def test_yuv_headers() -> None:
    data = jpegai_mobile.encode(yuv_photo((2, 2), 10), own_bundle_path(), quality=60)
    header = read_code_stream(data).picture
    assert (header.source_subsampling, header.coded_subsampling) == ((2, 2), (2, 2))
    assert (header.colour_transform_idx, header.bit_depth) == (0, 10)
    planes = own_decoder().decode(data).planes
    assert planes.u.shape == chroma_size((133, 187), (2, 2))


def test_planes_of_either_byte_order_are_planes() -> None:
    native = yuv_photo((2, 2), 10, 64, 64)
    swapped = YuvPicture(native.y.astype(">u2"), native.u.astype("<u2"), native.v.astype(">u2"), (2, 2))
    ours, theirs = (picture.planes(np.arange(64), np.arange(64)) for picture in (swapped, native))
    assert swapped.bit_depth == 10
    for name in "yuv":
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    with pytest.raises(PictureError, match="above 1023"):
        YuvPicture(*3 * [np.full((8, 8), 1024, ">u2")], (1, 1))


def test_formats_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PictureError, match="a 4:2:2 picture cannot be coded as 4:2:0"):
        own_encoder().encode(yuv_photo((1, 2)), EncodeOptions(chroma=(2, 2)))
    with pytest.raises(ValueError, match=r"chroma \(2, 1\) is none of"):
        EncodeOptions(chroma=(2, 1))
    y, u = np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint8)
    with pytest.raises(PictureError, match=r"do not belong together: .* chroma is 8 x 8"):
        YuvPicture(y, u, u, (1, 1))
    with pytest.raises(PictureError, match="subsampled by"):
        YuvPicture(y, u, u, (2, 1))
    with pytest.raises(PictureError, match="above 1023"):
        YuvPicture(*3 * [np.full((8, 8), 1024, np.uint16)], (1, 1))
    with pytest.raises(PictureError, match=r"^x\.yuv: 95 bytes, a picture of 8 x 8 takes 96$"):
        yuv_from_bytes(bytes(95), "x.yuv", (8, 8), (2, 2), 8)
