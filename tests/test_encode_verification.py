"""Choices that the encoder makes by decoding: post-filters and a wanted PSNR."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import jpegai_mobile
from jpegai_mobile import EncodeOptions
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.picture_header import PictureHeader
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.codestream.tool_header import EfeLinearHeader
from jpegai_mobile.encoder import verification
from jpegai_mobile.encoder.coded_planes import Picture
from jpegai_mobile.encoder.post_filters import efe_linear_headers, efe_nonlinear_headers, lef_channel
from jpegai_mobile.encoder.rate_control import EQUAL_PSNR, MAX_PSNR_PASSES, TargetPsnr
from jpegai_mobile.encoder.yuv_picture import YuvPicture
from jpegai_mobile.filters.efe_linear import SPLITS, efe_linear, split_regions
from jpegai_mobile.filters.efe_nonlinear import efe_nonlinear
from jpegai_mobile.filters.lef import lef
from jpegai_mobile.image.colour import quantise
from jpegai_mobile.image.planes import Planes
from jpegai_mobile.runtime.entropy_engine import run_entropy_stage
from picture_quality.metrics import psnr

from .encoding import own_bundle_path, own_decoder, own_encoder, photo, random_picture
from .test_encode_yuv import yuv_photo

SOURCES = [("rgb", None), ("rgb", (2, 2)), ("rgb", (1, 2)), ("yuv", (1, 1)), ("yuv", (1, 2)), ("yuv", (2, 2))]


@cache
def source(kind: str, chroma: tuple[int, int] | None) -> Picture:
    return photo() if kind == "rgb" else yuv_photo(chroma or (1, 1), 10)


@pytest.mark.parametrize(("kind", "chroma"), SOURCES)
def test_filters_never_make_a_picture_worse(kind: str, chroma: tuple[int, int] | None) -> None:
    picture = source(kind, chroma)
    options = EncodeOptions(quality=70, chroma=chroma)
    plain = own_encoder().encode(picture, options).data
    filtered = own_encoder().encode(picture, replace(options, post_filters=True)).data
    errors = [picture.squared_error(own_decoder().decode(data).planes) for data in (plain, filtered)]
    tools = read_code_stream(filtered).tools
    if tools.filters:
        assert errors[1] < errors[0]
        assert len(plain) < len(filtered) < len(plain) + 500
    else:
        assert filtered == plain
    if (kind, chroma) == ("rgb", None):
        assert "EFE linear" in tools.filters


@pytest.mark.parametrize("subsampling", [(1, 1), (1, 2), (2, 2)])
def test_chroma_that_follows_luma_gets_curves(subsampling: tuple[int, int]) -> None:
    """Of a source whose dark places are tinted; the decoder of the stream does not know that."""
    picture, options = yuv_photo(subsampling), EncodeOptions(quality=70)
    data = own_encoder().encode(picture, options).data
    vertical, horizontal = subsampling
    tint = np.maximum(80 - picture.y[::vertical, ::horizontal].astype(np.int16), 0) // 4
    tinted = replace(picture, u=(picture.u + tint).astype(np.uint8), v=(picture.v - tint).astype(np.uint8))
    with jpegai_mobile.open_bundle(own_bundle_path()) as bundle:
        filtered = verification.Verification(tinted, bundle, options).filtered(data)
    tools = read_code_stream(filtered).tools
    assert "EFE non-linear" in tools.filters
    before, after = (tinted.squared_error(own_decoder().decode(stream).planes) for stream in (data, filtered))
    assert after < 0.9 * before


def test_what_lef_restores_gets_it() -> None:
    """A source that is the decoded picture, sharpened as the channel does it that changes most."""
    picture, options = yuv_photo((1, 1)), EncodeOptions(quality=70)
    data = own_encoder().encode(picture, options).data
    decoded, model = own_decoder().decode(data).planes, read_code_stream(data).picture.model_id
    with jpegai_mobile.open_bundle(own_bundle_path()) as bundle:
        arrays = run_entropy_stage(data, bundle.entropy_model_bytes(model)).components[Component.LUMA]
        planes = [lef(decoded.y, sigma, model) for sigma in arrays.sigma]
        channel, sharp = max(enumerate(planes), key=lambda each: float(np.abs(each[1] - decoded.y).mean()))
        wanted = YuvPicture(*(quantise(plane, 8) for plane in (sharp, decoded.u, decoded.v)), picture.subsampling)
        filtered = verification.Verification(wanted, bundle, options).filtered(data)
    tools = read_code_stream(filtered).tools
    assert tools.filters == ("LEF",)
    assert tools.LEF_chIdx == channel
    before, after = (wanted.squared_error(own_decoder().decode(stream).planes) for stream in (data, filtered))
    assert after < 0.1 * before


FORMATS = [((1, 1), (61, 74)), ((2, 2), (61, 75)), ((1, 2), (64, 66))]


def header_and_noise(coded: tuple[int, int], size: tuple[int, int]) -> tuple[PictureHeader, Planes]:
    """The header of a 4:4:4 source coded with chroma of that format, and planes that a decoder might give."""
    stream = own_encoder().encode(random_picture(*size, 1), EncodeOptions(chroma=coded, effort=1, quality=20)).data
    rng = np.random.default_rng(0)
    planes = Planes(*(rng.uniform(20, 230, size).astype(np.float32) for _ in range(3)))
    return read_code_stream(stream).picture, planes


def moved(codes: list[int], rng: np.random.Generator) -> list[int]:
    return [code + int(rng.integers(0, 200)) for code in codes]


def chroma_error(planes: Planes, wanted: Planes) -> float:
    return max(float(np.abs(getattr(planes, name) - getattr(wanted, name)).mean()) for name in "uv")


def largest_kernels(decoded: Planes, wanted: Planes, header: PictureHeader) -> EfeLinearHeader:
    return max(efe_linear_headers(decoded, wanted, header), key=lambda found: found.set_b.planes[0].fL)


@pytest.mark.parametrize(("coded", "size"), FORMATS)
def test_least_squares_finds_a_filter_that_was_applied(coded: tuple[int, int], size: tuple[int, int]) -> None:
    header, decoded = header_and_noise(coded, size)
    first, rng = largest_kernels(decoded, decoded, header), np.random.default_rng(1)
    for plane in first.set_b.planes:
        plane.weights = [moved(region, rng) for region in plane.weights]
        plane.weights2 = [moved(region, rng) for region in plane.weights2]
    first.set_b.maxSymbol += 200
    wanted = efe_linear(decoded, first, first.set_b, header)
    found = largest_kernels(decoded, wanted, header)
    assert chroma_error(efe_linear(decoded, found, found.set_b, header), wanted) < 0.6


@pytest.mark.parametrize("split", range(1, len(SPLITS)))
def test_regions_get_kernels_of_their_own(split: int) -> None:
    header, decoded = header_and_noise((1, 1), (200, 270))
    regions = split_regions((100, 135), SPLITS[split])
    u, v = decoded.u.copy(), decoded.v.copy()
    for number, region in enumerate(regions):
        place = slice(2 * region.top, 2 * region.bottom), slice(2 * region.left, 2 * region.right)
        u[place] += decoded.y[place] * (0.05 * (number + 1))
        v[place] -= decoded.y[place] * (0.02 * (number + 1))
    wanted = Planes(decoded.y, u, v)
    small = [found for found in efe_linear_headers(decoded, wanted, header) if found.set_b.planes[0].fL == 1]
    errors = [chroma_error(efe_linear(decoded, found, found.set_b, header), wanted) for found in small]
    assert [found.set_b.planes[0].best_cand_idx - 1 for found in small] == list(range(len(SPLITS)))
    assert errors[split] < 0.05 and errors[0] > 1


@pytest.mark.parametrize(("coded", "size"), FORMATS)
def test_least_squares_finds_curves_that_were_applied(coded: tuple[int, int], size: tuple[int, int]) -> None:
    header, decoded = header_and_noise(coded, size)
    rng = np.random.default_rng(1)
    tiles = []
    for first in efe_nonlinear_headers(decoded, decoded, header):
        for plane in first.planes:
            plane.A1 = moved(plane.A1, rng)
        first.maxSymbol += 200
        wanted = efe_nonlinear(decoded, first, header, None)
        assert chroma_error(decoded, wanted) > 1
        found = next(h for h in efe_nonlinear_headers(decoded, wanted, header) if h.numTiles == first.numTiles)
        assert chroma_error(efe_nonlinear(decoded, found, header, None), wanted) < 0.2
        tiles.append(found.numTiles)
    assert tiles == [1, 4]


def test_a_curve_of_constant_luma_is_no_problem() -> None:
    header, noise = header_and_noise((1, 1), (64, 64))
    decoded = Planes(np.full_like(noise.y, 90), noise.u, noise.v)
    wanted = Planes(decoded.y, noise.u + 3, noise.v)
    for found in efe_nonlinear_headers(decoded, wanted, header):
        assert np.isfinite(efe_nonlinear(decoded, found, header, None).u).all()


def test_lef_channel_is_the_best() -> None:
    rng = np.random.default_rng(2)
    luma = rng.uniform(0, 255, (50, 70)).astype(np.float32)
    sigma = rng.integers(0, 3000, (9, 4, 5)).astype(np.int32)
    wanted = lef(luma, sigma[6], 1)
    assert lef_channel(luma, wanted, sigma, 1) == 6


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (66, 2)])
def test_tiny_pictures_may_have_filters(size: tuple[int, int]) -> None:
    """LEF does nothing there, and is not tried."""
    data = own_encoder().encode(random_picture(*size, 3), EncodeOptions(quality=40, post_filters=True)).data
    assert "LEF" not in read_code_stream(data).tools.filters
    assert own_decoder().decode(data).planes.size == size


def test_filters_that_cost_too_much_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "DECIBELS_PER_DOUBLING", 1e6)
    plain, filtered = (
        own_encoder().encode(photo(), EncodeOptions(quality=30, post_filters=on)).data for on in (False, True)
    )
    assert plain == filtered


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_psnr_is_that_of_all_samples_in_their_depth(bit_depth: int) -> None:
    picture = yuv_photo((2, 2), bit_depth, 64, 96)
    data = own_encoder().encode(picture, EncodeOptions(effort=1)).data
    planes = own_decoder().decode(data).planes
    decoded = [quantise(getattr(planes, name), bit_depth).ravel() for name in "yuv"]
    samples = [getattr(picture, name).ravel() for name in "yuv"]
    expected = psnr(np.concatenate(decoded), np.concatenate(samples), (1 << bit_depth) - 1)
    measured = verification.Verification(picture, own_encoder().bundle, EncodeOptions()).psnr(data)
    assert measured == pytest.approx(expected, abs=1e-3)


def test_psnr_is_hit() -> None:
    encoded = own_encoder().encode(photo(), EncodeOptions(target_psnr=28.0))
    assert encoded.passes <= MAX_PSNR_PASSES + 1 and not encoded.notes  # one of them refines
    assert psnr(jpegai_mobile.decode(encoded.data, own_bundle_path()), photo().samples) == pytest.approx(28, abs=0.1)


def curved(beta: int) -> bytes:
    """A stream that is its own PSNR: steep at low rates, flat at high ones."""
    return str(np.interp(beta, (-2048, 79, 444, 1200, 2047), (10.0, 33.0, 41.8, 45.7, 46.0))).encode()


@pytest.mark.parametrize("first", [-500, 0, 1200, 2047])
@pytest.mark.parametrize("wanted", [20.0, 36.0, 40.0, 44.0])
def test_a_curved_psnr_is_found_between_two_attempts(first: int, wanted: float) -> None:
    target = TargetPsnr(wanted, float)
    attempt, passes, found = target.search(target.nearer(first, curved), MAX_PSNR_PASSES, curved)
    assert passes <= MAX_PSNR_PASSES and abs(found - wanted) < 0.3
    assert attempt.stream == curved(attempt.beta) and float(attempt.stream) == pytest.approx(found)


def test_a_picture_that_comes_back_as_it_was_ends_the_search() -> None:
    target = TargetPsnr(60.0, lambda _: math.inf)
    attempt, passes, found = target.search(0, MAX_PSNR_PASSES, curved)
    assert passes <= MAX_PSNR_PASSES and attempt.beta == 0 and found == EQUAL_PSNR


def test_latents_are_refined_at_the_rate_of_the_psnr() -> None:
    low, high = (own_encoder().encode(photo(), EncodeOptions(target_psnr=psnr)) for psnr in (25.0, 34.0))
    for encoded in (low, high):
        plain = own_encoder().encode(photo(), EncodeOptions(beta_displacement=encoded.beta_displacement))
        assert abs(len(encoded.data) / len(plain.data) - 1) < 0.25
    assert 2 * len(low.data) < len(high.data)


def test_a_psnr_out_of_reach_is_told() -> None:
    encoded = own_encoder().encode(random_picture(70, 64, 5), EncodeOptions(target_psnr=80.0))
    assert "dB is as near to 80 as was found" in encoded.notes[0]
    for wrong in (0.0, -3.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="target_psnr"):
            EncodeOptions(target_psnr=wrong)
    with pytest.raises(ValueError, match="choose one"):
        EncodeOptions(target_psnr=30.0, bpp=1.0)
