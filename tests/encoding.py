"""An encoder and a decoder with the project's own weights, and pictures to encode."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from converters.cli import main as convert
from jpegai_mobile import Decoder, Encoder, open_bundle
from jpegai_mobile.encoder.pictures import SourcePicture
from jpegai_mobile.image.colour import sample_type

from .temporary import folder_of_this_process
from .vectors import CONFORMANCE, ROOT

WEIGHTS = ROOT / "weights"


@cache
def own_bundle_path() -> Path:
    """A bundle with both halves of the project's own weights."""
    path = folder_of_this_process() / "own.bundle"
    sources = [str(WEIGHTS / name) for name in ("own_model1.zip", "own_model1_encoder.zip")]
    assert convert([*sources, "-o", str(path), "--parts", "decoder,encoder"]) == 0
    return path


@cache
def own_decoder_bundle_path(operating_points: str = "sop,bop") -> Path:
    """A bundle with the decoder of the project's own weights, to be read only."""
    path = folder_of_this_process() / "own.bundle"
    assert convert([str(WEIGHTS / "own_model1.zip"), "-o", str(path), "--operating-points", operating_points]) == 0
    return path


@cache
def conformance_bundle_path() -> Path:
    """A bundle with encoder and decoder of model 1 of the conformance checkpoints."""
    path = folder_of_this_process() / "conformance.bundle"
    options = ["--models", "1", "--operating-points", "sop,bop,hop", "--parts", "decoder,encoder"]
    assert convert([str(CONFORMANCE / "checkpoints"), "-o", str(path), *options]) == 0
    return path


@cache
def own_encoder() -> Encoder:
    return Encoder(open_bundle(own_bundle_path()))


@cache
def own_decoder() -> Decoder:
    return Decoder(open_bundle(own_bundle_path()))


@cache
def photo() -> SourcePicture:
    """A part of a photograph that these weights never coded: sizes of what they coded jump at its own rate."""
    with Image.open(ROOT / "examples" / "kodim07.jpg") as image:
        return SourcePicture(np.asarray(image.convert("RGB"))[128:384, 256:512])


def random_picture(height: int, width: int, seed: int, bit_depth: int = 8) -> SourcePicture:
    """Colourful and rough, with flat parts."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 1 << bit_depth, (height // 16 + 1, width // 16 + 1, 3))
    samples = coarse.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    noise = rng.normal(0, rng.choice([0, 2, 20]), samples.shape)
    clipped = np.clip(samples + noise, 0, (1 << bit_depth) - 1)
    return SourcePicture(clipped.astype(sample_type(bit_depth)))
