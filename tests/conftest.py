"""What several test modules share because it takes long to make."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from converters.cli import main
from converters.quantisation import samples
from tests.vectors import ROOT

WEIGHTS = ROOT / "weights" / "own_model1.zip"
CALIBRATION_SAMPLES = 4
"""A third of what conversion takes without pictures: the least that keeps the quality that tests ask for."""


@pytest.fixture(scope="session")
def quantised_bundle(request: pytest.FixtureRequest) -> Path:
    """The project's weights at SOP and BOP in every precision, calibrated without pictures; to be read only.

    It is kept in pytest's cache for as long as nothing changes that it is made of.
    """
    kept = Path(request.config.cache.mkdir("quantised_bundle"))
    path = kept / _digest()
    if not path.exists():
        options = ["--precision", "float32,float16,int8w,int8mixed,int8"]
        with tempfile.TemporaryDirectory(dir=kept) as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(samples, "DRAWN_SAMPLES", CALIBRATION_SAMPLES)
            assert main([str(WEIGHTS), "-o", f"{folder}/own.bundle", *options]) == 0
            if not path.exists():  # another run may have been faster
                Path(folder, "own.bundle").rename(path)
        for outdated in kept.glob("?" * len(path.name)):
            if outdated != path:
                shutil.rmtree(outdated)
    return path


def _digest() -> str:
    """Of all that the bundle is made of: weights, programs, versions."""
    digest = hashlib.sha256(f"{sys.version} {np.__version__}".encode())
    for folder in (ROOT / "converters", ROOT / "jpegai_mobile"):
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".c", ".h"):
                digest.update(file.read_bytes())
    for file in (WEIGHTS, Path(__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()
