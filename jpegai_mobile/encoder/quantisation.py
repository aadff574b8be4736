"""From latents to residual symbols, window by window, in the loop that the decoder closes.

The luma context model predicts one 2x2 phase after the other from what a decoder has by then. A residual of zero makes
the decoder's network give the prediction itself, so the encoder runs that same network once per phase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, Z_GRID, Component
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..entropy.residual import table_index
from ..latent.block_average import spread_blocks
from ..latent.entropy_stage import component_scales, latent_regions
from ..latent.model_tables import ComponentTables
from ..latent.quality_map import MAX_QUALITY
from ..latent.residual_scaling import UNIT_SCALE
from ..networks.context_model import STAGE_PHASES
from ..runtime.dependent_regions import predicted_by_tiles, psi_of_tiles
from ..runtime.dequantise import QUALITY_SIXTEENTHS, channel_scalers, dequantise
from ..runtime.latent_source import holds_all_latents
from ..runtime.latents import Reach, merge_chroma, placed
from ..runtime.model_networks import ModelNetworks
from ..runtime.progress import Advance, unheard
from ..runtime.windows import equal_windows
from .analysis import ComponentAnalysis, samples_of
from .cube_flags import cost_of_zeros, gain_of_coding
from .dead_zone import rounded

Array = NDArray[np.float32]
WINDOW = 32
"""Largest side, in latents, of the core of a window."""
CHANNELS_AT_A_TIME = 16
_EVERYWHERE = slice(None), slice(None)
MAX_SYMBOL = np.iinfo(np.int16).max


@dataclass(frozen=True, eq=False)
class QuantisedComponent:
    """What is coded of a component, [C, h, w]."""

    residual: NDArray[np.int16]
    table_index: NDArray[np.uint8]
    """Coding table of every position."""
    skip_mask: NDArray[np.bool_]
    worth_of_skipped: Array
    """Bits [h, w] that coding the skipped positions would be worth; see `cube_flags`."""


@dataclass(frozen=True, eq=False)
class Steps:
    """How a component is quantised: the product of gain, beta displacement, RVS and GRFS, and quality map."""

    scalers: Array
    """[C]"""
    blocks: NDArray[np.int32] | None
    """Scale of RVS and GRFS per block of 8x8 latents, 7 fractional bits; None where both are off."""
    quality_map: NDArray[np.int8] | None

    def multipliers(self, window: Rectangle) -> Array:
        """What a residual is multiplied with before it is rounded, [row, column, C]."""
        product = np.broadcast_to(self.scalers, (window.height, window.width, len(self.scalers)))
        if self.quality_map is not None:
            sixteenths = QUALITY_SIXTEENTHS[self.quality_map[window.slices].astype(np.int32) + MAX_QUALITY]
            product = product * (sixteenths / np.float32(16))[..., None]
        scale = self._scale(window)
        return (
            product
            if scale is None
            else product * (scale.transpose(1, 2, 0).astype(np.float32) / np.float32(UNIT_SCALE))
        )

    def dequantise(self, residual: NDArray[np.int16], window: Rectangle) -> Array:
        """The decoder's float residual [row, column, C] from symbols [C, row, column] of a window."""
        quality_map = None if self.quality_map is None else self.quality_map[window.slices]
        symbols = np.ascontiguousarray(residual.transpose(1, 2, 0))
        return dequantise(symbols, self.scalers, self._scale(window), quality_map)

    def _scale(self, window: Rectangle) -> NDArray[np.int32] | None:
        if self.blocks is None:
            return None
        return spread_blocks(self.blocks, range(window.top, window.bottom), range(window.left, window.right))


def quantise_component(
    component: Component,
    picture: PictureHeader,
    tables: ComponentTables,
    analysis: ComponentAnalysis,
    hyper_scale: NDArray[np.int16],
    networks: ModelNetworks,
    quality_map: NDArray[np.int8] | None = None,
    dead_zone: bool = False,
    on_window: Advance = unheard,
) -> QuantisedComponent:
    """Residual symbols of a component for the beta displacement and tools of a picture header.

    `hyper_scale` is the output of the hyper scale decoder, `networks` are those of the decoder. With `dead_zone`
    symbols are not the nearest ones but those that are worth their bits.
    """
    header = picture.components[component]
    index, mask, blocks = _coding_tables(picture, component, tables, hyper_scale, quality_map)
    scalers = channel_scalers(tables.gain, picture.beta_displacement_log(component))
    coded = mask
    if header.num_chs < component.channels:
        coded = mask.copy()
        coded[header.num_chs :] = False
    steps = Steps(scalers, blocks, quality_map)
    quantiser = _Quantiser(component, steps, analysis, coded, networks, index if dead_zone else None)
    if holds_all_latents(picture):
        quantiser.run_together(picture)
        on_window(samples_of(Rectangle(0, 0, *picture.sizes.latent)))
    else:
        for region, window in _windows(picture):
            quantiser.run(region, window)
            on_window(samples_of(window))
    return QuantisedComponent(quantiser.residual, index, mask, quantiser.gain - cost_of_zeros(index, mask))


def _coding_tables(
    picture: PictureHeader,
    component: Component,
    tables: ComponentTables,
    hyper_scale: NDArray[np.int16],
    quality_map: NDArray[np.int8] | None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.int32] | None]:
    """Coding table and skip mask of every position, and the scale of RVS and GRFS of every block."""
    index, mask = np.empty(hyper_scale.shape, np.uint8), np.empty(hyper_scale.shape, np.bool_)
    blocks = []
    # Sigma takes as much memory as all the rest: some channels at a time. GRFS alone knows channels by their number.
    step = component.channels if picture.components[component].grfs_enable_flag else CHANNELS_AT_A_TIME
    for start in range(0, component.channels, step):
        part = slice(start, start + step)
        some = replace(tables, gain=tables.gain[part])
        scales = component_scales(picture, component, some, hyper_scale[part], quality_map)
        index[part], mask[part] = table_index(scales.sigma), scales.skip_mask
        if scales.residual_scale is not None:
            blocks.append(scales.residual_scale)
    return index, mask, np.concatenate(blocks) if blocks else None


