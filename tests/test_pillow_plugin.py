"""The Pillow plug-in: open reads headers only, save encodes."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import jpegai_mobile
from jpegai_mobile import EncodeOptions, pillow_plugin
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream

from .encoding import own_bundle_path, own_decoder_bundle_path, own_encoder, photo, random_picture
from .test_encode_yuv import yuv_photo
from .vectors import ROOT


@pytest.fixture(autouse=True)
def own_bundle() -> Iterator[None]:
    pillow_plugin.use_bundle(own_bundle_path())
    yield
    pillow_plugin.use_bundle(None)


def test_save_and_open(tmp_path: Path) -> None:
    path = tmp_path / "photo.jai"
    Image.fromarray(photo().samples).save(path, quality=60)
    assert path.read_bytes() == own_encoder().encode(photo(), EncodeOptions(quality=60)).data
    with Image.open(path) as image:
        height, width = photo().size
        assert (image.format, image.mode, image.size) == ("JPEGAI", "RGB", (width, height))
        assert np.array_equal(np.asarray(image), jpegai_mobile.decode(path.read_bytes(), own_bundle_path()))


def test_opening_needs_no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    data = own_encoder().encode(photo()).data
    pillow_plugin.use_bundle("/nowhere")
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == photo().size[::-1]
        with pytest.raises(OSError, match="/nowhere: no such model bundle"):
            image.load()


def test_bpp_and_background() -> None:
    image = Image.fromarray(photo().samples).convert("RGBA")
    image.putalpha(128)
    buffer = io.BytesIO()
    image.save(buffer, "JPEGAI", bpp=0.4, background="white")
    assert len(buffer.getvalue()) * 8 / (image.width * image.height) == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize(
    ("mode", "keywords", "error", "text"),
    [
        ("RGB", {"bpp": "x"}, ValueError, "bpp 'x' is not a number in 0.0001"),
        ("RGB", {"bpp": None, "quality": "x"}, ValueError, "quality 'x' is not a whole number"),
        ("RGB", {"background": "bleu"}, ValueError, "background 'bleu' is not a colour"),
        ("RGB", {"model": 3}, OSError, "cannot encode with model 3"),
        ("RGBA", {}, OSError, "transparency has no place"),
        ("F", {}, OSError, "floating point samples"),
    ],
)
def test_errors_are_those_of_pillow(
    mode: str, keywords: dict[str, Any], error: type[Exception], text: str, tmp_path: Path
) -> None:
    """As of `save` to other formats: ValueError for a keyword, OSError for all else; no file is left behind."""
    with pytest.raises(error, match=text):
        Image.new(mode, (64, 64)).save(tmp_path / "a.jai", **keywords)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="No such file"):
        Image.new("RGB", (64, 64)).save(tmp_path / "absent" / "a.jai")
    pillow_plugin.use_bundle("/nowhere")
    with pytest.raises(OSError, match="/nowhere: no such model bundle"):
        Image.new("RGB", (64, 64)).save(tmp_path / "a.jai")


def _coded(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "JPEGAI", effort=1)
    return buffer.getvalue()


def _decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_threads_take_turns() -> None:
    streams = [own_encoder().encode(random_picture(203, 310, seed)).data for seed in (2, 3)]
    pictures = [_decoded(data) for data in streams]
    coded = _coded(pictures[0])

    def use(number: int) -> bool:
        if number % 10 == 0:
            return _coded(pictures[0]) == coded
        return np.array_equal(_decoded(streams[number % 2]), pictures[number % 2])

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(2) as threads:
            assert all(threads.map(use, range(24)))
    finally:
        sys.setswitchinterval(before)


def test_threads_may_load_the_same_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finds it decoded."""
    decodes: list[object] = []
    reconstruct = jpegai_mobile.Decoder.reconstruct
    monkeypatch.setattr(
        jpegai_mobile.Decoder, "reconstruct", lambda *args, **more: decodes.append(0) or reconstruct(*args, **more)
    )
    data = own_encoder().encode(random_picture(70, 90, 2)).data
    with Image.open(io.BytesIO(data)) as image, ThreadPoolExecutor(2) as threads:
        with pillow_plugin._one_at_a_time:
            loading = [threads.submit(image.load) for _ in range(2)]
            time.sleep(0.1)  # both have found that the image is not decoded yet
        for each in loading:
            each.result()
        assert len(decodes) == 1
        assert np.array_equal(np.asarray(image), _decoded(data))


def test_another_operating_point_than_the_first_gives_a_warning() -> None:
    """It names the line that wants samples, be it by a function of Pillow."""
    pillow_plugin.use_bundle(own_decoder_bundle_path("sop"))
    for use in (lambda image: image.load(), np.asarray, lambda image: image.convert("L")):
        with Image.open(ROOT / "examples" / "kodim07.jai") as image:
            with pytest.warns(jpegai_mobile.DecodeWarning, match="decoded at operating point sop") as told:
                use(image)
            assert [warning.filename for warning in told] == [__file__]


def test_a_region_of_interest_is_a_keyword() -> None:
    mask = photo().samples[..., 0] > 100
    expected = jpegai_mobile.encode(photo().samples, own_bundle_path(), quality=30, roi=mask)
    for roi in (mask, Image.fromarray(mask)):
        buffer = io.BytesIO()
        Image.fromarray(photo().samples).save(buffer, "JPEGAI", quality=30, roi=roi)
        assert buffer.getvalue() == expected
    with pytest.raises(OSError, match="mask of float64"):
        Image.fromarray(photo().samples).save(io.BytesIO(), "JPEGAI", roi=mask.astype(float))


def test_unknown_keywords_of_any_value_are_told() -> None:
    with pytest.warns(jpegai_mobile.EncodeWarning, match="save: matrix, progressive was ignored"):
        Image.new("RGB", (64, 64)).save(io.BytesIO(), "JPEGAI", matrix=np.eye(3), progressive=False, exif=None)


