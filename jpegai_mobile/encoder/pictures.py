"""Pictures to encode: whatever Pillow opens, or an array, as RGB samples of 8 or 10 bit.

What JPEG AI has no place for is either turned into samples (orientation, colour profile, palette) or refused
(transparency without a background); metadata that is dropped is named in the notes.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError

from ..errors import PictureError
from ..image.chroma import FORMAT_444
from ..image.colour import Samples, rgb_to_yuv, yuv_to_rgb
from ..image.planes import Planes, Size, Subsampling
from ..sources import Source, bytes_of
from ..text import first_line
from .coded_planes import check_size
from .quality_map import WHITE
from .yuv_picture import YuvPicture

TEN_BIT_PEAK = 1023
SIXTEEN_BIT_PEAK = 65535

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""What Pillow raises for damaged files."""
_WIDE_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_BITS_PER_SAMPLE, _PHOTOMETRIC_INTERPRETATION = 258, 262
"""Tags of TIFF."""
_WHITE_IS_ZERO = 0
_XMP_OF_PNG = "XML:com.adobe.xmp"
_DROPPED = {"exif": "EXIF", "xmp": "XMP", "iptc": "IPTC", "photoshop": "Photoshop", "comment": "a comment"}
_ORIENTATION = 0x0112
_GAMMA_TOLERANCE = 0.02
_GREY_THROUGH = {"LAB": "RGB", "La": "LA"}
"""What modes are converted to first that Pillow does not convert to grey."""
_PROMOTED_MODE = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}


