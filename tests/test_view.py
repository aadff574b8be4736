"""Views: a region equals the crop of the whole picture, a reduced picture its block means."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jpegai_mobile import DecodeOptions, EncodeOptions
from jpegai_mobile.cli.main import main
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.encoder.yuv_picture import YuvPicture, yuv_from_bytes
from jpegai_mobile.errors import Unsupported
from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import clamped, yuv_to_rgb
from jpegai_mobile.image.output import open_writer
from jpegai_mobile.image.planes import Planes, cropped, join_bands
from jpegai_mobile.image.scaling import BoxScaler, scaled_size
from jpegai_mobile.runtime.view import View

from .conformance import conformance_decoder
from .encoding import own_bundle_path, own_decoder, own_encoder
from .test_encode_yuv import yuv_photo
from .vectors import CONFORMANCE, ROOT, needs_conformance


def _picture(name: str, view: View, **options: object) -> np.ndarray:
    data = (CONFORMANCE / "streams" / name / "stream.jai").read_bytes()
    reconstruction = conformance_decoder().reconstruct(data, DecodeOptions(**options))
    output = io.BytesIO()
    with open_writer(output, view.layout(reconstruction.stream.picture), "npy") as writer:
        for band in view.bands(reconstruction, filters=True):
            writer.write_rows(band)
    output.seek(0)
    return np.load(output)


@needs_conformance
@pytest.mark.parametrize(
    "name",
    [
        "bop_187x133",
        "sop_tiles_depreg_768x512",
        "tiles256_600x420",
        "toolson_320x240",
        "yuv420_187x133",
        "disp_crop_200x136",
    ],
)
@pytest.mark.parametrize("patch", [None, (14, 14)])
@pytest.mark.parametrize("region", [Rectangle(0, 0, 1, 1), Rectangle(33, 51, 121, 150), Rectangle(0, 100, 50, 183)])
def test_a_region_equals_the_crop(name: str, patch: tuple[int, int] | None, region: Rectangle) -> None:
    whole = _picture(name, View())
    assert np.array_equal(_picture(name, View(region), patch=patch), whole[region.slices])


@pytest.mark.parametrize("words", [[], ["--no-filters"]])
@pytest.mark.parametrize("subsampling", [(1, 1), (1, 2), (2, 2)])
def test_a_region_of_a_yuv_file_equals_the_crop(
    subsampling: tuple[int, int], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it holds whole samples of chroma; elsewhere it is refused."""
    source, target = tmp_path / "a.jai", tmp_path / "a.yuv"
    source.write_bytes(own_encoder().encode(yuv_photo(subsampling), EncodeOptions(post_filters=True)).data)
    command = ["decode", str(source), str(target), "--bundle", str(own_bundle_path()), "--patch", "200", *words]

    def planes(size: tuple[int, int], *more: str) -> YuvPicture:
        assert main([*command, *more]) == 0
        return yuv_from_bytes(target.read_bytes(), "a.yuv", size, subsampling, 8)

    whole = planes((133, 187))
    for region in (Rectangle(34, 50, 94, 150), Rectangle(70, 120, 133, 187), Rectangle(0, 0, 133, 2)):
        text = f"{region.left},{region.top},{region.width},{region.height}"
        part, expected = planes((region.height, region.width), "--region", text), cropped(whole, region, subsampling)
        for name in "yuv":
            assert np.array_equal(getattr(part, name), getattr(expected, name)), (region, name)
    for text, step in (("0,1,8,8", 0), ("0,0,8,7", 0), ("1,0,8,8", 1), ("0,0,7,8", 1)):
        code = 0 if subsampling[step] == 1 else 2
        assert main([*command, "--region", text]) == code
        assert code == 0 or "--region cuts through chroma samples" in capsys.readouterr().err


@needs_conformance
@pytest.mark.parametrize("name", ["indreg_640x520", "indreg_rvs_threads2_700x530"])
@pytest.mark.parametrize("top", [240, 256, 448])
def test_a_strip_at_the_margin_of_tiles_equals_the_crop(name: str, top: int) -> None:
    strip = Rectangle(top, 0, top + 16, 640)
    assert np.array_equal(_picture(name, View(strip)), _picture(name, View())[strip.slices])


def test_regions_of_a_reconstruction_may_be_asked_for_in_any_order() -> None:
    data, options = (ROOT / "examples" / "kodim07.jai").read_bytes(), DecodeOptions(operating_point="sop")
    reconstruction = own_decoder().reconstruct(data, options)
    whole = View().rgb(reconstruction)
    for region in (Rectangle(5, 7, 105, 107), Rectangle(400, 300, 480, 700), Rectangle(300, 600, 380, 640)):
        assert np.array_equal(View(region).rgb(reconstruction), whole[region.slices])


def test_what_cannot_be_output_is_refused_before_any_work() -> None:
    stream = read_code_stream((ROOT / "examples" / "kodim07.jai").read_bytes())
    stream.picture.colour_transform_idx = 2
    stream.picture.colour_transform_matrix, stream.picture.colour_transform_offset = [64] * 9, [0] * 3
    reconstruction = own_decoder().reconstruct(write_code_stream(stream), DecodeOptions())
    with pytest.raises(Unsupported, match="user matrix"):
        View().rgb(reconstruction)
    with pytest.raises(Unsupported, match="user matrix"):
        next(View().bands(reconstruction, filters=True))
    assert reconstruction.networks.prepared() == ()


