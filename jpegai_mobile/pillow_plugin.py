"""JPEG AI code streams in Pillow: `import jpegai_mobile.pillow_plugin`, and `Image.open` and `save` know `.jai`.

    image = Image.open("photo.jai")              # headers only; the picture is decoded when it is used
    image.save("copy.jai", quality=60)           # or bpp=0.5; also effort=3, background="white", roi=mask
    use_bundle("own.bundle")                     # else $JPEGAI_BUNDLE or the packaged bundle

Pillow has no RGB samples above 8 bit: 10-bit pictures are rounded to 8. `.jai` is the bare code stream, for which no
media type is registered, so `Image.get_format_mimetype()` gives None. HEIF files (`image/jaii`) are opened,
not written. Several threads may use it; they decode and encode one after the other.
The limit on samples is Pillow's own, twice `Image.MAX_IMAGE_PIXELS`.
"""

from __future__ import annotations

import sys
import warnings
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

from PIL import Image, ImageFile

from .codestream.heif import code_stream_of, is_heif
from .codestream.stream import ANY_SAMPLES, read_code_stream
from .encoder.encoder import Encoder
from .encoder.options import EncodeOptions
from .encoder.pictures import mask_of, source_picture
from .errors import DecodeWarning, EncodeWarning, InvalidStream, JpegAiError, Unsupported
from .image.scaling import FACTORS, scaled_size
from .runtime.bundle import Bundle
from .runtime.decoder import DecodeOptions, Decoder, Output
from .runtime.default_bundle import open_bundle
from .runtime.view import View

FORMAT = "JPEGAI"
EXTENSION = ".jai"
_START = bytes.fromhex("ff80ff82")
"""Start of code stream and picture header."""

_INSIDE = (__package__, "PIL")
"""Packages that no line of a caller lies in."""

_bundle: str | Path | None = None
_one_at_a_time = Lock()
"""Held where the codecs are made and used: a codec is for one thread at a time, and Pillow for many."""


def use_bundle(path: str | Path | None) -> None:
    """The model bundle for pictures opened and saved from now on; None for the default one."""
    global _bundle
    _bundle = path


class JpegAiImageFile(ImageFile.ImageFile):
    """A code stream as a Pillow image; decoded when its samples are first asked for."""

    format = FORMAT
    format_description = "JPEG AI (ISO/IEC 6048-1)"
    _data = b""
    """The code stream that is still to be decoded; none in a copy or out of a pickle, which hold samples."""

    def _open(self) -> None:
        assert self.fp is not None
        try:
            self._data = code_stream_of(self.fp.read())
            stream = read_code_stream(self._data, max_samples=ANY_SAMPLES, allow_missing_regions=True)
        except (InvalidStream, Unsupported) as error:
            raise SyntaxError(str(error)) from error
        height, width = stream.picture.display_size
        self._full_size = self._size = width, height
        self._mode = "RGB"
        self._factor = 1
        self.tile = []
        self.info["model_id"] = stream.picture.model_id

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decode a half, a quarter or an eighth of the size, where that is still at least `size`."""
        if size is None or self._data == b"":
            return None
        factors = [
            f for f in FACTORS if all(full // f >= want for full, want in zip(self._full_size, size, strict=True))
        ]
        self._factor = max(factors, default=1)
        height, width = scaled_size(self._full_size[::-1], self._factor)
        self._size = width, height
        return self.mode, (0, 0, self._full_size[0] / self._factor, self._full_size[1] / self._factor)

    def load(self) -> Any:
        """Decode the picture, unless that was done; raises OSError naming what is wrong with it.

        An operating point that is not the first of the stream's gives a DecodeWarning.
        """
        notes: tuple[str, ...] = ()
        if self._data:
            with _one_at_a_time:
                if self._data:  # no other thread decoded it meanwhile
                    notes = self._decode()
        for note in notes:
            warnings.warn(note, DecodeWarning, stacklevel=_level_of_caller())
        return super().load()

    def _decode(self) -> tuple[str, ...]:
        """Put samples in the place of the code stream; gives remarks for the caller."""
        options = DecodeOptions(max_samples=ANY_SAMPLES)  # Pillow judged them when the image was opened
        try:
            decoder = _decoder(_bundle)
            reconstruction = decoder.reconstruct(self._data, options, output=Output(as_rgb=self._factor == 1))
            samples = View(factor=self._factor).rgb(reconstruction, bit_depth=8)
        except JpegAiError as error:
            raise OSError(str(error)) from error
        self.im = Image.fromarray(samples, "RGB").im
        self._data = b""
        if self.fp and self._exclusive_fp:
            self.fp.close()
            self.fp = None
        return decoder.notes(reconstruction, options)


def _save(image: Image.Image, target: IO[bytes], filename: str | bytes) -> None:
    """`Image.save`: quality 1..100 or bpp, background, roi, and every field of EncodeOptions as a keyword.

    `roi` is an array or an image, see `mask_of`. Metadata that a code stream has no place for gives an EncodeWarning,
    whether the image or a keyword brings it. Raises what Pillow's own formats do: ValueError (TypeError for a `roi` of
    another type) for keywords that make no sense, OSError for what cannot be written.
    """
    choices: dict[str, Any] = dict(image.encoderinfo)
    background, roi = choices.pop("background", None), choices.pop("roi", None)
    known = {name: choices.pop(name) for name in EncodeOptions.__dataclass_fields__ if name in choices}
    ignored = sorted(name for name, value in choices.items() if value is not None)
    options = EncodeOptions(**known)
    try:
        mask = None if roi is None else mask_of(roi)
        picture = source_picture(image, background)
        with _one_at_a_time:
            encoded = _encoder(_bundle).encode(picture, options, mask)
    except JpegAiError as error:
        raise OSError(str(error)) from error
    notes = [f"save: {', '.join(ignored)} was ignored"] if ignored else []
    for note in (*picture.notes, *encoded.notes, *notes):
        warnings.warn(note, EncodeWarning, stacklevel=3)
    target.write(encoded.data)


def _level_of_caller() -> int:
    """Where the frame outside of Pillow lies that wants a picture, as `warnings.warn` counts from our caller.

    `load` is called by whoever loads a picture, or by Pillow itself, which needs its samples for something else.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    return level


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_START) or is_heif(prefix)


@lru_cache(maxsize=1)
def _opened(path: str | Path | None) -> Bundle:
    return open_bundle(path)


@lru_cache(maxsize=1)
def _decoder(path: str | Path | None) -> Decoder:
    return Decoder(_opened(path))


@lru_cache(maxsize=1)
def _encoder(path: str | Path | None) -> Encoder:
    return Encoder(_opened(path))


Image.register_open(FORMAT, JpegAiImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, EXTENSION)
