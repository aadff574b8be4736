"""With the reference's checkpoint, picture, rate and tools, our streams are as long and as good as the reference's."""

from __future__ import annotations

import platform
from functools import cache

import pytest

from .encoder_conformance import Comparison, names
from .vectors import needs_conformance

pytestmark = needs_conformance
NAMES = names()
comparison = cache(Comparison)


@pytest.mark.parametrize("name", NAMES)
def test_length_and_quality_of_the_reference(name: str) -> None:
    theirs, ours = comparison(name).quality
    assert abs(comparison(name).length) < 0.01
    assert ours == pytest.approx(theirs, abs=0.02)


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="float sums of other machines may round a symbol on the edge to its neighbour",
)
@pytest.mark.parametrize("name", NAMES)
def test_bytes_of_the_reference(name: str) -> None:
    assert comparison(name).identical
