"""Synthesis transforms of the high operating point (HOP); their attention looks at the whole tile."""

from __future__ import annotations

from .blocks import (
    CHROMA_CHANNELS,
    LUMA_CHANNELS,
    combine_luma_and_chroma,
    residual_activation,
    residual_block,
)
from .builder import GraphBuilder
from .graph import Graph

_GROUPS = 4
_HEADS = 4
_EXPANSION = 4


def build_luma() -> Graph:
    """Input `latent` (160, grid 16), output `plane` (1, grid 1)."""
    g = GraphBuilder("synthesis_y_hop")
    x = g.input("latent", LUMA_CHANNELS, 16)
    x = residual_block(g, x, "first_stage.0.0")
    x = g.transposed_conv(x, "first_stage.1", 128, 3)
    x = residual_activation(g, x, "first_stage.2", _GROUPS)
    x = g.transposed_conv(g.crop(x, 8), "conv2_t", 128, 3)
    x = g.crop(_convolutional_attention(g, x, "CAB"), 4)
    x = residual_activation(g, x, "iact2", _GROUPS)
    x = g.pixel_shuffle(g.conv(x, "conv3_t", 512, 1), 2)
    x = g.conv(x, "TAM.ds_conv", 128, 3, stride=2)
    x = _transformer_blocks(g, x, "TAM.TABs")
    x = g.crop(g.transposed_conv(x, "TAM.us_conv", 128, 3), 2)
    x = residual_activation(g, x, "iact3", _GROUPS)
    x = g.transposed_conv(x, "conv4_t", 1, 3)
    return g.finish({"plane": x}, grid=1)


def build_chroma() -> Graph:
    """Input `latent` (160 luma then 96 chroma channels, grid 16), output `planes` (U, V; grid 1)."""
    g = GraphBuilder("synthesis_uv_hop")
    x = g.input("latent", LUMA_CHANNELS + CHROMA_CHANNELS, 16)
    x = combine_luma_and_chroma(g, x, "first_stage")
    x = g.transposed_conv(x, "conv2_t", 64, 3)
    x = g.crop(_convolutional_attention(g, x, "CAB"), 8)
    x = residual_activation(g, x, "iact2", _GROUPS)
    x = g.pixel_shuffle(g.conv(x, "conv3_t", 256, 1), 2)
    x = g.crop(_transformer_blocks(g, x, "TAM.TABs"), 4)
    x = residual_activation(g, x, "iact3", _GROUPS)
    x = g.pixel_shuffle(g.transposed_conv(x, "conv4_t", 8, 3), 2)
    return g.finish({"planes": x}, grid=1)


def _convolutional_attention(g: GraphBuilder, x: str, layer: str) -> str:
    """CAB: x plus a trunk of two residual blocks, weighted by a mask computed at half the resolution."""
    channels = g.channels(x)
    trunk = residual_block(g, x, f"{layer}.residual_trunk.0")
    trunk = residual_block(g, trunk, f"{layer}.residual_trunk.1")
    mask = g.conv(x, f"{layer}.subscale", channels, 3, stride=2)
    mask = residual_block(g, mask, f"{layer}.residual_mask2.0")
    mask = residual_block(g, mask, f"{layer}.residual_mask3.0")
    mask = g.sigmoid(g.transposed_conv(mask, f"{layer}.upscale", channels, 3))
    return g.add(x, g.multiply(trunk, mask))


def _transformer_blocks(g: GraphBuilder, x: str, layer: str) -> str:
    """The two blocks of TAM: each adds channel attention, then a gated feed-forward network."""
    for block in (f"{layer}.0", f"{layer}.1"):
        x = g.add(x, _attention(g, x, block))
        x = g.add(x, _feed_forward(g, x, f"{block}.ffn"))
    return x


def _attention(g: GraphBuilder, x: str, layer: str) -> str:
    channels = g.channels(x)
    qkv = g.layer_norm(x, f"{layer}.prep_data.norm1")
    qkv = g.conv(qkv, f"{layer}.prep_data.conv1", 3 * channels, 1, bias=False)
    qkv = g.conv(qkv, f"{layer}.prep_data.conv2", 3 * channels, 3, groups=3 * channels, bias=False)
    q, k, v = (g.slice(qkv, part * channels, (part + 1) * channels) for part in range(3))
    attended = g.channel_attention(q, k, v, f"{layer}.attn", _HEADS)
    return g.conv(attended, f"{layer}.attn.project_out", channels, 1, bias=False)


def _feed_forward(g: GraphBuilder, x: str, layer: str) -> str:
    channels = g.channels(x)
    hidden = _EXPANSION * channels
    both = g.layer_norm(x, f"{layer}.norm1")
    both = g.conv(both, f"{layer}.project_in", 2 * hidden, 1, bias=False)
    both = g.conv(both, f"{layer}.dwconv", 2 * hidden, 3, groups=2 * hidden, bias=False)
    gate = g.elu(g.slice(both, 0, hidden))
    gated = g.multiply(gate, g.slice(both, hidden, 2 * hidden))
    return g.conv(gated, f"{layer}.project_out", channels, 1, bias=False)
