"""What several test modules share because it takes long to make, and the order of modules on several processes."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from converters.cli import main
from converters.quantisation import samples
from tests.vectors import ROOT

WEIGHTS = ROOT / "weights" / "own_model1.zip"
CALIBRATION_SAMPLES = 4
"""A third of what conversion takes without pictures: the least that keeps the quality that tests ask for."""

LONGEST = (
    "test_quantisation",
    "test_fuzz",
    "test_encode",
    "test_device_drill",
    "test_native_memory",
    "test_device_run",
)
"""Modules that several processes begin with, lest one of them is what the others wait for at the end."""


def pytest_configure(config: pytest.Config) -> None:
    """Of several processes each has one thread for products of matrices; programs that they start have all."""
    if hasattr(config, "workerinput"):
        threadpool_limits(1, user_api="blas")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Longest modules first, where there are several processes."""
    if hasattr(config, "workerinput"):
        rank = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(scope="session")
def quantised_bundle(request: pytest.FixtureRequest) -> Path:
    """The project's weights at SOP and BOP in every precision, calibrated without pictures; to be read only.

    It is kept in pytest's cache for as long as nothing changes that it is made of. Of several processes one makes it.
    """
    kept = Path(request.config.cache.mkdir("quantised_bundle"))
    path = kept / _digest()
    with open(kept / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _convert(path)
            for outdated in kept.glob("?" * len(path.name)):
                if outdated != path:
                    shutil.rmtree(outdated)
    return path


def _convert(path: Path) -> None:
    options = ["--precision", "float32,float16,int8w,int8mixed,int8"]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "DRAWN_SAMPLES", CALIBRATION_SAMPLES)
        assert main([str(WEIGHTS), "-o", f"{folder}/own.bundle", *options]) == 0
        Path(folder, "own.bundle").rename(path)


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
