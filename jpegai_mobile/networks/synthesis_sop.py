"""Synthesis transforms of the simple operating point (SOP)."""

from __future__ import annotations

from .blocks import (
    CHROMA_CHANNELS,
    LUMA_CHANNELS,
    combine_luma_and_chroma,
    light_residual_activation,
    light_residual_block,
    shuffled_conv_upsampling,
)
from .builder import GraphBuilder
from .graph import Graph


def build_luma() -> Graph:
    """Input `latent` (160, grid 16), output `plane` (1, grid 1)."""
    g = GraphBuilder("synthesis_y_sop")
    x = g.input("latent", LUMA_CHANNELS, 16)
    x = light_residual_block(g, x, "first_stage.0.0")
    x = shuffled_conv_upsampling(g, x, "first_stage.1", 64)
    x = light_residual_activation(g, x, "first_stage.2")
    x = g.crop(x, 8)
    x = g.crop(shuffled_conv_upsampling(g, x, "conv2_t", 32), 4)
    x = light_residual_activation(g, x, "iact2")
    x = g.conv(x, "conv3", 32, 3)
    x = light_residual_activation(g, x, "iact3")
    x = g.pixel_shuffle(g.conv(x, "conv4", 16, 1, bias=False), 4)
    return g.finish({"plane": x}, grid=1)


def build_chroma() -> Graph:
    """Input `latent` (160 luma then 96 chroma channels, grid 16), output `planes` (U, V; grid 1)."""
    g = GraphBuilder("synthesis_uv_sop")
    x = g.input("latent", LUMA_CHANNELS + CHROMA_CHANNELS, 16)
    x = combine_luma_and_chroma(g, x, "first_stage")
    x = g.crop(shuffled_conv_upsampling(g, x, "conv2_t", 32), 8)
    x = light_residual_activation(g, x, "iact2")
    x = g.conv(x, "conv3", 32, 3)
    x = light_residual_activation(g, x, "iact3")
    x = g.pixel_shuffle(g.conv(x, "conv4", 128, 1, bias=False), 8)
    return g.finish({"planes": x}, grid=1)