@dataclass(frozen=True, eq=False)
class SourcePicture:
    """An RGB picture to encode."""

    samples: Samples
    """[row, column, (R, G, B)]: uint8, or uint16 in 0..1023."""
    notes: tuple[str, ...] = ()
    """What was changed or dropped: one line each."""

    def __post_init__(self) -> None:
        """Raises PictureError for a size that no code stream holds."""
        check_size(self.size)

    @property
    def bit_depth(self) -> int:
        """8 or 10."""
        return 8 if self.samples.dtype == np.uint8 else 10

    @property
    def size(self) -> Size:
        """Rows, columns."""
        return self.samples.shape[0], self.samples.shape[1]

    @property
    def subsampling(self) -> Subsampling:
        """RGB has as many samples of every kind."""
        return FORMAT_444

    @property
    def is_rgb(self) -> bool:
        """True."""
        return True

    def planes(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Planes:
        """Y, U, V (0..255) at those rows and columns."""
        return rgb_to_yuv(self.samples[np.ix_(rows, columns)], self.bit_depth)

    def squared_error(self, planes: Planes) -> float:
        """Mean over all samples of a decoded picture, given as planes."""
        difference = np.subtract(yuv_to_rgb(planes, self.bit_depth), self.samples, dtype=np.float32)
        return float(np.mean(np.square(difference), dtype=np.float64))


def picture_from_bytes(data: bytes, name: str, background: str | None = None) -> SourcePicture:
    """A picture file that Pillow reads; errors call it `name`. Raises PictureError, or ValueError (`colour`)."""
    if background is not None:
        colour(background)
    with _named(name), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a picture is good, or an error says what is wrong
        with Image.open(io.BytesIO(data)) as image:
            wide = _stored_bits(image, data) == 16
            image.load()
            transparent = image.info.get("transparency")
            if wide and image.format == "PNG" and image.mode == "RGB" and _is_srgb(image):
                return _from_wide(_wide_rgb(image, data), transparent, background, tuple(_dropped_metadata(image)))
            if wide and isinstance(transparent, tuple):  # a colour of the file, not of what Pillow makes of it
                image.info["transparency"] = tuple(sample >> 8 for sample in transparent)
            picture = picture_from_image(image, background)
        if wide and picture.bit_depth == 8:
            return replace(picture, notes=(*picture.notes, "16-bit samples were read as 8 bit"))
        return picture


def mask_from_bytes(data: bytes, name: str) -> NDArray[np.uint8]:
    """A mask [row, column] from a picture file, see `mask_of`; errors call it `name`. Raises PictureError."""
    with _named(name), Image.open(io.BytesIO(data)) as image:
        return mask_of(image)


def mask_of(mask: NDArray[Any] | Image.Image) -> NDArray[np.uint8]:
    """A mask [row, column] from an array (uint8, or bool with True as white), or from an image: upright, as grey.

    Raises PictureError, or TypeError for what is neither.
    """
    if isinstance(mask, Image.Image):
        if mask.mode in _WIDE_GREY:
            return (_wide_grey(mask) >> 8).astype(np.uint8)
        if mask.mode == "F":
            raise PictureError("mask of floating point samples: their range is not defined; use 8 bit")
        image = _upright(mask)
        return np.asarray(_in_mode(image, _GREY_THROUGH.get(image.mode, image.mode)).convert("L"))
    if not isinstance(mask, np.ndarray):
        raise TypeError(f"mask is {type(mask).__name__}, neither an array nor a Pillow image")
    if mask.ndim != 2 or mask.dtype not in (np.uint8, np.bool_):
        raise PictureError(f"mask of {mask.dtype} {mask.shape}: uint8 or bool [row, column] is wanted")
    return mask if mask.dtype == np.uint8 else mask * np.uint8(WHITE)


def source_picture(
    picture: NDArray[Any] | Image.Image | YuvPicture | Source, background: str | None = None
) -> SourcePicture | YuvPicture:
    """A picture of any kind; see `picture_from_array`, `picture_from_image` and `picture_from_bytes`.

    Raises PictureError, OSError, ValueError (`colour`), or TypeError for what is no picture.
    """
    if not isinstance(picture, (YuvPicture, np.ndarray, Image.Image)):
        return picture_from_bytes(*bytes_of(picture), background)
    if background is not None:
        colour(background)  # what is wrong with it is said of opaque pictures too
    if isinstance(picture, YuvPicture):
        return picture
    if isinstance(picture, np.ndarray):
        return picture_from_array(picture)
    return picture_from_image(picture, background)


def picture_from_array(array: NDArray[Any]) -> SourcePicture:
    """Samples [row, column, 3] or [row, column] (grey): uint8, or uint16 in 0..1023. Raises PictureError."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.dtype.kind == "u":
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype not in (np.uint8, np.uint16):
        wanted = f"array of {array.dtype} {array.shape}: uint8 or uint16 [row, column, 3] is wanted"
        raise PictureError(f"{wanted}{_hint(array)}")
    if array.dtype == np.uint16 and array.max(initial=0) > TEN_BIT_PEAK:
        raise PictureError(f"array: uint16 samples are 10 bit, but there is one of {array.max()}, above {TEN_BIT_PEAK}")
    return SourcePicture(array)


def _hint(array: NDArray[Any]) -> str:
    """What may have been meant by an array that is no picture."""
    if array.ndim == 3 and array.shape[2] in (2, 4):
        return "; for transparency give a Pillow image and a background"
    if array.ndim == 3 and array.shape[0] in (1, 3):
        return "; move the channels to the last axis"
    if array.dtype.kind == "f":
        return "; scale to 0..255, round and convert to uint8"
    return "; convert to uint8" if array.dtype.kind in "iub" else ""


def picture_from_image(image: Image.Image, background: str | None = None) -> SourcePicture:
    """A Pillow image: upright, in sRGB, without transparency. Raises PictureError, or ValueError (`colour`)."""
    notes = list(_dropped_metadata(image))
    if image.mode in _WIDE_GREY:
        if not _is_srgb(image):
            notes.append("the colour profile of 16-bit grey was ignored: samples are taken as sRGB")
        return _from_wide(_wide_grey(image), image.info.get("transparency"), background, tuple(notes))
    if image.mode == "F":
        raise PictureError("floating point samples have no defined range; convert them to 8 or 16 bit first")
    image = _upright(image)
    profile = image.info.get("icc_profile")
    image, alpha = _colours_and_alpha(image)
    if profile:
        if conversion := _conversion(image.mode, profile):
            image = conversion.of(image)
            notes.append(f"colours were converted from the profile {conversion.description!r} to sRGB")
    elif image.mode == "CMYK":
        notes.append("CMYK without a colour profile was converted by the plain formula")
    image = _in_mode(image, "RGB")
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, _behind_transparency(background)), alpha)
    return SourcePicture(np.asarray(image), tuple(notes))


def _exif(image: Image.Image) -> Image.Exif:
    """Raises PictureError where it cannot be read."""
    try:
        return image.getexif()
    except (SyntaxError, ValueError, EOFError, struct.error) as error:
        raise PictureError(f"its EXIF cannot be read ({first_line(error)})") from error


def _upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF turns it: itself where it is upright, as a copy would be of its size."""
    return image if _exif(image).get(_ORIENTATION, 1) == 1 else ImageOps.exif_transpose(image)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The image itself when it has that mode: a copy would be of its size."""
    return image if image.mode == mode else image.convert(mode)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn what Pillow raises into a PictureError that names the file."""
    try:
        yield
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name}: not a picture that Pillow reads") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name}: larger than Pillow opens ({error})") from error
    except _BROKEN as error:
        raise PictureError(f"{name}: damaged or truncated picture ({first_line(error)})") from error


