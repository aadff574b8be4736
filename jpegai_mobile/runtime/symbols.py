"""What the entropy stage decoded, as the reconstruction reads it: window by window, in float32."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..latent.block_average import spread_blocks
from ..latent.decoded_symbols import DecodedSymbols
from ..latent.model_tables import EntropyModel
from ..latent.residual_scaling import residual_scale
from .dequantise import channel_scalers, dequantise

Array = NDArray[np.float32]


@dataclass(eq=False)
class Symbols:
    """Symbols of a picture; windows are in latent samples (in z samples for z), arrays [row, column, channel]."""

    picture: PictureHeader
    model: EntropyModel
    decoded: DecodedSymbols

    def z(self, component: Component, window: Rectangle) -> Array:
        """Hyper latents."""
        part = self.decoded.z[component][:, *window.slices]
        return np.ascontiguousarray(part.transpose(1, 2, 0), np.float32)

    def residual(self, component: Component, window: Rectangle) -> Array:
        """Dequantised residual."""
        scale, quality_map = self._residual_scales[component], self.decoded.quality_map
        return dequantise(
            self.decoded.residual[component].window(window),
            self._scalers[component],
            None if scale is None else spread_blocks(scale, *_positions(window)),
            None if quality_map is None else quality_map[window.slices],
        )

    def block_averages(self, component: Component, window: Rectangle) -> NDArray[np.int32]:
        """Mean of the scale index around every position [channel, row, column]; only where a tool reads it."""
        averages = self.decoded.block_averages[component]
        assert averages is not None
        return spread_blocks(averages, *_positions(window))

    @cached_property
    def _residual_scales(self) -> tuple[NDArray[np.int32] | None, NDArray[np.int32] | None]:
        luma, chroma = (
            None if averages is None else residual_scale(averages, self.picture.components[i], self.picture.model_id)
            for i, averages in zip(Component, self.decoded.block_averages, strict=True)
        )
        return luma, chroma

    @cached_property
    def _scalers(self) -> tuple[Array, Array]:
        luma, chroma = (
            channel_scalers(self.model.components[i].gain, self.picture.beta_displacement_log(i)) for i in Component
        )
        return luma, chroma


def _positions(window: Rectangle) -> tuple[range, range]:
    return range(window.top, window.bottom), range(window.left, window.right)
