"""What a decode left out or chose otherwise is said: by the command in a note, by functions in a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import jpegai_mobile
from jpegai_mobile import DecodeOptions, DecodeWarning, EncodeOptions
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream

from .encoding import own_bundle_path, own_decoder_bundle_path, own_encoder, random_picture
from .vectors import ROOT

Decode = Callable[[Path, Path, DecodeOptions], object]
WAYS: dict[str, Decode] = {
    "decode": lambda stream, bundle, options: jpegai_mobile.decode(stream, bundle, options),
    "decode_latents": lambda stream, bundle, options: jpegai_mobile.decode_latents(stream, bundle, options),
    "open.decode": lambda stream, bundle, options: jpegai_mobile.open(stream).decode(bundle, options),
    "open.decode_latents": lambda stream, bundle, options: jpegai_mobile.open(stream).decode_latents(bundle, options),
}


@pytest.mark.parametrize("way", WAYS)
def test_warnings_name_the_line_that_decodes(way: str, tmp_path: Path) -> None:
    options = EncodeOptions(beta_displacement=0, regions=(1, 2), effort=1)
    stream = read_code_stream(own_encoder().encode(random_picture(64, 256, 1), options).data)
    stream.residuals[0][1] = None
    partial = tmp_path / "partial.jai"
    partial.write_bytes(write_code_stream(stream))
    for source, bundle, text in (
        (partial, own_bundle_path(), "region 1 is missing"),
        (ROOT / "examples" / "kodim07.jai", own_decoder_bundle_path("sop"), "decoded at operating point sop"),
    ):
        with pytest.warns(DecodeWarning, match=text) as told:
            WAYS[way](source, bundle, DecodeOptions(allow_partial=True))
        assert [warning.filename for warning in told] == [__file__]
