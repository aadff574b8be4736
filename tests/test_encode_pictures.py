"""Pictures to encode: every kind that Pillow opens becomes RGB samples, or one line says why not."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import jpegai_mobile
from jpegai_mobile import PictureError
from jpegai_mobile.cli.main import main
from jpegai_mobile.encoder.pictures import picture_from_bytes, picture_from_image, source_picture
from picture_quality.metrics import psnr

from .encoding import own_bundle_path, own_encoder, photo
from .vectors import ROOT

ODD = ROOT.parent / "shared" / "data" / "odd"
ODD_PICTURES = sorted(path for path in ODD.glob("*") if path.suffix != ".tsv") if ODD.exists() else []
ORIENTATION = 0x0112


def photo_image() -> Image.Image:
    return Image.fromarray(photo().samples)


def file_of(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png16(samples: np.ndarray) -> bytes:
    """A 16-bit RGB PNG, written by hand as Pillow writes none."""
    rows = samples.astype(">u2").reshape(len(samples), -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_plain_rgb_is_taken_as_it_is() -> None:
    picture = picture_from_bytes(file_of(photo_image(), "PNG"), "photo.png")
    assert np.array_equal(picture.samples, photo().samples) and picture.bit_depth == 8 and not picture.notes


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA"])
def test_other_modes_are_promoted(mode: str) -> None:
    image = photo_image().convert(mode)
    picture = picture_from_bytes(file_of(image, "PNG"), mode)
    assert np.array_equal(picture.samples, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB"])
def test_other_colour_spaces_are_converted(mode: str) -> None:
    image = photo_image()
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    else:
        converted = image.convert(mode)
    picture = picture_from_image(converted)
    assert psnr(picture.samples, photo().samples) > 30
    assert bool(picture.notes) == (mode in ("CMYK", "LAB"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = picture_from_bytes(file_of(photo_image(), "PNG", exif=exif), "turned")
    turned = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a),
    }[orientation](photo().samples)
    assert np.array_equal(picture.samples, turned)
    assert not picture.notes


def test_sixteen_bits_become_ten() -> None:
    wide = np.random.default_rng(0).integers(0, 65536, (40, 50, 3))
    picture = picture_from_bytes(png16(wide), "wide.png")
    assert picture.bit_depth == 10
    assert np.array_equal(picture.samples, np.rint(wide * 1023 / 65535))
    grey = Image.fromarray(wide[..., 0].astype(np.uint16))
    grey_picture = picture_from_bytes(file_of(grey, "PNG"), "grey")
    assert np.array_equal(grey_picture.samples[..., 2], np.rint(wide[..., 0] * 1023 / 65535))


def test_transparency_needs_a_background() -> None:
    image = photo_image().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    for file_format, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        data = file_of(image, file_format, **options)
        with pytest.raises(PictureError, match=r"^x: transparency .*--background"):
            picture_from_bytes(data, "x")
        assert tuple(picture_from_bytes(data, "x", "#102030").samples[0, 0]) == (0x10, 0x20, 0x30)
    with pytest.raises(ValueError, match=r"^background 'bleu' is not a colour"):
        picture_from_bytes(data, "x", "bleu")
    palette = Image.new("P", (4, 4))
    palette.info["transparency"] = 0
    with pytest.raises(PictureError, match="transparency"):
        picture_from_bytes(file_of(palette, "PNG", transparency=0), "x")


def test_colour_profiles_become_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert not picture_from_bytes(file_of(photo_image(), "PNG", icc_profile=srgb), "x").notes
    with pytest.raises(PictureError, match="colour profile cannot be converted"):
        picture_from_bytes(file_of(photo_image(), "PNG", icc_profile=srgb[:200]), "x")
    wrong_space = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.raises(PictureError, match="colour profile cannot be converted"):
        picture_from_bytes(file_of(photo_image(), "PNG", icc_profile=wrong_space), "x")


def test_dropped_metadata_is_told() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    (note,) = picture_from_bytes(file_of(photo_image(), "JPEG", exif=exif, comment=b"hello"), "x").notes
    assert note == "metadata was dropped: EXIF, a comment"
    linear = photo_image()
    plain = file_of(linear, "PNG")
    chunk = b"gAMA" + struct.pack(">I", 100000)
    with_gamma = plain[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + plain[33:]
    assert picture_from_bytes(with_gamma, "x").notes[0].startswith("gamma 1 of the file was ignored")
    frames = file_of(photo_image(), "GIF", save_all=True, append_images=[photo_image().rotate(90)])
    assert picture_from_bytes(frames, "x").notes == ("only the first picture of the file is coded",)


@pytest.mark.parametrize("end", [0, 10, 30, 100, 5000])
def test_damaged_files_are_refused(end: int) -> None:
    for file_format in ("PNG", "JPEG", "TIFF", "GIF"):
        data = file_of(photo_image(), file_format)[:end]
        with pytest.raises(PictureError, match=r"^x\.y: (damaged or truncated|not a picture)[^\n]*$"):
            picture_from_bytes(data, "x.y")


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((8, 8, 4), np.uint8), r"uint8 \(8, 8, 4\).*a Pillow image and a background"),
        (np.zeros((3, 8, 8), np.uint8), "move the channels to the last axis"),
        (np.zeros((8, 8, 3)), "float64.*scale to 0..255"),
        (np.zeros((8, 8, 3), int), "convert to uint8"),
        (np.full((8, 8, 3), 1024, np.uint16), "1024, above 1023"),
        (np.zeros((0, 8, 3), np.uint8), "8 x 0 samples"),
        (np.zeros((1, 65600, 3), np.uint8), "65600 x 1 samples"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        source_picture(array)


def test_grey_arrays() -> None:
    grey = photo().samples[..., 1]
    for array in (grey, grey[..., None]):
        assert np.array_equal(source_picture(array).samples, np.repeat(grey[..., None], 3, axis=2))


def test_functions_take_bytes_paths_and_files(tmp_path: Any) -> None:
    source, target = tmp_path / "a.png", tmp_path / "a.jai"
    source.write_bytes(file_of(photo_image().crop((0, 0, 80, 70)), "PNG"))
    expected = jpegai_mobile.encode(photo().samples[:70, :80], own_bundle_path())
    data = source.read_bytes()
    for picture in (source, str(source), data, bytearray(data), io.BytesIO(data), photo_image().crop((0, 0, 80, 70))):
        assert jpegai_mobile.encode(picture, own_bundle_path()) == expected
    target.write_bytes(expected)
    decoded = jpegai_mobile.decode(expected, own_bundle_path())
    for stream in (target, str(target), memoryview(expected), io.BytesIO(expected)):
        assert np.array_equal(jpegai_mobile.decode(stream, own_bundle_path()), decoded)
        assert jpegai_mobile.info(target) == jpegai_mobile.info(expected)
    for nothing in (None, 3, io.StringIO("text"), [[1, 2], [3, 4]]):
        with pytest.raises(TypeError, match="neither bytes nor the path of a file nor an open binary file"):
            jpegai_mobile.encode(nothing, own_bundle_path())
        with pytest.raises(TypeError, match="neither bytes"):
            jpegai_mobile.decode(nothing, own_bundle_path())


def test_masks_of_any_kind() -> None:
    mask = photo().samples[..., 0] > 100
    by_bool, by_bytes, by_image = (
        jpegai_mobile.encode(photo().samples, own_bundle_path(), roi=roi, quality=30)
        for roi in (mask, mask * np.uint8(255), Image.fromarray(mask))
    )
    assert by_bool == by_bytes == by_image
    with pytest.raises(PictureError, match=r"mask of float64 .*: uint8 or bool"):
        jpegai_mobile.encode(photo().samples, own_bundle_path(), roi=mask.astype(float))


def test_command_line(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "a.png", tmp_path / "a.jai"
    source.write_bytes(file_of(photo_image(), "PNG"))
    command = ["encode", str(source), str(target), "--bundle", str(own_bundle_path())]
    assert main([*command, "--quality", "60", "--stats"]) == 0
    assert "2 passes," in capsys.readouterr().err
    assert target.read_bytes() == jpegai_mobile.encode(photo().samples, own_bundle_path(), quality=60)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    target.unlink()
    assert main(["encode", str(tmp_path / "bad.png"), *command[2:]]) == 1
    assert capsys.readouterr().err == f"jpegai encode: {tmp_path / 'bad.png'}: not a picture that Pillow reads\n"
    assert not target.exists()
    assert main(["encode", str(tmp_path / "absent.png"), *command[2:]]) == 1
    assert main(["encode", str(source), str(tmp_path / "no" / "a.jai"), *command[3:]]) == 1
    assert capsys.readouterr().err.endswith(f"{tmp_path / 'no' / 'a.jai'}: No such file or directory\n")
    assert main(["encode", str(source), str(tmp_path / "a.jaii"), *command[3:]]) == 2
    assert "HEIF files are read, not written" in capsys.readouterr().err
    for wrong in (["--quality", "0"], ["--bpp", "nan"], ["--bpp", "1", "--quality", "3"], ["--coder-threads", "5"]):
        with pytest.raises(SystemExit) as stopped:
            main([*command, *wrong])
        assert stopped.value.code == 2


@pytest.mark.skipif(not ODD_PICTURES, reason="the folder ../shared/data/odd is absent")
@pytest.mark.parametrize("path", ODD_PICTURES, ids=lambda path: path.name)
def test_odd_inputs_give_a_picture_or_a_reason(path: Any) -> None:
    refused = {"rgba8_768x512.png": "transparency", "truncated.png": "truncated"}
    if path.name in refused:
        with pytest.raises(PictureError, match=refused[path.name]):
            picture_from_bytes(path.read_bytes(), path.name)
        return
    picture = picture_from_bytes(path.read_bytes(), path.name)
    decoded = jpegai_mobile.decode(own_encoder().encode(picture).data, own_bundle_path())
    assert decoded.shape == picture.samples.shape
    assert psnr(decoded, picture.samples, 255 if picture.bit_depth == 8 else 1023) > 24
