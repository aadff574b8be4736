"""Pictures to encode: whatever Pillow opens, or an array, as RGB samples of 8 or 10 bit.

What JPEG AI has no place for is either turned into samples (orientation, colour profile, palette) or refused
(transparency without a background); metadata that is dropped is named in the notes.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError

from ..errors import PictureError
from ..image.chroma import FORMAT_444
from ..image.colour import Samples, rgb_to_yuv, yuv_to_rgb
from ..image.planes import Planes, Size, Subsampling
from ..sources import Source, bytes_of
from .coded_planes import check_size
from .quality_map import WHITE
from .yuv_picture import YuvPicture

TEN_BIT_PEAK = 1023
SIXTEEN_BIT_PEAK = 65535

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""What Pillow raises for damaged files."""
_NARROW_GREY = ("1", "L", "LA", "La", "P", "PA")
_WIDE_GREY = ("I;16", "I;16B", "I;16L", "I;16N")
_DROPPED = {"exif": "EXIF", "xmp": "XMP", "iptc": "IPTC", "photoshop": "Photoshop", "comment": "a comment"}
_ORIENTATION = 0x0112
_GAMMA_TOLERANCE = 0.02
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
            wide = _is_wide_png(image, data)
            image.load()
            picture = picture_from_image(image, background)
        return _with_low_bytes(picture, data) if wide else picture


def mask_from_bytes(data: bytes, name: str) -> NDArray[np.uint8]:
    """A mask [row, column], upright, as grey; raises PictureError."""
    with _named(name), Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("L"))


def mask_of(mask: NDArray[Any] | Image.Image) -> NDArray[np.uint8]:
    """A mask [row, column] from an array (uint8, or bool with True as white) or an image.

    Raises PictureError, or TypeError for what is neither.
    """
    if isinstance(mask, Image.Image):
        return np.asarray(mask.convert("L"))
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
    if background is not None:
        colour(background)  # what is wrong with it is said of opaque pictures too
    if isinstance(picture, YuvPicture):
        return picture
    if isinstance(picture, np.ndarray):
        return picture_from_array(picture)
    if isinstance(picture, Image.Image):
        return picture_from_image(picture, background)
    return picture_from_bytes(*bytes_of(picture), background)


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
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in (*_WIDE_GREY, "I"):
        return _from_wide_grey(image, notes)
    if image.mode == "F":
        raise PictureError("floating point samples have no defined range; convert them to 8 or 16 bit first")
    profile = image.info.get("icc_profile")
    image = _opaque(image, background)
    if profile:
        image, note = _to_srgb(image, profile)
        notes += [note] if note else []
    elif image.mode == "CMYK":
        notes.append("CMYK without a colour profile was converted by the plain formula")
    return SourcePicture(np.asarray(_in_mode(image, "RGB")), tuple(notes))


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
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise PictureError(f"{name}: damaged or truncated picture ({first})") from error


def _dropped_metadata(image: Image.Image) -> Iterator[str]:
    """Notes on metadata that a code stream has no place for."""
    exif = {tag for tag in image.getexif() if tag != _ORIENTATION}
    names = [text for key, text in _DROPPED.items() if image.info.get(key) and (key != "exif" or exif)]
    if names:
        yield f"metadata was dropped: {', '.join(names)}"
    gamma = image.info.get("gamma")
    if gamma and not {"icc_profile", "srgb"} & image.info.keys() and abs(gamma * 2.2 - 1) > _GAMMA_TOLERANCE:
        yield f"gamma {gamma:g} of the file was ignored: samples are taken as sRGB"
    if getattr(image, "n_frames", 1) > 1:
        yield "only the first picture of the file is coded"


def _from_wide_grey(image: Image.Image, notes: list[str]) -> SourcePicture:
    values = np.asarray(image)
    if values.min(initial=0) < 0 or values.max(initial=0) > SIXTEEN_BIT_PEAK:
        raise PictureError("32-bit integer samples have no defined range; convert them to 16 bit first")
    grey = _ten_bit(values.astype(np.uint16))
    return SourcePicture(np.repeat(grey[..., None], 3, axis=2), tuple(notes))


def _ten_bit(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """16-bit samples at 10 bit, rounded."""
    scaled = (values.astype(np.uint32) * TEN_BIT_PEAK + SIXTEEN_BIT_PEAK // 2) // SIXTEEN_BIT_PEAK
    return scaled.astype(np.uint16)


def _opaque(image: Image.Image, background: str | None) -> Image.Image:
    """The image without an alpha channel: in front of the background, or as it is when nothing shines through."""
    if "transparency" in image.info:
        image = image.convert("RGBA")
    image = _in_mode(image, _PROMOTED_MODE.get(image.mode, image.mode))
    if image.mode not in ("LA", "RGBA"):
        return image
    alpha = image.getchannel("A")
    opaque_mode = image.mode.removesuffix("A")
    if alpha.getextrema()[0] == 255:
        return image.convert(opaque_mode)
    if background is None:
        raise PictureError("transparency has no place in JPEG AI; name a colour to put behind it (--background white)")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, colour(background)), image).convert("RGB")


def colour(background: str) -> tuple[int, ...]:
    """Red, green, blue and alpha of a background; raises ValueError that names what is no colour."""
    try:
        samples = ImageColor.getcolor(background, "RGBA")
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"background {background!r} is not a colour; use a name or #rrggbb") from None
    assert isinstance(samples, tuple)
    return samples


def _to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str | None]:
    """The image in sRGB, and a note when its samples were changed; raises PictureError."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        description = ImageCms.getProfileDescription(source).strip()
        if "sRGB" in description:
            return image, None
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        first = (str(error).splitlines() or ["unsound"])[0]
        raise PictureError(f"its colour profile cannot be converted to sRGB ({first})") from error
    assert converted is not None
    return converted, f"colours were converted from the profile {description!r} to sRGB"


def _is_wide_png(image: Image.Image, data: bytes) -> bool:
    """Whether Pillow would drop the low byte of the samples of this PNG: 16-bit RGB without transparency."""
    bit_depth = data[24] if image.format == "PNG" and len(data) > 24 else 8
    return bit_depth == 16 and image.mode == "RGB" and not {"icc_profile", "transparency"} & image.info.keys()


def _with_low_bytes(picture: SourcePicture, data: bytes) -> SourcePicture:
    """A 16-bit PNG at 10 bit. Pillow unpacks one byte per sample: asked for little endian, it gives the low one."""
    with Image.open(io.BytesIO(data)) as image:
        image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
        low = np.asarray(ImageOps.exif_transpose(image))
    return SourcePicture(_ten_bit(picture.samples.astype(np.uint16) << 8 | low), picture.notes)
