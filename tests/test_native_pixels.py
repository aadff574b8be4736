"""The C twins of per-sample work equal the NumPy functions bit for bit."""

from __future__ import annotations

import ctypes as c
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from jpegai_mobile.filters.lef import GAINS, THRESHOLDS, lef
from jpegai_mobile.image.colour import from_raw, quantise, yuv_to_rgb
from jpegai_mobile.image.planes import Planes
from jpegai_mobile.image.resampling import cubic_taps, linear_taps
from jpegai_mobile.native import samples as bound
from jpegai_mobile.native.samples import library

from .c_compiler import WARNINGS, compile_c, needs_compiler
from .test_image import random_planes
from .vectors import ROOT

pytestmark = needs_compiler

FOLDER = ROOT / "jpegai_mobile" / "native" / "pixels"
SIZE = 67, 151


class Sigma(c.Structure):
    _fields_ = (("values", c.c_void_p), ("rows", c.c_size_t), ("columns", c.c_size_t))


@pytest.fixture(scope="module", params=["-O0", "-O3 -march=native"])
def pixels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    output: Path = tmp_path_factory.mktemp("pixels") / "jai_pixels.so"
    flags = (*request.param.split(), "-ffp-contract=off", "-shared", "-fPIC", *WARNINGS)
    result = compile_c(sorted(FOLDER.glob("*.c")), output, *flags)
    assert result.returncode == 0, result.stderr
    return c.CDLL(str(output))


def pointer(array: NDArray[Any]) -> c.c_void_p:
    return c.c_void_p(array.ctypes.data)


def size(value: int) -> c.c_size_t:
    return c.c_size_t(value)


def wide_planes() -> Planes:
    """Samples below 0, above 255, and on the borders between output samples."""
    rng = np.random.default_rng(4)
    y, u, v = (rng.uniform(-40, 300, SIZE).astype(np.float32) for _ in "yuv")
    y[0] = np.arange(SIZE[1], dtype=np.float32) + np.float32(0.5)
    u[0] = v[0] = 127.5
    return Planes(y, u, v)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_quantise(pixels: Any, bit_depth: int) -> None:
    plane = wide_planes().y
    expected = quantise(plane, bit_depth)
    samples = np.empty_like(expected)
    getattr(pixels, f"jai_quantise{bit_depth}")(pointer(plane), size(plane.size), pointer(samples))
    assert np.array_equal(samples, expected)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_yuv_to_rgb(pixels: Any, bit_depth: int) -> None:
    planes = wide_planes()
    expected = yuv_to_rgb(planes, bit_depth)
    rgb = np.empty_like(expected)
    convert = getattr(pixels, f"jai_yuv_to_rgb{bit_depth}")
    convert(*map(pointer, (planes.y, planes.u, planes.v)), size(planes.y.size), pointer(rgb))
    assert np.array_equal(rgb, expected)


@pytest.mark.parametrize("channels", [1, 2])
def test_samples(pixels: Any, channels: int) -> None:
    raw = np.random.default_rng(9).normal(0, 0.7, (*SIZE, channels)).astype(np.float32)
    inside = raw[3:, 5:140, channels - 1]
    plane = np.empty(inside.shape, np.float32)
    strides = (size(stride // 4) for stride in inside.strides)
    pixels.jai_samples(pointer(inside), *strides, *map(size, inside.shape), pointer(plane), size(plane.shape[1]))
    assert np.array_equal(plane, from_raw(inside))


def cropped_planes() -> Planes:
    """Planes whose rows do not lie one behind the other."""
    whole = wide_planes()
    return Planes(*(plane[1:40, 3:] for plane in (whole.y, whole.u, whole.v)))


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("planes", [wide_planes(), cropped_planes()])
def test_bound_functions_equal_their_twins(planes: Planes, bit_depth: int) -> None:
    assert library() is not None
    assert np.array_equal(bound.quantise(planes.u, bit_depth), quantise(planes.u, bit_depth))
    assert np.array_equal(bound.yuv_to_rgb(planes, bit_depth), yuv_to_rgb(planes, bit_depth))
    raw = np.stack([planes.u, planes.v], axis=2) / np.float32(200)
    assert np.array_equal(bound.from_raw(raw[..., 1]), from_raw(raw[..., 1]))


@pytest.mark.parametrize("make", [cubic_taps, linear_taps])
def test_bound_resampling_equals_its_twin(make: Any) -> None:
    plane = wide_planes().y
    for length in (23, 67, 151, 302, 303):
        columns, rows = make(SIZE[1], length), make(SIZE[0], length)
        assert np.array_equal(bound.resample_columns(columns, plane[1:40]), columns.columns(plane[1:40]))
        first, last = rows.source(5, 20)
        expected = rows.rows(plane[first:last], first, 5, 20)
        assert np.array_equal(bound.resample_rows(rows, plane[first:last], first, 5, 20), expected)
        with pytest.raises(ValueError, match="are not all of"):
            bound.resample_rows(rows, plane[first : last - 1], first, 5, 20)


def test_bound_lef_equals_its_twin() -> None:
    luma = random_planes(SIZE).y
    sigma = np.random.default_rng(2).integers(0, 3968, (5, 10))
    for dtype in (np.int32, np.int16):
        assert np.array_equal(bound.lef(luma, sigma.astype(dtype), 1), lef(luma, sigma.astype(dtype), 1))


def test_subsampled_planes_have_no_pixels() -> None:
    planes = wide_planes()
    with pytest.raises(ValueError, match="not of one size"):
        bound.yuv_to_rgb(Planes(planes.y, planes.u[::2], planes.v[::2]), 8)


def test_twins_take_over_where_the_library_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    planes = wide_planes()
    expected = bound.quantise(planes.y, 8), bound.yuv_to_rgb(planes, 10), bound.from_raw(planes.y)
    monkeypatch.setattr(bound, "library", lambda: None)
    for ours, theirs in zip(
        (bound.quantise(planes.y, 8), bound.yuv_to_rgb(planes, 10), bound.from_raw(planes.y)), expected, strict=True
    ):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("model_id", range(4))
def test_lef(pixels: Any, model_id: int) -> None:
    luma = random_planes(SIZE).y
    sigma = np.random.default_rng(model_id).integers(0, 3968, (160, 5, 10)).astype(np.int32)
    sigma[9].ravel()[:6] = [t + d for t in THRESHOLDS[model_id] for d in (-1, 0)]
    assert len(set(GAINS[model_id])) == 3
    sharpened = np.full_like(luma, np.nan)
    latents = Sigma(pointer(sigma[9]), 5, 10)
    for first, end in ((0, 30), (30, 31), (31, SIZE[0])):
        pixels.jai_lef(
            pointer(luma), size(SIZE[0]), size(SIZE[1]), c.byref(latents), model_id, size(first), size(end),
            pointer(sharpened),
        )  # fmt: skip
    assert np.array_equal(sharpened, lef(luma, sigma[9], model_id))


def test_every_source_is_in_the_build() -> None:
    build = (FOLDER / "CMakeLists.txt").read_text()
    assert all(source.name in build for source in FOLDER.glob("*.c"))
