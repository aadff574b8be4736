"""Which windows of photographs become the calibration streams of the project's weights."""

from __future__ import annotations

import numpy as np

from converters.quantisation.samples import MAX_FILES, WINDOW
from training.calibration import MEASURES, chosen_windows, photo_of, white

GREY = np.full((384, 512, 3), 100, np.uint8)


def row(number: int) -> dict[str, str]:
    return {"file": str(number), "height": "384", "width": "512"}


def painted(top: int, left: int, height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    picture = GREY.copy()
    picture[top : top + height, left : left + width] = colour
    return picture


def test_the_largest_white_area_that_leaves_something_beside_it() -> None:
    colour = (255, 255, 255)
    assert photo_of(row(0), painted(0, 0, 128, 256, colour)).best[white] == (0.5, 0, 0)
    assert photo_of(row(1), painted(128, 256, 192, 256, colour)).best[white] == (0.75, 128, 256)
    assert photo_of(row(2), np.full_like(GREY, 255)).best[white][0] == 0


def test_every_photograph_gives_one_window() -> None:
    photos = [photo_of(row(number), GREY) for number in range(48)]
    photos[7] = photo_of(row(7), painted(192, 320, 16, 16, (0, 0, 255)))
    windows = list(chosen_windows(photos))
    assert len(windows) == MAX_FILES
    assert len({photo["file"] for photo, _, _ in windows}) == MAX_FILES
    photo, top, left = windows[0]
    assert photo["file"] == "7" and top <= 192 < top + WINDOW and left <= 320 < left + WINDOW
    middle = ((384 - WINDOW) // 2, (512 - WINDOW) // 2)
    assert [window[1:] for window in windows[len(MEASURES) :]] == [middle] * (MAX_FILES - len(MEASURES))
