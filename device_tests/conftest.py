"""Options of `pytest device_tests`."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--targets`, `--streams` and `--bundle`, as `jpegai-devices run` has them."""
    group = parser.getgroup("device tests")
    group.addoption("--targets", default="host", help="comma-separated targets (default: host)")
    group.addoption("--streams", type=Path, default=ROOT / "tests" / "data" / "streams", help="folder of streams")
    group.addoption("--bundle", default=None, help="model bundle (default: the tables of the checkout's own streams)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per target and stream."""
    from device_tests.streams import find_streams

    if "target_name" in metafunc.fixturenames:
        names = metafunc.config.getoption("targets").split(",")
        metafunc.parametrize("target_name", names, scope="session")
    if "stream_file" in metafunc.fixturenames:
        streams = find_streams(metafunc.config.getoption("streams"))
        metafunc.parametrize("stream_file", streams, ids=[stream.name for stream in streams])
