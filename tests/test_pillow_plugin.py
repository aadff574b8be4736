"""The Pillow plug-in: open reads headers only, save encodes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import jpegai_mobile
from jpegai_mobile import EncodeOptions, pillow_plugin

from .encoding import own_bundle_path, own_encoder, photo, random_picture


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
        ("RGB", {"bpp": "x"}, ValueError, "bpp 'x' is not a number above 0"),
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
    with pytest.warns(jpegai_mobile.EncodeWarning, match="save: icc_profile was ignored"):
        Image.fromarray(photo().samples).save(tmp_path / "a.jai", icc_profile=b"profile", quality=40)


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
