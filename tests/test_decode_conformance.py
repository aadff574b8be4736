"""Every picture of the conformance folder within the bounds of the reference's pictures, at float32."""

from __future__ import annotations

import pytest

from .conformance import Case, cases, compare, conformance_decoder
from .vectors import needs_conformance


@needs_conformance
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_picture_is_within_bounds(case: Case) -> None:
    difference = compare(case, conformance_decoder())
    assert difference.within_bounds, difference
