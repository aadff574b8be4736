"""Multistage context model of luma: residuals and psi of the four 2x2 phases to latents, one phase a stage.

The stages take the phases in the order 00, 11, 01, 10 (row, column). Stage k predicts its phase from psi_k
and from the latents of all earlier stages.
"""

from __future__ import annotations

from .blocks import LUMA_CHANNELS
from .builder import GraphBuilder
from .graph import Graph

STAGE_PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""(row, column) of the phase that each stage reconstructs."""


def build() -> Graph:
    """Inputs `residual_0..3`, `psi_0..3`, outputs `latent_0..3` in stage order (160, grid 32).

    A latent of odd size gets residual 0 in the row or column that its phases lack; the latent computed
    there is context for later stages and is dropped at the end.
    """
    g = GraphBuilder("context_model_y")
    stages = range(len(STAGE_PHASES))
    residuals = [g.input(f"residual_{k}", LUMA_CHANNELS, 32) for k in stages]
    predictions = [g.input(f"psi_{k}", LUMA_CHANNELS, 32) for k in stages]
    latents: list[str] = []
    for k in stages:
        layer = f"context.MCM.{k}"
        evidence = predictions[k]
        if latents:
            evidence = g.concat(_context(g, latents, layer), evidence)
        latents.append(g.add(residuals[k], _prediction(g, evidence, f"{layer}.fusion_pred_net")))
    return g.finish({f"latent_{k}": latents[k] for k in stages}, grid=32)


def _context(g: GraphBuilder, latents: list[str], layer: str) -> str:
    known = g.concat(*latents) if len(latents) > 1 else latents[0]
    mixed = g.conv(known, f"{layer}.conv.0", LUMA_CHANNELS, 1, bias=False)
    return g.conv(mixed, f"{layer}.conv.1", LUMA_CHANNELS, 3, groups=LUMA_CHANNELS // 32)


def _prediction(g: GraphBuilder, x: str, layer: str) -> str:
    x = g.relu(g.conv(x, f"{layer}.conv1", LUMA_CHANNELS, 1, bias=False))
    x = g.relu(g.conv(x, f"{layer}.conv2", LUMA_CHANNELS, 1, bias=False))
    return g.conv(x, f"{layer}.conv3", LUMA_CHANNELS, 1, bias=False)
