"""The codecs: ours with a bundle, and the rivals that Pillow and its plug-ins bring."""

from __future__ import annotations

import hashlib
import importlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from jpegai_mobile import DecodeOptions, Decoder, EncodeOptions, Encoder, open_bundle
from jpegai_mobile.encoder.options import DEFAULT_EFFORT
from jpegai_mobile.encoder.pictures import SourcePicture
from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import yuv_to_rgb
from picture_quality.metrics import Picture, compare

from .table import Measurement, measurement

RATES = (0.12, 0.25, 0.5, 0.75, 1.0)
"""Bits per pixel that our encoder is asked for and that the tables show."""


@dataclass(frozen=True)
class OwnCodec:
    """One way to decode our streams."""

    operating_point: str
    precision: str

    @property
    def name(self) -> str:
        """As in the raw results."""
        return f"jpegai-{self.operating_point}-{self.precision}"

    @property
    def label(self) -> str:
        """As in tables and plots."""
        return f"{self.operating_point.upper()} {self.precision}"


@dataclass(frozen=True)
class Rival:
    """A format of Pillow's with the settings that its users call good."""

    name: str
    label: str
    format: str
    implementation: str
    qualities: tuple[int, ...]
    """Coarse to fine. A picture is coded until it takes more than the highest of `RATES`."""
    options: Mapping[str, object] = field(default_factory=dict)

    def encode(self, picture: Picture, quality: int) -> bytes:
        """The file."""
        file = io.BytesIO()
        Image.fromarray(picture).save(file, self.format, quality=quality, **self.options)
        return file.getvalue()

    def decode(self, data: bytes) -> Picture:
        """The picture of the file."""
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))

    @property
    def version(self) -> str:
        """The library; raises ValueError where it is absent."""
        if self.format == "JXL":
            try:
                importlib.import_module("pillow_jxl")
            except ImportError as error:
                raise ValueError(f"{self.label} needs pillow-jxl-plugin: pip install '.[rivals]'") from error
            return f"{self.implementation} {version(self.implementation)}"
        found = features.version(self.implementation)
        if found is None:
            raise ValueError(f"{self.label}: this Pillow has no {self.implementation}; pip install '.[rivals]'")
        return f"{self.implementation} {found}"


OURS = tuple(OwnCodec(point, precision) for point in ("bop", "sop") for precision in ("float32", "int8"))
_JPEG = {"optimize": True, "progressive": True}
_AVIF = {"speed": 4, "max_threads": 1}
_JPEG_QUALITIES = (2, 4, 8, 15, 25, 40, 60, 75, 85, 92)
_AVIF_QUALITIES = (4, 12, 24, 36, 48, 60, 72, 82)
RIVALS = (
    Rival("jpeg", "JPEG 4:2:0", "JPEG", "jpg", _JPEG_QUALITIES, {**_JPEG, "subsampling": "4:2:0"}),
    Rival("jpeg-444", "JPEG 4:4:4", "JPEG", "jpg", _JPEG_QUALITIES, {**_JPEG, "subsampling": "4:4:4"}),
    Rival("webp", "WebP", "WEBP", "webp", (0, 2, 10, 25, 45, 65, 80, 90), {"method": 6}),
    Rival("avif", "AVIF 4:2:0", "AVIF", "avif", _AVIF_QUALITIES, {**_AVIF, "subsampling": "4:2:0"}),
    Rival("avif-444", "AVIF 4:4:4", "AVIF", "avif", _AVIF_QUALITIES, {**_AVIF, "subsampling": "4:4:4"}),
    Rival("jxl", "JPEG XL", "JXL", "pillow-jxl-plugin", (1, 5, 10, 22, 38, 55, 70, 82, 90), {"effort": 7}),
)
LABELS = {**{codec.name: codec.label for codec in OURS}, **{rival.name: rival.label for rival in RIVALS}}


def measure_rival(name: str, picture: Picture, rival: Rival) -> Iterator[Measurement]:
    """A picture through a rival, over the range of rates."""
    pixels = picture.shape[0] * picture.shape[1]
    made_of = rival.version  # which loads a plug-in
    for quality in rival.qualities:
        data = rival.encode(picture, quality)
        compared = compare(picture, rival.decode(data))
        yield measurement(name, rival.name, made_of, quality, data, pixels, compared)
        if 8 * len(data) > max(RATES) * pixels:
            return


def measure_ours(
    name: str,
    picture: Picture,
    bundle: Path,
    effort: int = DEFAULT_EFFORT,
    rates: Sequence[float] = RATES,
    codecs: Sequence[OwnCodec] = OURS,
) -> Iterator[Measurement]:
    """A picture through our encoder at every rate, each stream decoded in all ways."""
    encoder, decoder = _opened(bundle)
    source = SourcePicture(picture)
    made_of = own_version(bundle, effort)
    for rate in rates:
        options = EncodeOptions(bpp=rate, effort=effort, operating_point="bop", num_threads=1)
        data = encoder.encode(source, options).data
        for codec in codecs:
            compared = compare(picture, decoded(decoder, data, codec.operating_point, codec.precision))
            pixels = picture.shape[0] * picture.shape[1]
            yield measurement(name, codec.name, made_of, rate, data, pixels, compared)


def decoded(decoder: Decoder, data: bytes, operating_point: str, precision: str) -> NDArray[np.uint8]:
    """An 8-bit code stream as RGB samples [row, column, 3], on one thread."""
    options = DecodeOptions(operating_point=operating_point, precision=precision, num_threads=1)
    return yuv_to_rgb(to_444(decoder.decode(data, options).planes), 8).astype(np.uint8)


def own_version(bundle: Path, effort: int) -> str:
    """A name for exactly these model files, and the effort of the encoder."""
    with open_bundle(bundle) as opened:
        files = sorted((name, entry.sha256) for name, entry in opened.manifest.files.items())
    return f"bundle {hashlib.sha256(repr(files).encode()).hexdigest()[:12]}, effort {effort}"


@cache
def _opened(bundle: Path) -> tuple[Encoder, Decoder]:
    """Kept, with the networks in it, for the next picture."""
    opened = open_bundle(bundle)
    return Encoder(opened), Decoder(opened)