def test_no_file_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "a.jai"
    path.write_bytes(own_encoder().encode(random_picture(70, 90, 2)).data)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        Image.open(path).load()
        gc.collect()
    assert not told


def test_a_picture_above_the_limit_is_a_bomb_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    data = own_encoder().encode(random_picture(70, 90, 2)).data
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 70 * 90 // 2 - 1)
    with pytest.raises(Image.DecompressionBombError, match="exceeds limit of 6298"):
        Image.open(io.BytesIO(data))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 70 * 90)
    assert _decoded(data).shape == (70, 90, 3)


def test_no_limit_of_pillow_is_no_limit_on_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = read_code_stream(own_encoder().encode(random_picture(70, 90, 2)).data)
    stream.picture.img_width_minus64, stream.picture.img_height_minus64 = 19936, 9936
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    asked: list[jpegai_mobile.DecodeOptions] = []

    def record(decoder: object, data: bytes, options: jpegai_mobile.DecodeOptions, output: object) -> NoReturn:
        asked.append(options)
        raise jpegai_mobile.Unsupported("never mind")

    monkeypatch.setattr(jpegai_mobile.Decoder, "reconstruct", record)
    with Image.open(io.BytesIO(write_code_stream(stream))) as image, pytest.raises(OSError, match="never mind"):
        image.load()
    assert asked[0].max_samples >= image.width * image.height == 200_000_000


def test_exif_that_cannot_be_read_is_an_error_of_pillow() -> None:
    image = Image.new("RGB", (64, 64))
    image.info["exif"] = b"Exif\0\0no TIFF header"
    with pytest.raises(OSError, match="EXIF cannot be read"):
        image.save(io.BytesIO(), "JPEGAI")


def test_metadata_is_not_dropped_silently(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    buffer = io.BytesIO()
    Image.fromarray(photo().samples).save(buffer, "PNG", exif=exif)
    with Image.open(buffer) as image:
        with pytest.warns(jpegai_mobile.EncodeWarning, match="metadata was dropped: EXIF"):
            image.save(tmp_path / "a.jai")
        with pytest.warns(jpegai_mobile.EncodeWarning, match="metadata was dropped: EXIF"):
            jpegai_mobile.encode(image, own_bundle_path())
    with pytest.warns(jpegai_mobile.EncodeWarning, match="save: icc_profile was ignored") as told:
        Image.fromarray(photo().samples).save(tmp_path / "a.jai", icc_profile=b"profile", quality=40)
    assert [warning.filename for warning in told] == [__file__]


def test_drafts_are_smaller() -> None:
    picture = random_picture(203, 310, 5)
    data = own_encoder().encode(picture).data
    with Image.open(io.BytesIO(data)) as image:
        whole = np.asarray(image).astype(float)
    for wanted, factor in (((310, 203), 1), ((155, 50), 2), ((77, 50), 4), ((1, 1), 8)):
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", wanted)
            assert image.size == (-(-310 // factor), -(-203 // factor))
            small = np.asarray(image)
        rows, columns = 203 // factor * factor, 310 // factor * factor
        means = whole[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor, 3).mean(axis=(1, 3))
        inside = small[: rows // factor, : columns // factor].astype(float)
        # The mean of clamped and rounded samples is a little off that of the planes.
        assert np.abs(inside - means).mean() < 1


@pytest.mark.parametrize("subsampling", [(1, 2), (2, 2)])
def test_yuv_sources_become_rgb(subsampling: tuple[int, int]) -> None:
    data = jpegai_mobile.encode(yuv_photo(subsampling), own_bundle_path())
    assert np.array_equal(_decoded(data), jpegai_mobile.decode(data, own_bundle_path()))
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (1, 1))
        assert np.asarray(image).shape == (-(-133 // 8), -(-187 // 8), 3)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda image: pickle.loads(pickle.dumps(image))])
def test_an_opened_picture_can_be_copied(copied: Callable[[Image.Image], Image.Image], loaded: bool) -> None:
    data = own_encoder().encode(random_picture(70, 90, 2)).data
    with Image.open(io.BytesIO(data)) as image:
        if loaded:
            image.load()
        twin = copied(image)
    assert np.array_equal(np.asarray(twin), _decoded(data))
    twin.thumbnail((20, 20))
    assert max(twin.size) == 20


def test_ten_bits_are_rounded_to_eight() -> None:
    data = own_encoder().encode(random_picture(80, 90, 1, bit_depth=10)).data
    ten = jpegai_mobile.decode(data, own_bundle_path())
    with Image.open(io.BytesIO(data)) as image:
        assert np.abs(np.asarray(image) - ten * (255 / 1023)).max() < 1


def test_damaged_streams() -> None:
    data = own_encoder().encode(photo()).data
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data[:200]))
    broken = bytearray(data)
    broken[len(data) // 2] ^= 255
    with Image.open(io.BytesIO(broken)) as image, pytest.raises(OSError, match="damaged"):
        image.load()


def test_open_function(tmp_path: Path) -> None:
    path = tmp_path / "x.jai"
    path.write_bytes(own_encoder().encode(random_picture(70, 90, 2)).data)
    opened = jpegai_mobile.open(path)
    assert (opened.size, opened.bit_depth) == ((90, 70), 8)
    assert opened.info() == jpegai_mobile.info(path.read_bytes())
    assert opened.decode(own_bundle_path()).shape == (70, 90, 3)
    assert [part.shape for part in opened.decode_latents(own_bundle_path())] == [(5, 6, 160), (5, 6, 96)]
    with pytest.raises(OSError):
        jpegai_mobile.open(tmp_path / "absent.jai")
