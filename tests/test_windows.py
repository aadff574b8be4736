"""Windows cover a length exactly, with the margins that exact patches need."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from jpegai_mobile.runtime.windows import equal_windows, expanded, windows_over


@settings(deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(1, 400),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from([1, 2, 4]),
)
def test_windows_partition_and_keep_margins(length: int, largest: int, before: int, after: int, unit: int) -> None:
    windows = equal_windows(length, largest, before, after, unit)
    assert windows[0].core_start == 0
    assert windows[-1].core_stop == length
    assert len({w.size for w in windows}) == 1
    assert windows[0].size <= max(largest, before + after + 4 * unit)
    for window, following in pairwise(windows):
        assert window.core_stop == following.core_start
    for window in windows:
        assert 0 <= window.start <= window.core_start < window.core_stop <= window.stop <= length
        assert window.start % unit == 0
        assert window.start == 0 or window.core_start - window.start >= before
        assert window.stop == length or window.stop - window.core_stop >= after


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 100), st.integers(0, 20), st.integers(0, 20), st.integers(1, 600))
def test_expanded_windows_stay_inside_with_their_margin(
    start: int, size: int, before: int, after: int, limit: int
) -> None:
    stop = min(start + size, limit)
    start = min(start, stop - 1)
    first, last = expanded(start, stop, before, after, limit)
    assert 0 <= first <= start < stop <= last <= limit
    assert first == 0 or start - first >= before
    assert last == limit or last - stop >= after
    assert last - first == min(stop - start + before + after, limit)


@settings(deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 90),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(-50, 299),
    st.data(),
)
def test_windows_over_a_part_keep_it_with_its_margins(
    length: int, largest: int, before: int, after: int, start: int, data: st.DataObject
) -> None:
    stop = data.draw(st.integers(start + 1, 350))
    windows = windows_over(start, stop, length, largest, before, after)
    kept = [position for window in windows for position in range(window.core_start, window.core_stop)]
    assert kept == list(range(max(start, 0), min(stop, length)))
    assert len({window.size for window in windows}) <= 1
    for window in windows:
        assert 0 <= window.start <= window.core_start < window.core_stop <= window.stop <= length
        assert window.start == 0 or window.core_start - window.start >= before
        assert window.stop == length or window.stop - window.core_stop >= after
        assert window.size <= max(largest, before + after + 1)
    if windows:
        assert windows[0].start >= start - before or windows[0].start == 0
        assert windows[-1].stop <= stop + after
