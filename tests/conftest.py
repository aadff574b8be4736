"""What several test modules share because it takes long to make."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.cli import main
from tests.vectors import ROOT


@pytest.fixture(scope="session")
def quantised_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's weights at SOP and BOP in every precision, calibrated without pictures."""
    path = tmp_path_factory.mktemp("quantised") / "own.bundle"
    options = ["--precision", "float32,float16,int8w,int8mixed,int8"]
    assert main([str(ROOT / "weights" / "own_model1.zip"), "-o", str(path), *options]) == 0
    return path
