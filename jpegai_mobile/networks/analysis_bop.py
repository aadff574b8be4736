"""Analysis transforms of the base operating point; streams of every operating point can be coded with them.

Inputs are normalised samples, (sample - 127.5) / 128, of a picture whose luma was first brought to even
size by repeating its last row and column.
"""

from __future__ import annotations

from .blocks import CHROMA_CHANNELS, LUMA_CHANNELS, residual_activation
from .builder import GraphBuilder
from .graph import Graph

_HIDDEN = 128
_GROUPS = 4


def build_luma() -> Graph:
    """Input `plane` (1, grid 1), output `latent` (160, grid 16)."""
    g = GraphBuilder("analysis_y")
    x = _halvings(g, g.input("plane", 1, 1))
    x = g.conv(g.pad_to_even(x), "conv4", LUMA_CHANNELS, 3, stride=2)
    x = g.conv(x, "conv5", LUMA_CHANNELS, 1, bias=False)
    return g.finish({"latent": x}, grid=16)


def build_chroma() -> Graph:
    """Input `planes` (four row-major phases each of Y, U, V; grid 2), output `latent` (96, grid 16).

    A chroma plane without the resolution for four phases repeats what it has.
    """
    g = GraphBuilder("analysis_uv")
    x = _halvings(g, g.input("planes", 12, 2))
    x = g.conv(x, "conv5", CHROMA_CHANNELS, 1, bias=False)
    return g.finish({"latent": x}, grid=16)


def _halvings(g: GraphBuilder, x: str) -> str:
    for step in (1, 2, 3):
        x = g.conv(g.pad_to_even(x), f"conv{step}", _HIDDEN, 3, stride=2)
        x = residual_activation(g, x, f"act{step}", _GROUPS)
    return x
