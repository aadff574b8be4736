"""Networks as Core ML packages, built without torch and TensorFlow; needs coremltools once one is asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from jpegai_mobile.networks.graph import Graph

from ..errors import ConversionError
from .precision import PRECISIONS

DEFAULT_TILES = (512,)
"""Tile sizes in luma samples: one fixed shape, what the Neural Engine likes best and every iOS takes.

With the halo of the synthesis transforms 512 leaves a core of 384 to 416 samples, where the cost per sample
is lowest.
"""
ENUMERATED_TILES = (512, 256, 1024)
"""Several shapes in one package, the first being the default shape; for iOS 18 and later."""
logging.getLogger("coremltools").setLevel(logging.ERROR)  # else its import lists what only a Mac has

Ranges = Mapping[str, tuple[float, float]]
"""Tensor of a network -> its lowest and highest value."""


def emit_coreml(
    graph: Graph,
    parameters: Mapping[str, NDArray[Any]],
    precision: str,
    ranges: Ranges | None = None,
    tiles: Sequence[int] = DEFAULT_TILES,
) -> dict[str, bytes]:
    """The files of the Core ML package of a network, by their path in the package; see `emitter`.

    Raises ConversionError for a precision that Core ML packages do not have, when coremltools is not installed,
    and for whatever `emitter.emit` refuses.
    """
    if precision not in PRECISIONS:
        raise ConversionError(f"no Core ML packages in precision {precision}; there is {', '.join(PRECISIONS)}")
    try:
        from .emitter import emit
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "coremltools":
            raise
        raise ConversionError("Core ML packages need coremltools: pip install 'jpegai-mobile[convert]'") from error
    return emit(graph, parameters, precision, ranges or {}, tiles)
