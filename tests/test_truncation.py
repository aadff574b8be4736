"""Truncated streams: every prefix is refused by the whole decoder, whatever the caller allows."""

from __future__ import annotations

import pytest

from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.errors import InvalidStream

from .vectors import stream_folder


@pytest.mark.parametrize("name", ["bop_67x65_bm200", "meta_udi_rdi_64x64", "threads_z8_r4_187x133"])
@pytest.mark.parametrize("partial", [False, True])
def test_every_prefix_is_invalid(name: str, partial: bool) -> None:
    data = (stream_folder(name) / "stream.jai").read_bytes()
    for length in range(len(data)):
        with pytest.raises(InvalidStream):
            read_code_stream(data[:length], allow_missing_regions=partial)