def _dropped_metadata(image: Image.Image) -> Iterator[str]:
    """Notes on metadata that a code stream has no place for."""
    exif = {tag for tag in _exif(image) if tag != _ORIENTATION}
    names = [text for key, text in _DROPPED.items() if image.info.get(key) and (key != "exif" or exif)]
    if getattr(image, "text", {}).keys() - {_XMP_OF_PNG, *_DROPPED}:
        names.append("text")
    if names:
        yield f"metadata was dropped: {', '.join(names)}"
    gamma = image.info.get("gamma")
    if gamma and not {"icc_profile", "srgb"} & image.info.keys() and abs(gamma * 2.2 - 1) > _GAMMA_TOLERANCE:
        yield f"gamma {gamma:g} of the file was ignored: samples are taken as sRGB"
    if getattr(image, "n_frames", 1) > 1:
        yield "only the first picture of the file is coded"


def _stored_bits(image: Image.Image, data: bytes) -> int:
    """Bits per sample of a file that may hold more of them than Pillow gives."""
    if image.format == "PNG" and len(data) > 24:
        return data[24]
    return int(max(_tiff_tags(image).get(_BITS_PER_SAMPLE, (8,))))


def _tiff_tags(image: Image.Image) -> Mapping[int, Any]:
    """Empty for what was not read from a TIFF."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    return tags


def _wide_grey(image: Image.Image) -> NDArray[np.uint16]:
    """Grey samples of 16 bit [row, column], white as 65535, upright; raises PictureError for wider ones.

    Pillow gives samples of 12 bit as they are in a TIFF, and white as 0 where it is 0 there.
    """
    values = np.asarray(_upright(image))
    if values.min(initial=0) < 0 or values.max(initial=0) > SIXTEEN_BIT_PEAK:
        raise PictureError("32-bit integer samples have no defined range; convert them to 16 bit first")
    values = values.astype(np.uint16)
    tags = _tiff_tags(image)
    peak = (1 << max(tags.get(_BITS_PER_SAMPLE, (16,)))) - 1
    if peak < SIXTEEN_BIT_PEAK:
        values = ((values.astype(np.uint32) * SIXTEEN_BIT_PEAK + peak // 2) // peak).astype(np.uint16)
    return SIXTEEN_BIT_PEAK - values if tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO else values


def _wide_rgb(image: Image.Image, data: bytes) -> NDArray[np.uint16]:
    """16-bit samples [row, column, 3] of a PNG, upright.

    Pillow unpacks one byte per sample, the high one of `image`: asked for little endian, it gives the low one.
    """
    with Image.open(io.BytesIO(data)) as again:
        # Tiles are plain tuples below Pillow 11.
        again.tile = [(*tile[:3], "RGB;16L") for tile in again.tile]  # type: ignore[misc]
        wide = np.asarray(_upright(image)).astype(np.uint16)
        wide <<= 8
        wide |= np.asarray(_upright(again))
    return wide


def _from_wide(
    values: NDArray[np.uint16],
    transparent: int | tuple[int, ...] | None,
    background: str | None,
    notes: tuple[str, ...],
) -> SourcePicture:
    """16-bit samples [row, column] or [row, column, 3] at 10 bit; one value or colour of them may be transparent."""
    colours = values if values.ndim == 3 else values[..., np.newaxis]
    samples = np.repeat(_ten_bit(colours), 3 // colours.shape[2], axis=2)
    if transparent is not None and (seen_through := (colours == transparent).all(axis=2)).any():
        samples[seen_through] = _ten_bit(257 * np.array(_behind_transparency(background), np.uint16))
    return SourcePicture(samples, notes)


def _ten_bit(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """16-bit samples at 10 bit, rounded."""
    scaled = (values.astype(np.uint32) * TEN_BIT_PEAK + SIXTEEN_BIT_PEAK // 2) // SIXTEEN_BIT_PEAK
    return scaled.astype(np.uint16)


def _colours_and_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The image without an alpha channel, and that channel where something shines through."""
    if "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    image = _in_mode(image, _PROMOTED_MODE.get(image.mode, image.mode))
    if image.mode not in ("LA", "RGBA"):
        return image, None
    alpha = image.getchannel("A")
    return image.convert(image.mode.removesuffix("A")), None if alpha.getextrema()[0] == 255 else alpha


