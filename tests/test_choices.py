"""Options of every wrong kind: one line that names the option and shows its value."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import jpegai_mobile
from jpegai_mobile import BundleError, DecodeOptions, EncodeOptions, PictureError, YuvPicture
from jpegai_mobile.encoder.pictures import mask_of, source_picture

NUMBERS = ("x", b"1", math.nan, math.inf, -1, 10**30, [1], 1j, object())
NOT_WHOLE = (*NUMBERS, 2.0, 0.5)
PAIRS = (5, "x", (), (1,), (1, 2, 3), ("a", "b"), (1.0, 1), (-1, -1), None)
NAMES = ("x", b"native", 5, ["bop"])
FLAGS: tuple[Any, ...] = ("x", 2, 1.0, [])
WRONG: dict[type, dict[str, tuple[Any, ...]]] = {
    EncodeOptions: {
        "bpp": ("x", math.nan, math.inf, -1, 0, [1], 1j, 1e308, 10**400, 5e-324),
        "quality": (*NOT_WHOLE, 0, 101),
        "model": (*NOT_WHOLE, 4),
        "beta_displacement": ("x", math.nan, 0.5, 2048, -2049, 10**30),
        "chroma_beta_displacement": ("x", math.nan, 0.5, 2048, -2049, 10**30),
        "operating_point": (*NAMES, None),
        "regions": (*PAIRS, (0, 1), (10**9, 10**9)),
        "region_overlap": (*NOT_WHOLE, 4),
        "roi_strength": (*NOT_WHOLE, 0, 9),
        "rvs": FLAGS,
        "grfs": (*FLAGS, None),
        "lsbs": (*FLAGS, None),
        "target_psnr": ("x", math.nan, math.inf, -1, 0, [1], 1j, 1e307, 10**400),
        "post_filters": FLAGS,
        "effort": (*NOT_WHOLE, 0, 4, None),
        "chroma": ("420", 420, (1, 3), (2, 1), [2, 2]),
        "cube_flags": (*FLAGS, None),
        "coder_threads": ("x", 3, 32, None),
        "num_threads": (*NOT_WHOLE, 0, 257, None),
        "precision": NAMES,
        "engine": (*NAMES, None),
        "level": (*NOT_WHOLE, 256),
        "model_mark": (*FLAGS, None),
    },
    DecodeOptions: {
        "operating_point": NAMES[1:],
        "precision": NAMES,
        "num_threads": (*NOT_WHOLE, 0, 257, None),
        "max_channels": PAIRS[:-1],
        "filters": (*FLAGS, None),
        "allow_partial": (*FLAGS, None),
        "max_samples": (*NOT_WHOLE, None),
        "patch": (*PAIRS[:-1], (0, 0)),
        "memory_limit": NOT_WHOLE,
        "engine": (*NAMES, None),
    },
}


@pytest.mark.parametrize("options", [EncodeOptions, DecodeOptions])
def test_every_option_refuses_what_makes_no_sense(options: type) -> None:
    wrong = WRONG[options]
    assert set(wrong) == {field.name for field in fields(options)}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError) as caught:
                options(**{name: value})
            text = str(caught.value)
            assert text.startswith(f"{name} ") and " is n" in text and "\n" not in text, text


def test_a_value_is_shown_in_one_short_line() -> None:
    with pytest.raises(ValueError) as caught:
        EncodeOptions(bpp=np.zeros((40, 40)))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 120


def test_numpy_numbers_are_numbers() -> None:
    options = EncodeOptions(quality=np.int64(5), regions=(np.uint8(2), np.uint8(2)), grfs=np.bool_(True))  # type: ignore[arg-type]
    assert (options.quality, options.regions, options.grfs) == (5, (2, 2), True)
    assert type(options.quality) is int and type(options.regions[0]) is int and type(options.grfs) is bool
    assert type(EncodeOptions(bpp=np.float32(0.5)).bpp) is float  # type: ignore[arg-type]


def test_arguments_of_another_type_are_named() -> None:
    samples = np.zeros((64, 64, 3), np.uint8)
    wrong: Any = "x"
    with pytest.raises(TypeError, match="options are str, not EncodeOptions"):
        jpegai_mobile.encode(samples, options=wrong)
    with pytest.raises(TypeError, match="options are str, not DecodeOptions"):
        jpegai_mobile.decode(b"", options=wrong)
    with pytest.raises(TypeError, match="mask is str, neither an array nor a Pillow image"):
        mask_of(wrong)
    for background in (5, "no colour", (255, 255, 255)):
        with pytest.raises(ValueError, match=r"background .* is not a colour"):
            source_picture(samples, background)  # type: ignore[arg-type]
    for bundle in (5, b"x", ""):
        with pytest.raises(BundleError, match="is not the path of a model bundle"):
            jpegai_mobile.open_bundle(bundle)  # type: ignore[arg-type]
    for plane in (5, None, samples, samples[..., 0].astype(float)):
        with pytest.raises(PictureError, match=r"YUV planes are uint8 or uint16 \[row, column\]"):
            YuvPicture(plane, plane, plane, (1, 1))  # type: ignore[arg-type]
    with pytest.raises(PictureError, match="0 x 0 samples"):
        YuvPicture(samples[:0, :0, 0], samples[:0, :0, 0], samples[:0, :0, 0], (1, 1))
