"""The functions of the package: describe, decode and encode pictures held in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .codestream.description import describe
from .codestream.heif import code_stream_of
from .codestream.stream import ANY_SAMPLES, CodeStream, read_code_stream
from .codestream.tiling import Rectangle
from .errors import DecodeWarning, EncodeWarning
from .image.colour import Samples
from .runtime.decoder import DecodeOptions, Decoder
from .runtime.default_bundle import open_bundle
from .runtime.progress import Listener
from .runtime.reconstruction import Reconstruction
from .runtime.view import View
from .sources import Source, bytes_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from .encoder.options import EncodeOptions
    from .encoder.yuv_picture import YuvPicture

Options = TypeVar("Options")
Result = TypeVar("Result")
Latents = tuple[NDArray[np.float32], NDArray[np.float32]]


def info(data: Source) -> dict[str, Any]:
    """Headers, segments and a summary of a code stream, JSON-ready; nothing is decoded.

    Raises OSError, InvalidStream, Unsupported, or TypeError for an argument of another type.
    """
    return describe(_headers(_code_stream(data)))


def decode(
    data: Source,
    bundle: str | Path | None = None,
    options: DecodeOptions | None = None,
    progress: Listener | None = None,
) -> Samples:
    """Decode a code stream to RGB samples [row, column, 3]: uint8, or uint16 in 0..1023 for 10 bit.

    Here and below `data` is a code stream or a HEIF file (`image/jaii`) that holds one: its bytes, its path or an open
    file. A YUV picture is converted by BT.709. Without `bundle`, $JPEGAI_BUNDLE or the packaged bundle is used.
    `progress` is called with (done, total) samples after every patch; a true result asks to stop. Regions that are
    missing, and an operating point that is not the first of the stream's, give a DecodeWarning. Raises OSError,
    InvalidStream, Unsupported, LimitExceeded, BundleError or Cancelled, TypeError for arguments of another type, and
    ValueError where DecodeOptions are made of choices that make no sense.
    """
    return _decoded(_code_stream(data), bundle, options, _samples(progress))


def decode_latents(data: Source, bundle: str | Path | None = None, options: DecodeOptions | None = None) -> Latents:
    """Luma and chroma latents, float32 [ceil(H/16), ceil(W/16), 160 and 96]: what the synthesis would be given.

    The features that a network for recognition wants, without the cost of making a picture. Warns and raises as
    `decode`.
    """
    return _decoded(_code_stream(data), bundle, options, _latents)


def encode(
    picture: NDArray[Any] | Image | YuvPicture | Source,
    bundle: str | Path | None = None,
    *,
    bpp: float | None = None,
    quality: int | None = None,
    effort: int | None = None,
    background: str | None = None,
    roi: NDArray[Any] | Image | None = None,
    options: EncodeOptions | None = None,
    progress: Listener | None = None,
) -> bytes:
    """Encode a picture to a code stream.

    `picture` is samples [row, column, 3] (uint8, or uint16 in 0..1023), a Pillow image, YUV planes, or a picture file
    that Pillow reads: its bytes, its path or an open file.

    `bpp` or `quality` (1..100, default 50) take the place of what `options` say about the rate, the model included,
    `effort` (1..3, default 2) of theirs; `background` is a colour behind transparent samples, `roi` (uint8 or bool
    [row, column], or an image) is white where details matter most. `progress` is called with (done, total) as for
    `decode`; the total is what may have to be done, so that the end can come early. Metadata that a code stream has no
    place for, and a size that is out of reach, give an EncodeWarning. Raises OSError, PictureError, BundleError or
    Cancelled, TypeError for a picture, `roi` or options of another type, and ValueError for options that make no sense,
    the background among them.
    """
    # Pillow and the encoder are not loaded for those who only decode.
    from .encoder.encoder import Encoder
    from .encoder.options import EncodeOptions
    from .encoder.pictures import mask_of, source_picture

    options = _checked(options, EncodeOptions)
    if bpp is not None or quality is not None:
        options = replace(options, bpp=bpp, quality=quality, model=None, beta_displacement=None, target_psnr=None)
    if effort is not None:
        options = replace(options, effort=effort)
    source = source_picture(picture, background)
    with open_bundle(bundle) as opened:
        encoded = Encoder(opened).encode(source, options, None if roi is None else mask_of(roi), progress)
    for note in (*source.notes, *encoded.notes):
        warnings.warn(note, EncodeWarning, stacklevel=2)
    return encoded.data


def open(path: str | PathLike[str]) -> CodeStreamFile:
    """Read a code stream from a file, bare or in HEIF, as far as its headers.

    Raises OSError, InvalidStream, Unsupported, or TypeError for an argument of another type.
    """
    data = _code_stream(path)
    return CodeStreamFile(data, _headers(data))


@dataclass(frozen=True, eq=False)
class CodeStreamFile:
    """A code stream whose headers were read."""

    data: bytes
    stream: CodeStream
    """Headers and sub-streams."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        height, width = self.stream.picture.display_size
        return width, height

    @property
    def bit_depth(self) -> int:
        """8 or 10."""
        return self.stream.picture.bit_depth

    def info(self) -> dict[str, Any]:
        """As `jpegai_mobile.info`."""
        return describe(self.stream)

    def decode(
        self,
        bundle: str | Path | None = None,
        options: DecodeOptions | None = None,
        progress: Listener | None = None,
    ) -> Samples:
        """As `jpegai_mobile.decode`."""
        return _decoded(self.data, bundle, options, _samples(progress))

    def decode_latents(self, bundle: str | Path | None = None, options: DecodeOptions | None = None) -> Latents:
        """As `jpegai_mobile.decode_latents`."""
        return _decoded(self.data, bundle, options, _latents)


def _decoded(
    stream: bytes,
    bundle: str | Path | None,
    options: DecodeOptions | None,
    wanted: Callable[[Reconstruction, DecodeOptions], Result],
) -> Result:
    """What is wanted of a picture; the caller of the function that calls this one is warned of what was left out."""
    options = _checked(options, DecodeOptions)
    with open_bundle(bundle) as opened:
        decoder = Decoder(opened)
        reconstruction = decoder.reconstruct(stream, options)
        result = wanted(reconstruction, options)
    for note in decoder.notes(reconstruction, options):
        warnings.warn(note, DecodeWarning, stacklevel=3)
    return result


def _samples(progress: Listener | None) -> Callable[[Reconstruction, DecodeOptions], Samples]:
    return lambda reconstruction, options: View().rgb(reconstruction, options.filters, progress)


def _latents(reconstruction: Reconstruction, _options: DecodeOptions) -> Latents:
    luma, chroma = reconstruction.latents.window(Rectangle(0, 0, *reconstruction.stream.picture.sizes.latent))
    return luma, chroma


def _checked(options: Options | None, kind: type[Options]) -> Options:
    """The options, or the default ones; raises TypeError for anything else."""
    if options is None:
        return kind()
    if not isinstance(options, kind):
        raise TypeError(f"options are {type(options).__name__}, not {kind.__name__}")
    return options


def _code_stream(data: Source) -> bytes:
    return code_stream_of(bytes_of(data)[0])


def _headers(data: bytes) -> CodeStream:
    return read_code_stream(data, max_samples=ANY_SAMPLES, allow_missing_regions=True)
