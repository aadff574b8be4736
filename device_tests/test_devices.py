"""Every stream on every target, as tests: `pytest device_tests --targets host,qemu-aarch64,qemu-s390x`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jpegai_mobile.errors import BundleError
from jpegai_mobile.runtime.bundle import Bundle

from .conftest import ROOT
from .errors import UnreadableStream
from .judgement import judge
from .matrix import prepare_target
from .reference_decoder import ReferenceDecoder
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
def bundle(pytestconfig: pytest.Config) -> Iterator[Bundle | None]:
    path = pytestconfig.getoption("bundle")
    if path is None:
        yield None
        return
    with Bundle.open(path) as opened:
        yield opened


@pytest.fixture(scope="session")
def decoder(bundle: Bundle | None) -> ReferenceDecoder | None:
    return None if bundle is None else ReferenceDecoder(bundle)


@pytest.fixture(scope="session")
def prepared(target_name: str, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    path = pytestconfig.getoption("bundle")
    target = make_target(target_name, find_sources(), None if path is None else Path(path))
    folder = tmp_path_factory.mktemp("target") / "workspace"
    return target, folder, prepare_target(target, folder)


def test_trace_is_that_of_the_reference(
    stream_file: StreamFile,
    prepared: Prepared,
    bundle: Bundle | None,
    decoder: ReferenceDecoder | None,
    tmp_path: Path,
) -> None:
    target, folder, facts = prepared
    tables: EntropyTables = _CheckoutTables() if bundle is None else bundle
    try:
        case = prepare_case(stream_file, tables, tmp_path, decoder)
    except (BundleError, UnreadableStream) as error:
        pytest.skip(f"{stream_file.name}: {error}")
    cell = judge(case, None, target, folder, facts)
    if cell.verdict in (Verdict.ABSENT, Verdict.LEFT_OUT):
        pytest.skip(f"{target.name}: {cell.detail}")
    assert cell.verdict.good, cell.detail
