"""Whole decodes of streams with damaged headers: a picture or a typed error, never anything else."""

from __future__ import annotations

import random
import warnings
from collections import Counter

import pytest

from jpegai_mobile import DecodeOptions, JpegAiError
from jpegai_mobile.codestream.segments import Segment, read_segments, write_segments

from .conformance import conformance_decoder
from .vectors import CONFORMANCE, needs_conformance

STREAMS = (
    "bop_64x64",
    "toolson_320x240",
    "efe_splits_yuv420_m2_384x288",
    "efenl_256x192",
    "lef_10b_yuv444_200x136",
    "indreg_rvs_threads2_700x530",
    "depreg_640x520",
    "rgb_as420_187x133",
)
DAMAGES = 25
HEADERS = 2
"""Picture header and tool header come first."""


@needs_conformance
@pytest.mark.parametrize("name", STREAMS)
def test_damaged_headers_give_a_picture_or_a_typed_error(name: str) -> None:
    chance = random.Random(name)
    decoder = conformance_decoder()
    segments = read_segments((CONFORMANCE / "streams" / name / "stream.jai").read_bytes())
    outcomes: Counter[str] = Counter()
    for _ in range(DAMAGES):
        damaged = list(segments)
        which = chance.randrange(HEADERS)
        payload = bytearray(segments[which].payload)
        for _ in range(chance.choice((1, 1, 2, 5))):
            payload[chance.randrange(len(payload))] ^= 1 << chance.randrange(8)
        damaged[which] = Segment(segments[which].marker, bytes(payload))
        try:
            # Legal filter headers may hold weights that make samples overflow; the picture is then merely ugly.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                for _ in decoder.reconstruct(write_segments(damaged), DecodeOptions(max_samples=1 << 20)).bands():
                    pass
            outcomes["picture"] += 1
        except JpegAiError as error:
            assert "\n" not in str(error)
            outcomes[type(error).__name__] += 1
    assert sum(outcomes.values()) == DAMAGES
    assert len(outcomes) > 1
