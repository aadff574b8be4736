"""Latents that decode better: analysis by synthesis.

What the synthesis makes of the latents, analysed again, is not what went in: the transforms undo each other only about.
Moving the latents against that difference brings the decoder's picture nearer to the source, most at high rates, where
the transforms lose more than the quantiser.
"""

from __future__ import annotations

import numpy as np

from ..codestream.components import Component
from ..codestream.picture_header import PictureHeader
from ..image.colour import quantise
from ..image.planes import chroma_size
from ..runtime.latent_source import StoredLatents
from ..runtime.model_networks import ModelNetworks
from ..runtime.patches import plan_bands
from ..runtime.synthesis import synthesise_bands
from .analysis import ComponentAnalysis, latent_windows
from .coded_planes import CodedPlanes
from .networks import EncoderNetworks
from .yuv_picture import YuvPicture

STRENGTH = np.float32(0.5)
"""Part of the difference that latents are moved by; more spends more bits than it saves errors (docs/encoding.md)."""
PATCH = 20
"""Largest side, in latents, of what the networks run on at a time, margin included: the decoded picture is held too."""


def refine(
    analysis: tuple[ComponentAnalysis, ComponentAnalysis],
    header: PictureHeader,
    networks: EncoderNetworks,
    operating_point: str,
) -> None:
    """Move the latents, in place, for the synthesis of an operating point; hyper latents stay as they are."""
    decoded = _synthesised(analysis, header, networks, operating_point)
    seen = CodedPlanes(decoded, decoded.size, decoded.subsampling)
    for component in Component:
        latent = analysis[component].latent
        for part, again in latent_windows(component, seen, networks, PATCH):
            latent[part.slices] += STRENGTH * (latent[part.slices] - again)


def _synthesised(
    analysis: tuple[ComponentAnalysis, ComponentAnalysis],
    header: PictureHeader,
    networks: EncoderNetworks,
    operating_point: str,
) -> YuvPicture:
    """What a decoder would give if nothing was lost by coding, at the coded size and in the coded chroma format."""
    luma, chroma = (component.latent for component in analysis)
    size, (vertical, horizontal) = (header.height, header.width), header.coded_subsampling
    y = np.empty(size, np.uint8)
    u, v = (np.empty(chroma_size(size, header.coded_subsampling), np.uint8) for _ in range(2))
    # Not kept: the memory of these networks is given back before the analysis.
    decoder = ModelNetworks(
        networks.bundle, networks.model_id, operating_point, networks.precision, networks.num_threads
    )
    bands = plan_bands(header, operating_point, (PATCH, PATCH))
    source = StoredLatents((luma, chroma))
    for band, samples in synthesise_bands(bands, source, [decoder], range(header.width)):
        rows = slice(band.rows.start, band.rows.stop)
        # Bands of subsampled pictures start at even rows.
        of_chroma = slice(band.rows.start // vertical, -(-band.rows.stop // vertical))
        y[rows] = quantise(samples[..., 0], 8)
        for plane, channel in ((u, 1), (v, 2)):
            plane[of_chroma] = quantise(samples[::vertical, ::horizontal, channel], 8)
    return YuvPicture(y, u, v, header.coded_subsampling)
