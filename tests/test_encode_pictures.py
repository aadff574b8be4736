"""Pictures to encode: every kind that Pillow opens becomes RGB samples, or one line says why not."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, PngImagePlugin

import jpegai_mobile
from jpegai_mobile import PictureError
from jpegai_mobile.cli.main import main
from jpegai_mobile.encoder.pictures import (
    mask_from_bytes,
    mask_of,
    picture_from_bytes,
    picture_from_image,
    source_picture,
)
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


def png16(samples: np.ndarray, profile: bytes | None = None, transparent: tuple[int, ...] | None = None) -> bytes:
    """A 16-bit PNG, grey or RGB, with or without alpha, written by hand as Pillow writes none."""
    rows = samples.astype(">u2").reshape(len(samples), -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    colour_type = {1: 0, 3: 2, 2: 4, 4: 6}[samples[0, 0].size]
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    chunks += [(b"iCCP", b"a\0\0" + zlib.compress(profile))] if profile else []
    chunks += [(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))] if transparent else []
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff12(samples: np.ndarray) -> bytes:
    """A grey TIFF of 12 bit, written by hand as Pillow writes none; an even number of columns."""
    rows, columns = samples.shape
    left, right = samples[:, ::2], samples[:, 1::2]
    packed = np.stack([left >> 4, (left & 15) << 4 | right >> 8, right & 255], axis=-1).astype(np.uint8).tobytes()
    tags = {256: columns, 257: rows, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: len(packed)}
    directory = b"".join(struct.pack("<HHII", tag, 4 if tag == 279 else 3, 1, value) for tag, value in tags.items())
    start = 8 + len(packed)
    return struct.pack("<2sHI", b"II", 42, start) + packed + struct.pack("<H", len(tags)) + directory + bytes(4)


SRGB_PRIMARIES = {
    b"r": (0.43607, 0.22249, 0.01392),
    b"g": (0.38515, 0.71687, 0.09708),
    b"b": (0.14307, 0.06061, 0.7141),
}
D50 = (0.9642, 1.0, 0.8249)


def icc(space: str, name: str, linear: bool) -> bytes:
    """A profile of RGB with the primaries of sRGB, or of GRAY, with the curve of sRGB or a straight one."""
    values = np.linspace(0, 1, 1024)
    curve = values if linear else np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    curve_tag = struct.pack(">4sII", b"curv", 0, 1024) + np.rint(curve * 65535).astype(">u2").tobytes()
    text = name.encode() + b"\0"

    def xyz(values: tuple[float, ...]) -> bytes:
        return struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in values))

    tags = {b"desc": struct.pack(">4sII", b"desc", 0, len(text)) + text + bytes(78), b"wtpt": xyz(D50)}
    if space == "GRAY":
        tags[b"kTRC"] = curve_tag
    else:
        tags |= {primary + b"XYZ": xyz(values) for primary, values in SRGB_PRIMARIES.items()}
        tags |= {primary + b"TRC": curve_tag for primary in SRGB_PRIMARIES}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">II4s4s4s", start + len(body), 0, b"\2\x40\0\0", b"mntr", space.ljust(4).encode())
    header += b"XYZ " + struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + xyz(D50)[8:]
    return header.ljust(128, b"\0") + table + body


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


def test_sixteen_bits_of_rgb_are_read_with_tiles_of_pillow_10(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "_Tile", lambda *parts: parts, raising=False)
    wide = np.random.default_rng(3).integers(0, 65536, (4, 5, 3))
    assert np.array_equal(picture_from_bytes(png16(wide), "x").samples, np.rint(wide * 1023 / 65535))


def test_twelve_bits_of_tiff_have_the_range_of_sixteen() -> None:
    samples = np.arange(4096).reshape(64, 64)
    data = tiff12(samples)
    picture = picture_from_bytes(data, "x")
    assert picture.bit_depth == 10 and not picture.notes
    assert np.abs(picture.samples[..., 0] - samples * 1023 / 4095).max() < 0.51
    assert np.abs(mask_from_bytes(data, "x") - samples * 255 / 4095).max() < 1
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(picture_from_image(image).samples, picture.samples)


@pytest.mark.parametrize("orientation", [1, 6])
def test_white_is_not_black_where_a_tiff_of_sixteen_bits_has_it_as_zero(orientation: int) -> None:
    wide = np.random.default_rng(4).integers(0, 65536, (40, 50)).astype(np.uint16)
    data = file_of(Image.fromarray(wide), "TIFF", tiffinfo={262: 0, ORIENTATION: orientation})
    upright = 65535 - (np.rot90(wide, -1) if orientation == 6 else wide)
    assert np.array_equal(picture_from_bytes(data, "x").samples[..., 1], np.rint(upright * (1023 / 65535)))
    assert np.array_equal(mask_from_bytes(data, "x"), upright >> 8)


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
    with pytest.raises(ValueError, match=r"^background '#10203080' is not opaque"):
        picture_from_bytes(data, "x", "#10203080")
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


def test_profiles_are_judged_by_what_they_do_not_by_their_names() -> None:
    linear, plain = icc("RGB", "GIMP built-in Linear sRGB", True), icc("RGB", "camera", False)
    picture = picture_from_bytes(file_of(photo_image(), "PNG", icc_profile=linear), "x")
    assert picture.notes == ("colours were converted from the profile 'GIMP built-in Linear sRGB' to sRGB",)
    light = photo().samples / 255
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(picture.samples - expected).max() < 2
    same = picture_from_bytes(file_of(photo_image(), "PNG", icc_profile=plain), "x")
    assert not same.notes and np.array_equal(same.samples, photo().samples)
    grey = photo_image().convert("L")
    for profile, changes in (
        (icc("GRAY", "sRGB", True), True),
        (icc("GRAY", "grey", False), False),
        (linear, True),  # an RGB profile of a grey picture
        (plain, False),
    ):
        picture = picture_from_bytes(file_of(grey, "PNG", icc_profile=profile), "x")
        assert np.array_equal(picture.samples[..., 1], np.asarray(grey)) != changes
        assert bool(picture.notes) == changes


def test_grey_with_a_profile_and_transparency_is_put_on_a_background() -> None:
    grey = photo_image().convert("L")
    image = grey.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    profile = icc("GRAY", "linear", True)
    picture = picture_from_bytes(file_of(image, "PNG", icc_profile=profile), "x", "#ff0000")
    assert tuple(picture.samples[0, 0]) == (255, 0, 0)
    opaque = picture_from_bytes(file_of(grey, "PNG", icc_profile=profile), "x")
    assert np.array_equal(picture.samples[-1], opaque.samples[-1]) and picture.notes == opaque.notes
    key = grey.getpixel((5, 7))
    picture = picture_from_bytes(file_of(grey, "PNG", icc_profile=profile, transparency=key), "x", "#ff0000")
    assert np.array_equal((picture.samples == (255, 0, 0)).all(axis=2), np.asarray(grey) == key)


def test_sixteen_bits_with_a_profile() -> None:
    wide = np.random.default_rng(1).integers(0, 65536, (40, 50, 3))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = picture_from_bytes(png16(wide, srgb), "wide.png")
    assert np.array_equal(picture.samples, np.rint(wide * 1023 / 65535)) and not picture.notes
    eight = ("16-bit samples were read as 8 bit",)
    linear = picture_from_bytes(png16(wide, icc("RGB", "sRGB", True)), "wide.png")
    assert linear.bit_depth == 8 and len(linear.notes) == 2 and linear.notes[1:] == eight
    for channels in (2, 4):
        samples = np.dstack([wide, np.full(wide.shape[:2], 65535)])[..., -channels:]
        picture = picture_from_bytes(png16(samples), "wide.png")
        assert picture.bit_depth == 8 and picture.notes == eight
    grey = picture_from_bytes(png16(wide[..., 0], icc("GRAY", "sRGB", True)), "wide.png")
    assert grey.notes == ("the colour profile of 16-bit grey was ignored: samples are taken as sRGB",)
    assert not picture_from_bytes(png16(wide[..., 0], icc("GRAY", "grey", False)), "wide.png").notes


def test_a_transparent_colour_of_sixteen_bits_needs_a_background() -> None:
    wide = np.random.default_rng(2).integers(0, 65535, (40, 50, 3))
    wide[3, 4:9] = (0x1234, 0x5678, 0x9ABC)
    for samples, key, profile in (
        (wide, tuple(wide[3, 4]), None),
        (wide[..., 0], (0x1234,), None),
        (wide, tuple(wide[3, 4]), icc("RGB", "linear", True)),
    ):
        data = png16(samples, profile, key)
        with pytest.raises(PictureError, match="transparency has no place"):
            picture_from_bytes(data, "x")
        picture = picture_from_bytes(data, "x", "#ff8000")
        peak = 255 if profile else 1023
        shown = (picture.samples == np.rint(np.array([255, 128, 0]) * (peak / 255))).all(axis=2)
        assert shown[3, 4:9].all() and shown.sum() == 5


def test_dropped_metadata_is_told() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    (note,) = picture_from_bytes(file_of(photo_image(), "JPEG", exif=exif, comment=b"hello"), "x").notes
    assert note == "metadata was dropped: EXIF, a comment"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "hello")
    assert picture_from_bytes(file_of(photo_image(), "PNG", pnginfo=text), "x").notes == ("metadata was dropped: text",)
    linear = photo_image()
    plain = file_of(linear, "PNG")
    chunk = b"gAMA" + struct.pack(">I", 100000)
    with_gamma = plain[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + plain[33:]
    assert picture_from_bytes(with_gamma, "x").notes[0].startswith("gamma 1 of the file was ignored")
    frames = file_of(photo_image(), "GIF", save_all=True, append_images=[photo_image().rotate(90)])
    assert picture_from_bytes(frames, "x").notes == ("only the first picture of the file is coded",)


def test_exif_that_cannot_be_read_is_an_error_of_one_kind() -> None:
    for function in (picture_from_image, mask_of):
        image = photo_image()
        image.info["exif"] = b"Exif\0\0no TIFF header"
        with pytest.raises(PictureError, match="EXIF cannot be read"):
            function(image)


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


def test_masks_mean_the_same_in_files_and_in_memory() -> None:
    grey = photo_image().convert("L").crop((0, 0, 60, 40))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = file_of(grey, "PNG", exif=exif)
    upright = np.asarray(grey)
    samples = upright.astype(np.uint16) << 8 | 7
    wide = file_of(Image.fromarray(samples), "PNG")
    pgm = b"P5 60 40 65535\n" + samples.astype(">u2").tobytes()
    for data, expected in ((turned, np.rot90(upright, -1)), (wide, upright), (pgm, upright)):
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(mask_of(image), expected)
        assert np.array_equal(mask_from_bytes(data, "x"), expected)
    integers, floats = Image.fromarray(np.full((4, 4), 1 << 16, np.int32)), grey.convert("F")
    for image, reason in ((integers, "32-bit integer samples have no"), (floats, "mask of floating point samples")):
        with pytest.raises(PictureError, match=f"^{reason}"):
            mask_of(image)
        with pytest.raises(PictureError, match=rf"^x\.tif: {reason}"):
            mask_from_bytes(file_of(image, "TIFF"), "x.tif")


@pytest.mark.parametrize("mode", ["LAB", "La", "HSV", "CMYK", "YCbCr", "RGBa"])
def test_masks_are_grey_in_every_mode(mode: str) -> None:
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(photo_image(), *profiles, outputMode="LAB")
        assert image is not None
    else:
        image = photo_image().convert("LA" if mode == "La" else "RGBA" if mode == "RGBa" else "RGB").convert(mode)
    grey = np.asarray(photo_image().convert("L"))
    assert psnr(mask_of(image), grey) > 30
    if mode == "LAB":
        assert np.array_equal(mask_from_bytes(file_of(image, "TIFF"), "x.tif"), mask_of(image))


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
    for wrong, text in (
        (["--bpp", "nan"], "bpp nan is not a number in 0.0001..10000"),
        (["--bpp", "1e308"], "bpp 1e+308 is not a number in 0.0001..10000"),
        (["--target-psnr", "1e307"], "target_psnr 1e+307 is not a number in 1..100"),
        (["--roi-strength", "4"], "--roi-strength needs --roi"),
        (["--yuv-bit-depth", "8"], "--yuv-format and --yuv-bit-depth need --yuv-size"),
        (["--yuv-format", "420"], "--yuv-format and --yuv-bit-depth need --yuv-size"),
        (["--yuv-size", "8x8", "--background", "red"], "--background is for pictures with transparency"),
    ):
        assert main([*command, *wrong]) == 2
        assert capsys.readouterr().err.startswith(f"jpegai encode: {text}")
    for wrong in (["--quality", "0"], ["--bpp", "x"], ["--bpp", "1", "--quality", "3"], ["--coder-threads", "5"]):
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
