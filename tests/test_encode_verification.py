"""Choices that the encoder makes by decoding: post-filters and a wanted PSNR."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import jpegai_mobile
from jpegai_mobile import EncodeOptions
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.encoder import verification
from jpegai_mobile.encoder.coded_planes import Picture
from jpegai_mobile.encoder.post_filters import efe_linear_headers, lef_channel
from jpegai_mobile.encoder.rate_control import EQUAL_PSNR, MAX_PSNR_PASSES, TargetPsnr
from jpegai_mobile.filters.efe_linear import efe_linear
from jpegai_mobile.filters.lef import lef
from jpegai_mobile.image.planes import Planes
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
    if kind == "rgb":
        assert "LEF" in tools.filters
        assert chroma is not None or "EFE linear" in tools.filters


@pytest.mark.parametrize(("coded", "size"), [((1, 1), (61, 74)), ((2, 2), (61, 75)), ((1, 2), (64, 66))])
def test_least_squares_finds_a_filter_that_was_applied(coded: tuple[int, int], size: tuple[int, int]) -> None:
    header = read_code_stream(
        own_encoder().encode(random_picture(*size, 1), EncodeOptions(chroma=coded, effort=1, quality=20)).data
    ).picture
    rng = np.random.default_rng(0)
    decoded = Planes(*(rng.uniform(20, 230, size).astype(np.float32) for _ in range(3)))
    first = list(efe_linear_headers(decoded, decoded, header))[-1]
    for plane in first.set_b.planes:
        plane.weights = [[code + int(rng.integers(0, 200)) for code in region] for region in plane.weights]
        plane.weights2 = [[code + int(rng.integers(0, 200)) for code in region] for region in plane.weights2]
    first.set_b.maxSymbol += 200
    wanted = efe_linear(decoded, first, first.set_b, header)
    found = list(efe_linear_headers(decoded, wanted, header))[-1]
    again = efe_linear(decoded, found, found.set_b, header)
    for name in "uv":
        assert np.abs(getattr(again, name) - getattr(wanted, name)).mean() < 0.6


def test_lef_channel_is_the_best() -> None:
    rng = np.random.default_rng(2)
    luma = rng.uniform(0, 255, (50, 70)).astype(np.float32)
    sigma = rng.integers(0, 3000, (9, 4, 5)).astype(np.int32)
    wanted = lef(luma, sigma[6], 1)
    assert lef_channel(luma, wanted, sigma, 1) == 6


def test_filters_that_cost_too_much_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "DECIBELS_PER_DOUBLING", 1e6)
    plain, filtered = (
        own_encoder().encode(photo(), EncodeOptions(quality=30, post_filters=on)).data for on in (False, True)
    )
    assert plain == filtered


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
