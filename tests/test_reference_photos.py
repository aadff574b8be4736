"""Photographs coded and decoded by the reference software with the first weights that the project had."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jpegai_mobile
from converters.cli import main as convert
from jpegai_mobile import DecodeOptions, EncodeOptions, Encoder, open_bundle
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.encoder.pictures import picture_from_bytes

from .temporary import folder_of_this_process
from .vectors import ROOT

SHARED = ROOT.parent / "shared"
FIRST_WEIGHTS = SHARED / "weights"
STREAMS = sorted((FIRST_WEIGHTS / "streams").glob("*.jai"))


def without_cube_flags(stream: Path) -> bool:
    """Which cubes to code in full is the encoder's choice: the reference's is another than ours."""
    return not any(part.use_cube_flags for part in read_code_stream(stream.read_bytes()).picture.components)


pytestmark = pytest.mark.skipif(not STREAMS, reason="the folder ../shared/weights is absent")


@cache
def first_bundle() -> Path:
    path = folder_of_this_process() / "first.bundle"
    assert convert([str(FIRST_WEIGHTS / "models"), "-o", str(path), "--parts", "decoder,encoder"]) == 0
    return path


@pytest.mark.parametrize("point", ["sop", "bop"])
@pytest.mark.parametrize("stream", STREAMS, ids=lambda path: path.stem)
def test_photos_decode_as_the_reference_decodes_them(stream: Path, point: str) -> None:
    options = DecodeOptions(operating_point=point)
    ours = jpegai_mobile.decode(stream.read_bytes(), first_bundle(), options)
    with Image.open(stream.with_name(f"{stream.stem}_{point}.png")) as image:
        difference = np.abs(ours.astype(int) - np.asarray(image))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1 / 2000


@pytest.mark.parametrize("stream", list(filter(without_cube_flags, STREAMS)), ids=lambda path: path.stem)
def test_files_are_as_long_as_those_of_the_reference(stream: Path) -> None:
    """To 1 %: a symbol on the edge may fall otherwise on another processor."""
    source = SHARED / "data" / "kodak" / f"{stream.stem.split('_')[0]}.png"
    if not source.exists():
        pytest.skip(f"{source.name} is absent")
    theirs = stream.read_bytes()
    picture = read_code_stream(theirs).picture
    options = EncodeOptions(
        beta_displacement=picture.beta_displacement_log(0), level=picture.level_idc, cube_flags=False, model_mark=False
    )
    photo = picture_from_bytes(source.read_bytes(), source.name)
    ours = Encoder(open_bundle(first_bundle())).encode(photo, options).data
    assert len(ours) == pytest.approx(len(theirs), rel=0.01)
