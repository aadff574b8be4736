"""What an encoder that is free to choose its symbols does: dead zone and refined latents."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rate_distortion import graphics
from jpegai_mobile import EncodeOptions
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.encoder import encoder, refinement
from jpegai_mobile.encoder.coded_planes import CodedPlanes
from jpegai_mobile.encoder.dead_zone import STEPS_PER_BIT, rounded
from jpegai_mobile.encoder.options import EFFORTS
from jpegai_mobile.encoder.pictures import SourcePicture
from jpegai_mobile.encoder.symbol_costs import LARGEST, MAGNITUDE_BITS
from jpegai_mobile.entropy.coding_tables import residual_tables
from jpegai_mobile.entropy.me_tans import encode_rows
from jpegai_mobile.entropy.residual_masses import RESIDUAL_MASSES
from jpegai_mobile.image.colour import yuv_to_rgb
from picture_quality.curves import decibels
from picture_quality.metrics import ms_ssim, psnr

from .encoding import own_decoder, own_encoder, photo, random_picture


@pytest.mark.parametrize("table", range(0, 32, 5))
def test_costs_are_those_of_the_coder(table: int) -> None:
    rng = np.random.default_rng(table)
    bound = len(RESIDUAL_MASSES[table]) // 2
    values = np.clip(np.rint(rng.normal(0, bound / 2, 4000)), -bound - 20, bound + 20).astype(int)
    coded = 8 * len(encode_rows([([residual_tables()[table]] * len(values), values.tolist())], 1))
    expected = MAGNITUDE_BITS[table, np.minimum(np.abs(values), LARGEST)].sum()
    assert coded == pytest.approx(expected, rel=0.06, abs=200)


def test_symbols_are_the_cheaper_of_two() -> None:
    rng = np.random.default_rng(1)
    tables = rng.integers(0, 32, (40, 50, 20)).astype(np.uint8)
    values = (rng.normal(0, 1, tables.shape) * rng.choice([0.5, 3, 300], tables.shape)).astype(np.float32)
    symbols = rounded(values, tables)
    nearest = np.rint(values)

    def cost(candidate: np.ndarray) -> np.ndarray:
        magnitudes = np.minimum(np.abs(candidate), LARGEST).astype(int)
        return np.square(values - candidate) + STEPS_PER_BIT * MAGNITUDE_BITS[tables, magnitudes]

    smaller = np.sign(nearest) * np.maximum(np.abs(nearest) - 1, 0)
    assert np.all((symbols == nearest) | (symbols == smaller))
    assert np.all(cost(symbols) <= np.minimum(cost(nearest), cost(smaller)) + 0.02)
    assert 0.005 < np.mean(symbols != nearest) < 0.2


def test_a_given_displacement_is_coded_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"beta_displacement": 0}, {"model": 1}):
        plain, free = (own_encoder().encode(photo(), EncodeOptions(**options, effort=effort)).data for effort in (1, 2))
        assert plain == free
    assert own_encoder().encode(photo(), EncodeOptions()).data != plain
    monkeypatch.setattr(encoder, "known_hyper_latents", lambda z, cumulative: z)  # all that effort 1 does
    assert own_encoder().encode(photo(), EncodeOptions(effort=1)).data == plain


def test_more_quality_for_the_same_bits() -> None:
    plain, free = (own_encoder().encode(photo(), EncodeOptions(bpp=1.0, effort=effort)).data for effort in (1, 2))
    pictures = [yuv_to_rgb(own_decoder().decode(data).planes, 8) for data in (free, plain)]
    ours, theirs = (decibels(ms_ssim(picture.astype(float), photo().samples.astype(float))) for picture in pictures)
    assert ours > theirs + 0.1
    assert psnr(pictures[0], photo().samples) > psnr(pictures[1], photo().samples)


def test_every_effort_is_a_stream_of_its_own() -> None:
    """On a picture this small more effort is not more quality; see docs/encoding.md for photographs."""
    encoded = [own_encoder().encode(photo(), EncodeOptions(effort=effort)) for effort in EFFORTS]
    assert len({each.data for each in encoded}) == len(EFFORTS)
    assert [each.passes for each in encoded] == [1, 2, 3]
    assert own_encoder().encode(photo(), EncodeOptions(effort=3)).data == encoded[-1].data
    filters = [bool(read_code_stream(each.data).tools.filters) for each in encoded]
    assert filters == [False, False, True]
    with pytest.raises(ValueError, match=r"effort 4 is not in 1\.\.3"):
        EncodeOptions(effort=4)


def test_refinement_does_not_depend_on_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, options = random_picture(331, 227, 3), EncodeOptions(chroma=(2, 2))
    whole = own_encoder().encode(picture, options).data
    monkeypatch.setattr(refinement, "PATCH", 12)
    assert own_encoder().encode(picture, options).data == whole


def test_what_comes_back_as_something_else_is_not_refined() -> None:
    steps = np.full(4, 2, np.float32)
    coded = np.array([[[9, 0, 0, 0], [90, 0, 0, 0], [9, 0, 0, 0], [90, 0, 0, 0]]], np.float32)
    moved = np.array([[[0, 1.9, 0, 0], [0, 3, 0, 0], [0, 3, 0, 0], [0, 7, 0, 0]]], np.float32)
    for component, expected in ((Component.LUMA, [0, 0, 1, 1]), (Component.CHROMA, [0, 0, 0, 1])):
        found = refinement._not_understood(component, coded, coded + moved, steps)
        assert found.tolist() == [[bool(each) for each in expected]]


def test_effort_does_no_harm_to_a_line_drawing() -> None:
    picture = SourcePicture(np.asarray(graphics.line_drawing()))
    plain, free = (own_encoder().encode(picture, EncodeOptions(quality=20, effort=effort)).data for effort in (1, 2))
    plain_psnr, free_psnr = (
        psnr(yuv_to_rgb(own_decoder().decode(data).planes, 8), picture.samples) for data in (plain, free)
    )
    assert len(free) < len(plain) and free_psnr > plain_psnr - 0.2


def test_refinement_leaves_alone_what_the_transforms_do_not_understand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours of a drawn gradient come back from the decoder as others: to correct that would make it worse."""
    picture = SourcePicture(np.asarray(graphics.gradients()))

    def quality(effort: int) -> float:
        data = own_encoder().encode(picture, EncodeOptions(bpp=0.5, effort=effort)).data
        return psnr(yuv_to_rgb(own_decoder().decode(data).planes, 8), picture.samples)

    plain = quality(1)
    assert quality(2) > plain - 0.3
    monkeypatch.setattr(refinement, "MOST_STEPS", 1e9)
    assert quality(2) < plain - 1


def test_windows_of_a_subsampled_picture_are_parts_of_it() -> None:
    picture = random_picture(133, 70, 4)
    whole = CodedPlanes(picture, (133, 70), (2, 2)).window(range(134), range(70))
    part = CodedPlanes(picture, (133, 70), (2, 2)).window(range(64, 134), range(16, 48))
    for name in "yuv":
        assert np.array_equal(getattr(part, name), getattr(whole, name)[64:, 16:48])
    assert np.array_equal(whole.u[::2], whole.u[1::2])