def _behind_transparency(background: str | None) -> tuple[int, int, int]:
    """Red, green, blue; raises PictureError where no colour was chosen."""
    if background is None:
        raise PictureError("transparency has no place in JPEG AI; name a colour to put behind it (--background white)")
    return colour(background)


def colour(background: str) -> tuple[int, int, int]:
    """Red, green and blue of a background; raises ValueError that names what is no colour, or not opaque."""
    try:
        red, green, blue, alpha = ImageColor.getcolor(background, "RGBA")  # type: ignore[misc]
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"background {background!r} is not a colour; use a name or #rrggbb") from None
    if alpha < 255:
        raise ValueError(f"background {background!r} is not opaque; use a name or #rrggbb")
    return red, green, blue


@dataclass(frozen=True)
class _Conversion:
    """From a colour profile to sRGB."""

    transform: ImageCms.ImageCmsTransform
    description: str
    """What the profile calls itself."""

    def of(self, image: Image.Image) -> Image.Image:
        """The image in sRGB, mode RGB."""
        converted = ImageCms.applyTransform(_in_mode(image, self.transform.input_mode), self.transform)
        assert converted is not None
        return converted


def _conversion(mode: str, profile: bytes) -> _Conversion | None:
    """What samples of a mode need to be sRGB; None where they are sRGB but for rounding. Raises PictureError.

    Names tell nothing: linear and wide-gamut profiles call themselves sRGB, too.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if mode == "L" and source.profile.xcolor_space.strip() == "RGB":
            mode = "RGB"
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        conversion = _Conversion(transform, ImageCms.getProfileDescription(source).strip())
        if mode in ("L", "RGB"):
            ramp = _ramp(mode)
            moved = np.asarray(conversion.of(ramp)).astype(np.int16) - np.asarray(ramp.convert("RGB"))
            if np.abs(moved).max() <= 1:
                return None
    except (ImageCms.PyCMSError, OSError) as error:
        first = (str(error).splitlines() or ["unsound"])[0]
        raise PictureError(f"its colour profile cannot be converted to sRGB ({first})") from error
    return conversion


def _is_srgb(image: Image.Image) -> bool:
    """Whether the samples of a grey or RGB image are sRGB; raises PictureError."""
    profile = image.info.get("icc_profile")
    return not profile or _conversion("RGB" if image.mode == "RGB" else "L", profile) is None


def _ramp(mode: str) -> Image.Image:
    """Colours from all over L or RGB."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    channels = np.meshgrid(*[levels] * Image.getmodebands(mode))
    return Image.merge(mode, [Image.fromarray(channel.reshape(1, -1)) for channel in channels])
