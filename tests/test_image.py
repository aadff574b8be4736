"""Chroma resampling and colour conversion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jpegai_mobile.codestream.picture_header import PictureHeader
from jpegai_mobile.errors import Unsupported
from jpegai_mobile.image.chroma import from_444, from_synthesis, to_444
from jpegai_mobile.image.colour import BAND, quantise, rgb_to_yuv, sample_type, yuv_to_rgb
from jpegai_mobile.image.layout import PictureLayout
from jpegai_mobile.image.planes import Planes, Subsampling, chroma_size
from jpegai_mobile.image.resampling import Taps, cubic_taps, downsample, linear_taps, upsample

lengths = st.integers(1, 60)


def random_planes(size: tuple[int, int], subsampling: Subsampling = (1, 1), seed: int = 1) -> Planes:
    rng = np.random.default_rng(seed)
    chroma = chroma_size(size, subsampling)
    y, u, v = (rng.uniform(0, 255, shape).astype(np.float32) for shape in (size, chroma, chroma))
    return Planes(y, u, v)


def header(display: tuple[int, int], source: Subsampling, coded: Subsampling) -> PictureHeader:
    """A picture of 80 x 70 (rows, columns) coded samples."""
    return PictureHeader(
        img_height_minus64=80 - 64,
        img_width_minus64=70 - 64,
        diff_display_img_height=80 - display[0],
        diff_display_img_width=70 - display[1],
        s_ver_minus1=source[0] - 1,
        s_hor_minus1=source[1] - 1,
        c_ver_minus1=coded[0] - 1,
        c_hor_minus1=coded[1] - 1,
    )


def interpolated(values: np.ndarray, position: float, weight: dict[int, float]) -> float:
    """Weighted sum of samples at whole distances from floor(position), borders repeated."""
    start = int(np.floor(position))
    return sum(w * values[min(max(start + offset, 0), len(values) - 1)] for offset, w in weight.items())


def cubic_weight(distance: float, a: float = -0.75) -> float:
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a


@given(lengths, lengths)
def test_cubic_taps_are_cubic_convolution_with_aligned_corners(source: int, target: int) -> None:
    values = np.random.default_rng(source).uniform(0, 255, source)
    resampled = cubic_taps(source, target).columns(values.astype(np.float32)[None])[0]
    for i, sample in enumerate(resampled):
        position = i * (source - 1) / max(target - 1, 1)
        t = position - np.floor(position)
        expected = interpolated(values, position, {k: cubic_weight(k - t) for k in (-1, 0, 1, 2)})
        assert sample == pytest.approx(expected, abs=1e-2)


@given(lengths, st.integers(2, 60))
def test_linear_taps_keep_a_ramp_and_its_ends(source: int, target: int) -> None:
    ramp = np.linspace(10, 250, source, dtype=np.float32)
    expected = np.linspace(10, 250, target) if source > 1 else np.full(target, 10)
    assert np.allclose(linear_taps(source, target).columns(ramp[None])[0], expected, atol=1e-3)


@pytest.mark.parametrize("taps", [cubic_taps, linear_taps])
def test_same_length_changes_nothing(taps: type[Taps]) -> None:
    row = np.random.default_rng(0).uniform(0, 255, (1, 37)).astype(np.float32)
    assert np.array_equal(taps(37, 37).columns(row), row)


@given(st.integers(2, 50), st.integers(2, 50), st.data())
def test_a_part_of_the_rows_needs_only_its_source_rows(source: int, target: int, data: st.DataObject) -> None:
    plane = np.random.default_rng(target).uniform(0, 255, (source, 3)).astype(np.float32)
    taps = cubic_taps(source, target)
    start = data.draw(st.integers(0, target - 1))
    stop = data.draw(st.integers(start + 1, target))
    first, end = taps.source(start, stop)
    part = taps.rows(plane[first:end], first, start, stop)
    assert np.array_equal(part, taps.rows(plane, 0, 0, target)[start:stop])


def test_resampling_is_separable() -> None:
    plane = np.random.default_rng(3).uniform(0, 255, (9, 13)).astype(np.float32)
    across_first = upsample(upsample(plane, (9, 26)), (17, 26))
    assert np.array_equal(upsample(plane, (17, 26)), across_first)
    assert np.allclose(downsample(plane, (5, 7)), downsample(downsample(plane, (5, 13)), (5, 7)), atol=1e-4)


@pytest.mark.parametrize(("source", "chroma"), [((1, 1), (61, 57)), ((1, 2), (61, 29)), ((2, 2), (31, 29))])
def test_coded_at_source_resolution_keeps_every_second_sample(source: Subsampling, chroma: tuple[int, int]) -> None:
    coded = random_planes((80, 70))
    planes = from_synthesis(coded.y, coded.u, coded.v, header((61, 57), source, source))
    assert np.array_equal(planes.y, coded.y[:61, :57])
    assert planes.u.shape == planes.v.shape == chroma
    assert np.array_equal(planes.v, coded.v[: 61 : source[0], : 57 : source[1]])


@pytest.mark.parametrize("coded_format", [(2, 2), (1, 2)])
def test_444_source_coded_subsampled_is_interpolated(coded_format: Subsampling) -> None:
    coded = random_planes((80, 70))
    planes = from_synthesis(coded.y, coded.u, coded.v, header((61, 57), (1, 1), coded_format))
    kept = coded.u[: 61 : coded_format[0], : 57 : coded_format[1]]
    assert planes.u.shape == (61, 57)
    assert np.array_equal(planes.u, upsample(kept, (61, 57)))


def test_444_is_left_alone() -> None:
    planes = random_planes((9, 11))
    assert to_444(planes).u is planes.u
    assert from_444(planes, (1, 1)).v is planes.v


def test_subsampling_and_back_keeps_a_ramp() -> None:
    ramp = np.tile(np.linspace(0, 250, 41, dtype=np.float32), (31, 1))
    reduced = from_444(Planes(ramp, ramp, ramp), (2, 2))
    assert reduced.u.shape == (16, 21)
    assert np.allclose(reduced.u[3], np.linspace(0, 250, 21), atol=1e-3)
    assert np.allclose(to_444(reduced).u, ramp, atol=2.5)


@pytest.mark.parametrize(
    ("source", "coded", "name"),
    [((2, 1), (2, 1), "4:4:0"), ((1, 1), (2, 1), "4:4:0"), ((1, 2), (2, 2), "4:2:2 source coded as 4:2:0")],
)
def test_formats_without_a_conversion_are_unsupported(source: Subsampling, coded: Subsampling, name: str) -> None:
    planes = random_planes((80, 70))
    with pytest.raises(Unsupported, match=name):
        from_synthesis(planes.y, planes.u, planes.v, header((80, 70), source, coded))
    with pytest.raises(Unsupported, match=name):
        PictureLayout.of(header((80, 70), source, coded))


def test_user_colour_matrix_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="colour_transform_idx 2"):
        PictureLayout.of(PictureHeader(colour_transform_idx=2))


def test_layout_of_a_header() -> None:
    picture = header((61, 57), (2, 2), (2, 2))
    picture.colour_transform_idx, picture.bit_depth_idc = 0, 1
    assert PictureLayout.of(picture) == PictureLayout((61, 57), 10, (2, 2), is_rgb=False)


def test_quantise_rounds_half_to_even_and_clamps() -> None:
    plane = np.array([[0.5, 1.5, 2.5, -7, 254.5, 300]], np.float32)
    assert quantise(plane, 8).tolist() == [[0, 2, 2, 0, 254, 255]]
    assert quantise(plane, 8).dtype == np.uint8
    assert quantise(np.array([[-1, 127.5, 255, 256]], np.float32), 10).tolist() == [[0, 512, 1023, 1023]]
    assert quantise(plane, 10).dtype == np.uint16


def test_bt709_of_known_colours() -> None:
    rgb = np.array([[[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]], np.uint8)
    planes = rgb_to_yuv(rgb, 8)
    assert planes.y[0] == pytest.approx([255, 54.213, 182.376, 18.411, 0], abs=1e-3)
    assert planes.u[0] == pytest.approx([127.5, 98.284, 29.216, 255, 127.5], abs=1e-2)
    assert planes.v[0] == pytest.approx([127.5, 255, 11.694, 115.806, 127.5], abs=1e-2)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_rgb_survives_yuv(bit_depth: int) -> None:
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 1 << bit_depth, (2 * BAND + 3, 50, 3)).astype(sample_type(bit_depth))
    back = yuv_to_rgb(rgb_to_yuv(rgb, bit_depth), bit_depth)
    assert back.dtype == rgb.dtype
    assert np.array_equal(back, rgb)


def test_yuv_to_rgb_inverts_the_matrix_and_clamps() -> None:
    planes = random_planes((BAND + 9, 33), seed=8)
    matrix = np.array([[0.2126, 0.7152, 0.0722], [-0.2126, -0.7152, 0.9278], [0.7874, -0.7152, -0.0722]])
    matrix[1] /= 1.8556
    matrix[2] /= 1.5748
    yuv = np.stack([planes.y, planes.u - 127.5, planes.v - 127.5], axis=-1).astype(np.float64)
    exact = np.clip(yuv @ np.linalg.inv(matrix).T, 0, 255)
    assert np.abs(yuv_to_rgb(planes, 8) - exact).max() < 0.501
    assert np.abs(yuv_to_rgb(planes, 10) / 1023 * 255 - exact).max() < 0.501 * 255 / 1023
