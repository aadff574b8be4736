"""The encoder's memory: a few bytes per sample above what the networks need on one window."""

from __future__ import annotations

import subprocess
import sys

from .encoding import own_bundle_path

BYTES_PER_SAMPLE = 18
"""Samples 3, latents 4, scales 2, one component's sigma 2.5, tables, mask and residual 2.5, and some air."""
MEASURE = """
import sys
import numpy as np
import jpegai_mobile
from jpegai_mobile.bench.decode_once import peak_memory
rows, columns = map(int, sys.argv[2:])
samples = np.zeros((rows, columns, 3), np.uint8)
samples[::7, ::5] = 200
jpegai_mobile.encode(samples, sys.argv[1])
print(peak_memory())
"""


def peak(rows: int, columns: int) -> int:
    arguments = [sys.executable, "-c", MEASURE, str(own_bundle_path()), str(rows), str(columns)]
    return int(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def test_memory_grows_with_the_latents_only() -> None:
    small, large = (800, 1000), (1200, 1500)
    samples = large[0] * large[1] - small[0] * small[1]
    assert (peak(*large) - peak(*small)) / samples < BYTES_PER_SAMPLE
