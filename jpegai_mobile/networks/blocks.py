"""Blocks that several networks of the standard share. `layer` is the prefix of a block's checkpoint keys."""

from __future__ import annotations

from .builder import GraphBuilder

LUMA_CHANNELS = 160
CHROMA_CHANNELS = 96


def component_channels(component: str) -> int:
    """Latent channels of component `y` or `uv`."""
    return {"y": LUMA_CHANNELS, "uv": CHROMA_CHANNELS}[component]


def residual_activation(g: GraphBuilder, x: str, layer: str, groups: int) -> str:
    """ResAU: x * (1 + P(G(relu6(x)))) with G a grouped 3x3 and P a 1x1 convolution, both without bias."""
    channels = g.channels(x)
    mask = g.conv(g.relu6(x), f"{layer}.conv", channels, 3, groups=groups, bias=False)
    mask = g.conv(mask, f"{layer}.conv2", channels, 1, bias=False)
    return g.multiply(x, g.add_constant(mask, 1.0))


def light_residual_activation(g: GraphBuilder, x: str, layer: str) -> str:
    """ResAU as SOP and BOP synthesis have it: groups of 16 channels."""
    return residual_activation(g, x, layer, g.channels(x) // 16)


def light_residual_block(g: GraphBuilder, x: str, layer: str) -> str:
    """x + relu(conv3x3(x))."""
    return g.add(x, g.relu(g.conv(x, f"{layer}.conv1", g.channels(x), 3)))


def residual_block(g: GraphBuilder, x: str, layer: str) -> str:
    """x + conv3x3(relu(conv3x3(x)))."""
    channels = g.channels(x)
    inner = g.relu(g.conv(x, f"{layer}.conv1", channels, 3))
    return g.add(x, g.conv(inner, f"{layer}.conv2", channels, 3))


def combine_luma_and_chroma(g: GraphBuilder, latent: str, layer: str) -> str:
    """First stage of chroma synthesis: 48 channels made of all latents, then the chroma latents."""
    both = g.channels(latent)
    chroma = g.slice(latent, LUMA_CHANNELS, both)
    return g.concat(g.conv(latent, f"{layer}.conv1", CHROMA_CHANNELS // 2, 3), chroma)


def shuffled_conv_upsampling(g: GraphBuilder, x: str, layer: str, channels: int) -> str:
    """SOP's up-sampling by 2: 2x2 convolution that looks down and right, without bias, then pixel shuffle."""
    wide = g.conv_padded(x, f"{layer}.conv", 4 * channels, (2, 2), (0, 0, 1, 1), bias=False)
    return g.pixel_shuffle(wide, 2)
