"""Dequantisation: the scaler of every gain, and residuals equal to the recorded ones bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.runtime.dequantise import scaler
from jpegai_mobile.runtime.entropy_engine import run_symbol_decoding
from jpegai_mobile.runtime.symbols import Symbols

from .vectors import CONFORMANCE, DATA, conformance_streams, needs_conformance, unit_vectors

KNOWN_DIFFERENCES = 1
"""Of 8,193 gains: the reference took the float32 exponential of one library."""


def test_scalers_equal_the_reference() -> None:
    vectors = unit_vectors("gain_scaler")
    ours, theirs = scaler(vectors["log_value"].astype(np.int32)), vectors["scaler"]
    different = ours != theirs
    assert ours.dtype == np.float32
    assert different.sum() <= KNOWN_DIFFERENCES
    assert np.abs(ours - theirs)[different].max(initial=0) <= 1 / 1024


@needs_conformance
@pytest.mark.parametrize("name", conformance_streams())
def test_residuals_equal_the_recorded_ones(name: str) -> None:
    folder = CONFORMANCE / "streams" / name
    data, tables = (folder / "stream.jai").read_bytes(), (DATA / "entropy_1.bin").read_bytes()
    with np.load(folder / "oracle.npz") as oracle:
        recorded = {i: oracle[f"{i.suffix}_residual"] for i in Component if f"{i.suffix}_residual" in oracle.files}
    stream = read_code_stream(data)
    picture = stream.picture
    symbols = Symbols(picture, EntropyModel.from_bytes(tables), run_symbol_decoding(data, stream, tables))
    whole = Rectangle(0, 0, *picture.sizes.latent)
    for component, residual in recorded.items():
        assert np.array_equal(symbols.residual(component, whole).transpose(2, 0, 1), residual)