def test_yuv_output_is_clamped_before_it_is_converted() -> None:
    """As the colour transform of the standard does it; chroma that was coded subsampled overshoots at edges."""
    u, flat = np.full((64, 64), 127, np.uint8), np.full((64, 64), 127, np.uint8)
    u[:, 16:48] = 255
    options = EncodeOptions(chroma=(2, 2), quality=80)
    reconstruction = own_decoder().reconstruct(
        own_encoder().encode(YuvPicture(flat, u, flat, (1, 1)), options).data, DecodeOptions()
    )
    planes = reconstruction.filtered(True)
    assert planes.u.max() > 256
    expected = yuv_to_rgb(clamped(planes), 8)
    assert not np.array_equal(expected, yuv_to_rgb(planes, 8))
    assert np.array_equal(View().rgb(reconstruction), expected)
    for view in (View(), View(Rectangle(5, 10, 60, 50))):
        output = io.BytesIO()
        with open_writer(output, view.layout(reconstruction.stream.picture), "npy") as writer:
            view.write(reconstruction, writer)
        output.seek(0)
        region = view.region or Rectangle(0, 0, 64, 64)
        assert np.array_equal(np.load(output), expected[region.slices])


def test_a_decoder_keeps_the_networks_of_the_last_picture_only() -> None:
    decoder, data = own_decoder(), (ROOT / "examples" / "kodim07.jai").read_bytes()
    corner = View(Rectangle(0, 0, 8, 8))
    networks = []
    for point in ("bop", "sop", "sop"):
        reconstruction = decoder.reconstruct(data, DecodeOptions(operating_point=point))
        corner.rgb(reconstruction)
        networks.append(reconstruction.networks)
    assert networks[0].prepared() == ()
    assert networks[1] is networks[2]
    assert "synthesis" in networks[2].prepared()


@needs_conformance
def test_a_region_computes_only_what_it_needs() -> None:
    data = (CONFORMANCE / "streams" / "bop_1300x1100_tiles" / "stream.jai").read_bytes()
    reconstruction = conformance_decoder().reconstruct(data, DecodeOptions(patch=(16, 16)))
    networks, computed = reconstruction.networks, []
    synthesis = networks.synthesis_luma
    networks.synthesis_luma = lambda latent, extent: computed.append(extent) or synthesis(latent, extent)
    try:
        list(View(Rectangle(500, 500, 600, 600)).bands(reconstruction, filters=True))
    finally:
        del networks.synthesis_luma
    assert 0 < sum(rows * columns for rows, columns in computed) <= 300 * 300


@needs_conformance
@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("name", ["bop_187x133", "yuv420_187x133"])
def test_a_reduced_picture_has_block_means(name: str, factor: int) -> None:
    whole = _picture(name, View()).astype(float)
    reduced = _picture(name, View(factor=factor), patch=(14, 14))
    assert reduced.shape[:2] == scaled_size(whole.shape[:2], factor)
    for row, column in ((0, 0), (3, 7), (reduced.shape[0] - 1, reduced.shape[1] - 1)):
        block = whole[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        # The means are those of unrounded, unclipped samples.
        assert np.abs(block.mean(axis=(0, 1)) - reduced[row, column]).max() < 12


@pytest.mark.parametrize("subsampling", [(2, 2), (1, 2)])
@pytest.mark.parametrize(
    "view", [View(Rectangle(100, 101, 261, 222)), View(Rectangle(3, 7, 300, 210), 4), View(None, 8)]
)
def test_subsampled_chroma_is_resampled_as_in_the_whole_picture(subsampling: tuple[int, int], view: View) -> None:
    stream = read_code_stream((ROOT / "examples" / "kodim07.jai").read_bytes())
    picture = stream.picture
    picture.s_ver_minus1 = picture.c_ver_minus1 = subsampling[0] - 1
    picture.s_hor_minus1 = picture.c_hor_minus1 = subsampling[1] - 1
    options = DecodeOptions(operating_point="sop", patch=(20, 40))
    reconstruction = own_decoder().reconstruct(write_code_stream(stream), options)
    whole = to_444(reconstruction.filtered(True))
    part = cropped(whole, view.region or Rectangle(0, 0, *whole.size), (1, 1))
    expected = BoxScaler(part.size, view.factor).feed(part)
    bands = list(view.bands(reconstruction, filters=True))
    assert len(bands) > 1
    for name in "yuv":
        assert np.array_equal(getattr(join_bands(bands), name), getattr(expected, name))


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.sampled_from([1, 2, 4, 8]), st.randoms())
def test_bands_do_not_change_the_means(height: int, width: int, factor: int, random: object) -> None:
    samples = np.random.default_rng(height * 100 + width).random((height, width), np.float32)
    cuts = sorted({0, height, *(random.randrange(height) for _ in range(3))})
    scaler = BoxScaler((height, width), factor)
    bands = [scaler.feed(Planes(*[samples[a:b]] * 3)) for a, b in pairwise(cuts)]
    reduced = np.concatenate([band.y for band in bands])
    assert reduced.shape == scaled_size((height, width), factor)
    for row, column in np.ndindex(reduced.shape):
        block = samples[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        assert reduced[row, column] == pytest.approx(block.mean(), rel=1e-5)
