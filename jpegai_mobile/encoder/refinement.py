"""Latents that decode better: analysis by synthesis.

What a decoder makes of the coded latents, analysed again, is not what was coded: the transforms undo each other only
about, and the errors of the quantiser spread. Latents that are moved against that difference are coded as what brings
the decoder's picture nearer to the source.

That holds for small differences. In pictures that the transforms were not made for, such as drawings, latents come
back as something else altogether; what moves by many steps of the quantiser, or by much of itself, is therefore left
where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..image.colour import quantise
from ..image.planes import Planes, chroma_size
from ..runtime.latent_source import Latents, LatentSource
from ..runtime.model_networks import ModelNetworks
from ..runtime.patches import plan_bands
from ..runtime.progress import Progress
from ..runtime.synthesis import interleaved, synthesise_bands
from .analysis import latent_windows
from .coded_planes import CodedPlanes
from .networks import EncoderNetworks
from .yuv_picture import YuvPicture

Floats = NDArray[np.float32]

MOST_STEPS = 3
"""What moves further was not understood by the transforms; in photographs hardly anything moves by two."""
MOST_LOST = 0.02
"""Part of the energy of luma latents that may come back as something else where they move by more than a step: what
photographs lose more of moves less. Chroma has next to no energy in grey places, so that this says nothing there."""
PATCH = 20
"""Largest side, in latents, of what the networks run on at a time, margin included: the decoded picture is held too."""


@dataclass(frozen=True)
class Refinement:
    """Refines latents for the synthesis of an operating point."""

    networks: EncoderNetworks
    operating_point: str
    progress: Progress

    def decoded(self, latents: Latents, analysed: Latents, coded: LatentSource, header: PictureHeader) -> YuvPicture:
        """What a decoder makes of `coded`; `latents` become `analysed`, the latents of the source, plus the coded ones.

        `analysed` may be the same arrays as `latents`.
        """
        return self._synthesised(_Followed(coded, latents, analysed), header)

    def subtract(self, latents: Latents, decoded: YuvPicture, steps: tuple[Floats, Floats]) -> None:
        """Take the analysis of a decoded picture off latents: then they hold what the decoder lost once more.

        `latents` are as `decoded` left them, the sum of two that are less than about a step apart; `steps` [C] of the
        quantiser, in latent units, are of luma and of chroma.
        """
        seen = CodedPlanes(decoded, decoded.size, decoded.subsampling)
        for component in Component:
            for part, again in latent_windows(component, seen, self.networks, PATCH, self.progress.advance):
                here = latents[component][part.slices]
                unmoved = here / np.float32(2)
                here -= again
                far = _not_understood(component, unmoved, again, steps[component])
                np.copyto(here, unmoved, where=far[..., np.newaxis])

    def _synthesised(self, latents: LatentSource, header: PictureHeader) -> YuvPicture:
        """What a decoder makes of latents, without post-filters, at the coded size and in the coded chroma format."""
        size, (vertical, horizontal) = (header.height, header.width), header.coded_subsampling
        y = np.empty(size, np.uint8)
        u, v = (np.empty(chroma_size(size, header.coded_subsampling), np.uint8) for _ in range(2))
        networks = self.networks
        # Not kept: the memory of these networks is given back before the analysis.
        decoder = ModelNetworks(
            networks.bundle, networks.model_id, self.operating_point, networks.precision, networks.num_threads
        )
        bands = plan_bands(header, self.operating_point, (PATCH, PATCH))
        columns = range(header.width)
        advance = self.progress.advance
        for band, samples in synthesise_bands(bands, latents, decoder, columns, _eight_bits, np.uint8, advance):
            rows = slice(band.rows.start, band.rows.stop)
            # Bands of subsampled pictures start at even rows.
            of_chroma = slice(band.rows.start // vertical, -(-band.rows.stop // vertical))
            y[rows] = samples[..., 0]
            for plane, channel in ((u, 1), (v, 2)):
                plane[of_chroma] = samples[::vertical, ::horizontal, channel]
        return YuvPicture(y, u, v, header.coded_subsampling)


def _not_understood(component: Component, coded: Floats, again: Floats, steps: Floats) -> NDArray[np.bool_]:
    """Positions [row, column] of latents [row, column, C] that came back from the decoder as something else."""
    moved = np.abs(coded - again)
    far: NDArray[np.bool_] = (moved > MOST_STEPS * steps).any(axis=2)
    if component is Component.LUMA:
        lost = np.square(moved).sum(axis=2) > MOST_LOST * np.square(coded).sum(axis=2)
        far |= lost & (moved > steps).any(axis=2)
    return far


def _eight_bits(planes: Planes) -> NDArray[np.uint8]:
    """Samples [row, column, (Y, U, V)]."""
    return quantise(interleaved(planes), 8).astype(np.uint8, copy=False)


class _Followed:
    """Coded latents that, once they were asked for, are not needed any more: their part of a round is done then."""

    def __init__(self, coded: LatentSource, latents: Latents, analysed: Latents) -> None:
        self._coded, self._latents, self._analysed = coded, latents, analysed
        self._done = np.zeros(latents[0].shape[:2], np.bool_)

    def window(self, window: Rectangle) -> Latents:
        """The coded latents."""
        coded = self._coded.window(window)
        todo: NDArray[np.bool_] = ~self._done[window.slices]
        for latent, analysed, part in zip(self._latents, self._analysed, coded, strict=True):
            here = latent[window.slices]
            here[todo] = analysed[window.slices][todo] + part[todo]
        self._done[window.slices] = True
        return coded
