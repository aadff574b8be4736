"""Options of `pytest device_tests`."""

from __future__ import annotations

from pathlib import Path

import pytest

from jpegai_mobile.errors import JpegAiError
from jpegai_mobile.runtime.bundle import Bundle

from .sources import find_sources
from .streams import find_streams
from .targets import make_target, named_targets

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--targets`, `--streams` and `--bundle`, as `jpegai-devices run` has them."""
    group = parser.getgroup("device tests")
    group.addoption("--targets", default="host", help="comma-separated targets (default: host)")
    group.addoption("--streams", type=Path, default=ROOT / "tests" / "data" / "streams", help="folder of streams")
    group.addoption("--bundle", default=None, help="model bundle (default: the tables of the checkout's own streams)")


def pytest_configure(config: pytest.Config) -> None:
    """Options that mean nothing are refused in one line."""
    config.addinivalue_line("markers", "xdist_group(name): with pytest-xdist, one process builds and runs a target")
    try:
        for name in named_targets(config.getoption("targets")):
            make_target(name, find_sources())
        find_streams(config.getoption("streams"))
        if config.getoption("bundle") is not None:
            Bundle.open(config.getoption("bundle")).close()
    except JpegAiError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per target and stream."""
    if "target_name" in metafunc.fixturenames:
        names = named_targets(metafunc.config.getoption("targets"))
        groups = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]
        metafunc.parametrize("target_name", groups, scope="session")
    if "stream_file" in metafunc.fixturenames:
        streams = find_streams(metafunc.config.getoption("streams"))
        metafunc.parametrize("stream_file", streams, ids=[stream.name for stream in streams])
