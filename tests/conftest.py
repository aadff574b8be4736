"""What several test modules share because it takes long to make, and the order of modules on several processes."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from converters.cli import main
from converters.quantisation import samples
from device_tests import toolchain
from device_tests.sources import TraceSources, find_sources
from device_tests.toolchain import Build
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
    folders = (ROOT / "converters", ROOT / "jpegai_mobile")
    sources = [file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix in (".py", ".c", ".h")]
    digest = _digest((*sources, WEIGHTS, Path(__file__)), f"{sys.version} {np.__version__}")
    return _made_once(request, "quantised_bundle", digest, _convert) / "own.bundle"


@pytest.fixture(scope="session")
def jai_trace(request: pytest.FixtureRequest) -> Path:
    """The program jai-trace for this machine, built as the target `host` is; kept as the bundle above."""
    sources = find_sources()
    files = sorted(file for folder in {path.parent for path in sources.files} for file in folder.glob("*.[ch]"))
    digest = _digest((*files, Path(toolchain.__file__)), sys.platform)

    def build(folder: Path) -> None:
        Build(None).program(sources, folder / "jai-trace")

    return _made_once(request, "jai_trace", digest, build) / "jai-trace"


@pytest.fixture(scope="module")
def host_built_once(jai_trace: Path) -> Iterator[None]:
    """Targets `host` of the package's own sources take that program instead of building theirs."""
    original = Build.program

    def program(build: Build, sources: TraceSources, output: Path) -> None:
        if build == Build(None) and sources == find_sources():
            shutil.copy(jai_trace, output)
        else:
            original(build, sources, output)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Build, "program", program)
        yield


def _made_once(request: pytest.FixtureRequest, name: str, digest: str, make: Callable[[Path], None]) -> Path:
    """A folder in pytest's cache that `make` fills, unless there is one of this digest."""
    kept = Path(request.config.cache.mkdir(name))
    path = kept / digest
    with open(kept / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=kept) as folder:
                made = Path(folder, "made")
                made.mkdir()
                make(made)
                made.rename(path)
            for outdated in kept.glob("?" * len(digest)):
                if outdated != path:
                    shutil.rmtree(outdated)
    return path


def _convert(folder: Path) -> None:
    options = ["--precision", "float32,float16,int8w,int8mixed,int8"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "DRAWN_SAMPLES", CALIBRATION_SAMPLES)
        assert main([str(WEIGHTS), "-o", str(folder / "own.bundle"), *options]) == 0


def _digest(files: Iterable[Path], versions: str) -> str:
    """Of all that something is made of."""
    digest = hashlib.sha256(versions.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
