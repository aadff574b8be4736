"""Hyper decoder: z to the explicit prediction psi, four groups of C channels in stage order."""

from __future__ import annotations

from .blocks import component_channels
from .builder import GraphBuilder
from .graph import Graph


def build(component: str) -> Graph:
    """Input `z` (C, grid 64) as floats; output `psi` (4C, grid 32)."""
    g = GraphBuilder(f"hyper_decoder_{component}")
    channels = component_channels(component)
    x = g.input("z", channels, 64)
    x = g.conv(x, "hyper_decoder.conv1", channels, 1, bias=False)
    x = g.transposed_conv(x, "hyper_decoder.conv2", channels, 4)
    x = g.relu6(g.crop(x, 32))
    x = g.relu6(g.conv(x, "hyper_decoder.conv3", channels, 3))
    x = g.conv(x, "hyper_decoder.conv4", 4 * channels, 3)
    return g.finish({"psi": x}, grid=32)
