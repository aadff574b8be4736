"""Every stream on every target, as tests: `pytest device_tests --targets host,qemu-aarch64,qemu-s390x`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jpegai_mobile.errors import BundleError
from jpegai_mobile.runtime.bundle import Bundle

from .conftest import ROOT
from .matrix import judge, prepare_target
from .results import TargetFacts, Verdict
from .sources import find_sources
from .streams import EntropyTables, StreamFile, prepare_case
from .targets import Target, make_target

Prepared = tuple[Target, Path, TargetFacts]


class _CheckoutTables:
    """The tables of the streams in tests/data."""

    def models(self) -> tuple[int, ...]:
        return (1,)

    def entropy_model_bytes(self, model: int) -> bytes:
        if model not in self.models():
            raise BundleError(f"the checkout has no tables of model {model}")
        return (ROOT / "tests" / "data" / "entropy_1.bin").read_bytes()


@pytest.fixture(scope="session")
def tables(pytestconfig: pytest.Config) -> Iterator[EntropyTables]:
    path = pytestconfig.getoption("bundle")
    if path is None:
        yield _CheckoutTables()
        return
    with Bundle.open(path) as bundle:
        yield bundle


@pytest.fixture(scope="session")
def prepared(target_name: str, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    target, folder = make_target(target_name, find_sources()), tmp_path_factory.mktemp("target") / "workspace"
    return target, folder, prepare_target(target, folder)


def test_trace_is_that_of_the_reference(
    stream_file: StreamFile, prepared: Prepared, tables: EntropyTables, tmp_path: Path
) -> None:
    target, folder, facts = prepared
    if facts.absent:
        pytest.skip(f"{target.name}: {facts.absent}")
    cell = judge(prepare_case(stream_file, tables, tmp_path), None, target, folder, facts)
    assert cell.verdict in (Verdict.EXACT, Verdict.REFUSED), cell.detail
