"""Networks as Core ML packages, built without torch and TensorFlow; needs coremltools once one is asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from jpegai_mobile.networks.graph import Graph

from ..errors import ConversionError
from ..quantisation.scheme import FLOAT32, Scheme
from .precision import FLOATS

DEFAULT_TILES = (512,)
"""Tile sizes in luma samples: one fixed shape, what the Neural Engine likes best and every iOS takes.

With the halo of the synthesis transforms 512 leaves a core of 384 to 416 samples, where the cost per sample
is lowest.
"""
COARSEST_GRID, MAX_TILE = 64, 4096
"""Tile sizes are multiples of the one and not above the other."""
logging.getLogger("coremltools").setLevel(logging.ERROR)  # else its import lists what only a Mac has


def emit_coreml(
    graph: Graph,
    parameters: Mapping[str, NDArray[Any]],
    precision: str,
    scheme: Scheme = FLOAT32,
    tiles: Sequence[int] = DEFAULT_TILES,
) -> dict[str, bytes]:
    """The files of the Core ML package of a network, by their path in the package; see `emitter`.

    `precision` says in which type it computes, `scheme` what of it is int8. Raises ConversionError for a precision
    that Core ML packages do not have, when coremltools is not installed, and for whatever `emitter.emit` refuses.
    """
    if precision not in FLOATS:
        raise ConversionError(f"no Core ML packages in precision {precision}; there is {', '.join(FLOATS)}")
    try:
        from .emitter import emit
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "coremltools":
            raise
        raise ConversionError("Core ML packages need coremltools: pip install 'jpegai-mobile[convert]'") from error
    return emit(graph, parameters, precision, scheme, tiles)
