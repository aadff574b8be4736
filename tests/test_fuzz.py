"""A short run of the fuzzers; `python -m tests.fuzz` runs longer ones with other seeds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .c_compiler import needs_compiler
from .fuzz.differential import (
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


def prefixes(name: str) -> list[Case]:
    data = (stream_folder(name) / "stream.jai").read_bytes()
    return [Case(f"{name}[:{length}]", data[:length]) for length in range(len(data))]


@needs_compiler
def test_sanitizers_are_silent_on_mutated_streams(sanitized_program: Path, tmp_path: Path) -> None:
    cases = mutated_cases(SEED, 2000) + model_cases(SEED, 60)
    statuses = replay(sanitized_program, cases, tmp_path / "corpus")
    assert statuses == [status_of(native_outcome(case)) for case in cases]


@needs_compiler
def test_sanitizers_are_silent_on_prefixes(sanitized_program: Path, tmp_path: Path) -> None:
    cases = prefixes("bop_64x64") + prefixes("meta_udi_rdi_64x64")
    assert set(replay(sanitized_program, cases, tmp_path / "corpus")) == {1}
