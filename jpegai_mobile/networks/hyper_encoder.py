"""Hyper encoder: the magnitudes of the latents to z before rounding."""

from __future__ import annotations

from .blocks import component_channels
from .builder import GraphBuilder
from .graph import Graph

_SLOPE = 0.01


def build(component: str) -> Graph:
    """Input `latent` (C, grid 16), output `z` (C, grid 64), to be clamped to -31..31 and rounded."""
    g = GraphBuilder(f"hyper_encoder_{component}")
    channels = component_channels(component)
    x = g.abs(g.input("latent", channels, 16))
    x = g.leaky_relu(g.conv(x, "hyper_encoder.conv1", channels, 3), _SLOPE)
    x = g.conv(x, "hyper_encoder.conv2", channels, 3)
    x = g.conv(g.pad_to_even(x), "hyper_encoder.conv3", channels, 3, stride=2)
    x = g.conv(g.leaky_relu(x, _SLOPE), "hyper_encoder.conv4", channels, 3)
    x = g.conv(g.pad_to_even(x), "hyper_encoder.conv5", channels, 3, stride=2)
    return g.finish({"z": x}, grid=64)
