"""A short run of the fuzzers; `python -m tests.fuzz` runs longer ones with other seeds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.picture_header import PictureHeader
from jpegai_mobile.codestream.stream import CodeStream, write_code_stream
from jpegai_mobile.codestream.substreams import SubStream
from jpegai_mobile.codestream.tool_header import ToolHeader
from jpegai_mobile.entropy.residual import encode_residual
from jpegai_mobile.entropy.z import encode_z
from jpegai_mobile.latent.model_tables import EntropyModel

from .c_compiler import needs_compiler
from .fuzz.differential import (
    MODEL,
    Case,
    disagreement,
    legal_cases,
    model_cases,
    mutated_cases,
    native_outcome,
    plain_outcome,
)
from .fuzz.sanitized import build_replay, replay, status_of
from .vectors import stream_folder

SEED = 2026


def disagreements(cases: list[Case]) -> list[str]:
    """Cases on which the engines differ."""
    found = ((case.name, disagreement(plain_outcome(case), native_outcome(case))) for case in cases)
    return [f"{name}: {difference}" for name, difference in found if difference]


def test_engines_agree_on_generated_streams() -> None:
    cases = legal_cases(SEED, 60)
    assert disagreements(cases) == []
    assert not any(isinstance(native_outcome(case), type) for case in cases)


def test_engines_agree_on_mutated_streams() -> None:
    assert disagreements(mutated_cases(SEED, 2000)) == []


def test_engines_agree_on_mutated_streams_of_which_a_part_may_be_missing() -> None:
    assert disagreements([replace(case, partial=True) for case in mutated_cases(SEED + 1, 500)]) == []


def test_engines_agree_on_mutated_models() -> None:
    assert disagreements(model_cases(SEED, 60)) == []


def test_mutations_reach_every_class_of_outcome() -> None:
    outcomes = Counter(status_of(native_outcome(case)) for case in mutated_cases(SEED, 400))
    assert all(outcomes[status] for status in (0, 1, 2, 3))
    assert any(status_of(native_outcome(case)) == 4 for case in model_cases(SEED, 60))


def test_a_difference_is_seen() -> None:
    one, other = (native_outcome(case) for case in legal_cases(SEED, 2))
    assert disagreement(one, one) is None
    assert disagreement(one, other) is not None


@pytest.fixture(scope="module")
def sanitized_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_replay(tmp_path_factory.mktemp("sanitized"))


def test_what_is_wrong_with_a_case_is_said_with_its_name(tmp_path: Path) -> None:
    program = tmp_path / "replay"
    program.write_text("#!/bin/sh\necho 0\necho memory was not given back\n")
    program.chmod(0o755)
    with pytest.raises(AssertionError, match="the other: memory was not given back"):
        replay(program, [Case("one", b""), Case("the other", b"")], tmp_path / "corpus")


def prefixes(name: str) -> list[Case]:
    data = (stream_folder(name) / "stream.jai").read_bytes()
    return [Case(f"{name}[:{length}]", data[:length]) for length in range(len(data))]


@needs_compiler
def test_sanitizers_are_silent_on_mutated_streams(sanitized_program: Path, tmp_path: Path) -> None:
    cases = mutated_cases(SEED, 2000) + model_cases(SEED, 60)
    statuses = replay(sanitized_program, cases, tmp_path / "corpus")
    assert statuses == [status_of(native_outcome(case)) for case in cases]


def many_regions(rows: int, columns: int) -> bytes:
    """A stream of zeros with dependent regions of the least size; no residual is coded."""
    picture = PictureHeader(
        img_width_minus64=128 * columns - 64, img_height_minus64=128 * rows - 64, region_partitioning_flag=1
    )
    picture.num_ver_splits_minus1, picture.num_hor_splits_minus1 = rows - 1, columns - 1
    for component in picture.components:
        component.num_chs = 0
    z = [np.zeros((i.channels, *picture.sizes.z), np.int8) for i in Component]
    tables = [component.z_cumulative for component in EntropyModel.from_bytes(MODEL).components]
    no_values, no_sigma, no_mask = (np.zeros(0, kind) for kind in (np.int16, np.int32, np.bool_))
    nothing = encode_residual(no_values, 1, no_sigma, no_mask)
    residuals = [SubStream(nothing, "residual")] * (rows * columns)
    stream = CodeStream(picture, ToolHeader(), SubStream(encode_z(z, 1, tables), "z"), (residuals, residuals))
    return write_code_stream(stream)


@needs_compiler
def test_sanitizers_are_silent_on_more_regions_than_can_be_skipped(sanitized_program: Path, tmp_path: Path) -> None:
    cases = [Case("18 x 18 dependent regions", many_regions(18, 18))]
    assert replay(sanitized_program, cases, tmp_path / "corpus", max_samples=1 << 23) == [0]


@needs_compiler
def test_sanitizers_are_silent_on_prefixes(sanitized_program: Path, tmp_path: Path) -> None:
    cases = prefixes("bop_64x64") + prefixes("meta_udi_rdi_64x64")
    assert set(replay(sanitized_program, cases, tmp_path / "corpus")) == {1}
