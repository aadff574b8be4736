"""Synthesis transforms of the base operating point (BOP)."""

from __future__ import annotations

from .blocks import (
    CHROMA_CHANNELS,
    LUMA_CHANNELS,
    combine_luma_and_chroma,
    light_residual_activation,
    light_residual_block,
)
from .builder import GraphBuilder
from .graph import Graph


def build_luma() -> Graph:
    """Input `latent` (160, grid 16), output `plane` (1, grid 1)."""
    g = GraphBuilder("synthesis_y_bop")
    x = g.input("latent", LUMA_CHANNELS, 16)
    x = light_residual_block(g, x, "first_stage.0.0")
    x = g.transposed_conv(x, "first_stage.1", 64, 4)
    x = light_residual_activation(g, x, "first_stage.2")
    x = g.crop(x, 8)
    x = g.crop(g.transposed_conv(x, "conv2_t", 64, 4), 4)
    x = light_residual_activation(g, x, "iact2")
    x = g.conv(x, "conv3", 96, 3)
    x = light_residual_activation(g, x, "iact3")
    x = g.pixel_shuffle(g.conv(x, "conv4", 16, 1, bias=False), 4)
    return g.finish({"plane": x}, grid=1)


def build_chroma() -> Graph:
    """Input `latent` (160 luma then 96 chroma channels, grid 16), output `planes` (U, V; grid 1)."""
    g = GraphBuilder("synthesis_uv_bop")
    x = g.input("latent", LUMA_CHANNELS + CHROMA_CHANNELS, 16)
    x = combine_luma_and_chroma(g, x, "first_stage")
    x = g.crop(g.transposed_conv(x, "conv2_t", 64, 4), 8)
    x = light_residual_activation(g, x, "iact2")
    x = g.conv(x, "conv3", 128, 3)
    x = light_residual_activation(g, x, "iact3")
    x = g.pixel_shuffle(g.conv(x, "conv4", 128, 1, bias=False), 8)
    return g.finish({"planes": x}, grid=1)
