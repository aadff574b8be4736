"""Dequantisation and LSBS: every scale of theirs, and residuals equal to the recorded ones bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.runtime.dequantise import dequantise, scaler
from jpegai_mobile.runtime.entropy_engine import run_symbol_decoding
from jpegai_mobile.runtime.lsbs import lsbs
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


def test_the_quality_map_scales_steps_from_a_quarter_to_four() -> None:
    sixteenths = np.array([4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 23, 27, 32, 39, 46, 54, 64])
    symbols, quality_map = np.full((1, 17, 1), 4096, np.int16), np.arange(-8, 9, dtype=np.int8)[None]
    residual = dequantise(symbols, np.ones(1, np.float32), None, quality_map)[0, :, 0]
    assert np.allclose(residual, 4096 * 16 / sixteenths, rtol=1e-6)


@pytest.mark.parametrize("model_id", range(4))
def test_scales_of_lsbs_equal_the_reference(model_id: int) -> None:
    vectors = unit_vectors("lsbs_tables")
    averages = np.arange(4352, dtype=np.int32)[None, None]
    one, none = np.ones((1, 4352, 1), np.float32), np.zeros((1, 4352, 1), np.float32)
    for residual, name in ((none, "mean"), (one, "resid")):
        scale = (lsbs(one, residual, averages, model_id) - one)[0, :, 0]
        assert np.array_equal(scale * 2**13, vectors[f"model{model_id}_{name}_q13"])


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
