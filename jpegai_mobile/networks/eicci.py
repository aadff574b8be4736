"""eICCI post-filter networks: they correct the two-level Haar bands of Y, U and V.

The Haar transform around them is no part of the network. A tile of 4:4:4 samples has 16 bands per plane,
each a quarter of its size in either direction. The luma network corrects the 16 bands of Y, the chroma
network those of U and V.
"""

from __future__ import annotations

from .builder import GraphBuilder
from .graph import Graph

_BANDS = 16
_CHANNELS = 48


def build_luma() -> Graph:
    """Input `bands` (16 each of Y, U, V; grid 4), output `filtered` (16 bands of Y)."""
    g = GraphBuilder("eicci_y")
    bands = g.input("bands", 3 * _BANDS, 4)
    features = _features(g, bands, "conv_first_Y", "BNY", "hidden_layer_Y", 2)
    return g.finish({"filtered": _corrected(g, bands, features, 0, "conv_last_Y", "scaleY")}, grid=4)


def build_chroma() -> Graph:
    """Input `bands` (16 each of Y, U, V; grid 4), output `filtered` (16 bands of U, then 16 of V)."""
    g = GraphBuilder("eicci_uv")
    bands = g.input("bands", 3 * _BANDS, 4)
    features = _features(g, bands, "conv_firstUV", "BNUV", "hidden_layer_UV", 4)
    u = _corrected(g, bands, features, 1, "conv_last_u", "scaleU")
    v = _corrected(g, bands, features, 2, "conv_last_v", "scaleV")
    return g.finish({"filtered": g.concat(u, v)}, grid=4)


def _features(g: GraphBuilder, x: str, first: str, norm: str, hidden: str, blocks: int) -> str:
    x = g.relu(g.batch_norm(g.conv(x, first, _CHANNELS, 3), norm))
    for block in range(blocks):
        x = _rectangular_residual_block(g, x, f"{hidden}.{block}")
    return x


def _rectangular_residual_block(g: GraphBuilder, x: str, layer: str) -> str:
    """x + scale * norm(conv3x1(relu(norm(conv1x3(x)))))."""
    channels = g.channels(x)
    inner = g.conv_padded(x, f"{layer}.conv1", channels, (1, 3), (0, 1, 0, 1))
    inner = g.relu(g.batch_norm(inner, f"{layer}.BN1"))
    inner = g.conv_padded(inner, f"{layer}.conv2", channels, (3, 1), (1, 0, 1, 0))
    inner = g.batch_norm(inner, f"{layer}.BN2")
    return g.add(x, g.scale(inner, f"{layer}.scale"))


def _corrected(g: GraphBuilder, bands: str, features: str, plane: int, layer: str, scale: str) -> str:
    correction = g.scale(g.conv(features, layer, _BANDS, 3), scale)
    return g.add(g.slice(bands, plane * _BANDS, (plane + 1) * _BANDS), correction)
