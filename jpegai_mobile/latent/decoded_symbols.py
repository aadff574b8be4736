"""What the reconstruction needs of the entropy stage: the symbols, and the little of sigma that later tools read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.stream import CodeStream
from ..codestream.tiling import Rectangle
from .block_average import block_average
from .entropy_stage import EntropyArrays
from .residual_scaling import scales_residual


class ResidualSymbols(Protocol):
    """Quantised residual of a component, however it is kept."""

    def window(self, window: Rectangle) -> NDArray[np.int16]:
        """The symbols of a window of latents [row, column, channel]."""


@dataclass(frozen=True, eq=False)
class DenseResidual:
    """Every symbol in an array [C, h, w]."""

    values: NDArray[np.int16]

    def window(self, window: Rectangle) -> NDArray[np.int16]:
        """As in `ResidualSymbols`."""
        return np.ascontiguousarray(self.values[:, *window.slices].transpose(1, 2, 0))


@dataclass(frozen=True, eq=False)
class DecodedSymbols:
    """Symbols of a picture; pairs are (luma, chroma)."""

    z: tuple[NDArray[np.int8], NDArray[np.int8]]
    """Hyper latents [C, ceil(H/64), ceil(W/64)]."""
    residual: tuple[ResidualSymbols, ResidualSymbols]
    quality_map: NDArray[np.int8] | None
    """[h, w], or None when the stream has none."""
    block_averages: tuple[NDArray[np.int32] | None, NDArray[np.int32] | None]
    """Means of the scale index (see `block_average`) of a component that uses RVS, GRFS or LSBS, else None."""
    lef_sigma: NDArray[np.int32] | None
    """Sigma [h, w] of the luma channel that LEF reads; None when LEF is off or names no channel."""


def reads_block_averages(stream: CodeStream, component: Component) -> bool:
    """Whether the reconstruction of a component depends on block averages of the scale index."""
    header = stream.picture.components[component]
    return scales_residual(header) or bool(stream.tools.lsbs_enable_flag[component])


def decoded_symbols(stream: CodeStream, arrays: EntropyArrays) -> DecodedSymbols:
    """The symbols out of all arrays of the entropy stage."""
    luma, chroma = arrays.components
    luma_averages, chroma_averages = (
        block_average(arrays.components[i].scale_index) if reads_block_averages(stream, i) else None for i in Component
    )
    channel = stream.tools.LEF_chIdx
    return DecodedSymbols(
        (luma.z, chroma.z),
        (DenseResidual(luma.residual), DenseResidual(chroma.residual)),
        arrays.quality_map,
        (luma_averages, chroma_averages),
        luma.sigma[channel] if channel is not None and channel < len(luma.sigma) else None,
    )