def _windows(picture: PictureHeader) -> Iterator[tuple[Rectangle, Rectangle]]:
    """(region in luma samples, window in latents) that together cover the picture."""
    for region, latents in zip(picture.regions, latent_regions(picture), strict=True):
        for vertical in equal_windows(latents.height, WINDOW, 0, 0, 2):
            for horizontal in equal_windows(latents.width, WINDOW, 0, 0, 2):
                rows = vertical.core_start + latents.top, vertical.core_stop + latents.top
                columns = horizontal.core_start + latents.left, horizontal.core_stop + latents.left
                yield region, Rectangle(rows[0], columns[0], rows[1], columns[1])


class _Quantiser:
    """Fills in the residual of a component."""

    def __init__(
        self,
        component: Component,
        steps: Steps,
        analysis: ComponentAnalysis,
        coded: NDArray[np.bool_],
        networks: ModelNetworks,
        table_index: NDArray[np.uint8] | None,
    ) -> None:
        self._component, self._steps, self._analysis = component, steps, analysis
        self._coded, self._networks, self._table_index = coded, networks, table_index
        self.residual = np.zeros(coded.shape, np.int16)
        self.gain = np.zeros(coded.shape[1:], np.float32)

    def run(self, region: Rectangle, window: Rectangle) -> None:
        """Quantise the latents of a window inside a region."""
        top, left = region.top // LATENT_GRID, region.left // LATENT_GRID
        rows = Reach.of((window.top - top, window.bottom - top), region.height)
        columns = Reach.of((window.left - left, window.right - left), region.width)
        z = self._analysis.z[:, *placed(rows.z, columns.z, region, Z_GRID).slices]
        extent = rows.z_samples, columns.z_samples
        psi = self._networks.hyper_decoder(self._component, z.transpose(1, 2, 0).astype(np.float32), extent)
        psi = psi[rows.psi_in_z, columns.psi_in_z]
        seen = placed(rows.residual, columns.residual, region, LATENT_GRID)
        if self._component is Component.CHROMA:
            residual, gain = self._chroma(seen, psi)
        else:
            residual, gain = self._luma(seen, psi, (rows.psi_samples, columns.psi_samples))
        # What is outside the window was context: exact where the window depends on it, and not beyond.
        inside = rows.latents_in_residual, columns.latents_in_residual
        self.residual[:, *window.slices] = residual[:, *inside]
        self.gain[window.slices] = gain[inside]

    def run_together(self, picture: PictureHeader) -> None:
        """Quantise all latents at once, as dependent regions want it: what one predicts changes what others see."""
        whole = Rectangle(0, 0, *picture.sizes.latent)
        psi = psi_of_tiles(picture, self._component, self._psi_of_tile)
        if self._component is Component.CHROMA:
            residual, gain = self._quantised(whole, merge_chroma(psi, picture.sizes.latent), _EVERYWHERE)
        else:
            residual, gain = self._by_phases(whole, lambda part: predicted_by_tiles(picture, part, psi, self._networks))
        self.residual[:], self.gain[:] = residual, gain

    def _psi_of_tile(self, z: Rectangle, extent: tuple[int, int]) -> Array:
        part = self._analysis.z[:, *z.slices].transpose(1, 2, 0)
        return self._networks.hyper_decoder(self._component, part.astype(np.float32), extent)

    def _chroma(self, seen: Rectangle, psi: Array) -> tuple[NDArray[np.int16], Array]:
        """Symbols [C, row, column], and what coding skipped ones would gain [row, column]."""
        prediction = merge_chroma(psi, (seen.height, seen.width))
        return self._quantised(seen, prediction, _EVERYWHERE)

    def _luma(self, seen: Rectangle, psi: Array, extent: tuple[int, int]) -> tuple[NDArray[np.int16], Array]:
        """Likewise."""
        return self._by_phases(seen, lambda residual: self._networks.context_model(residual, psi, extent))

    def _by_phases(self, seen: Rectangle, predicted: Callable[[Array], Array]) -> tuple[NDArray[np.int16], Array]:
        """Symbols and gain of luma; `predicted` gives latents from what is known of the residual so far."""
        residual = np.zeros((len(self._coded), seen.height, seen.width), np.int16)
        gain = np.zeros((seen.height, seen.width), np.float32)
        for row, column in STAGE_PHASES:
            phase = slice(row, None, 2), slice(column, None, 2)
            prediction = predicted(self._steps.dequantise(residual, seen))
            residual[:, *phase], gain[phase] = self._quantised(seen, prediction, phase)
        return residual, gain

    def _quantised(
        self, seen: Rectangle, prediction: Array, part: tuple[slice, slice]
    ) -> tuple[NDArray[np.int16], Array]:
        """Symbols and gain of those rows and columns of a window."""
        values = self._analysis.latent[seen.slices][part] - prediction[part]
        values *= self._steps.multipliers(seen)[part]
        if self._table_index is None:
            symbols = np.rint(values)
        else:
            symbols = rounded(values, self._table_index[:, *seen.slices][:, *part].transpose(1, 2, 0))
        symbols = np.clip(symbols, -MAX_SYMBOL, MAX_SYMBOL)
        coded = self._coded[:, *seen.slices][:, *part].transpose(1, 2, 0)
        gain = gain_of_coding(values, symbols, coded)
        return np.where(coded, symbols, 0).transpose(2, 0, 1).astype(np.int16), gain
