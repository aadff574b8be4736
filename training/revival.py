"""Gives hyper latents that carry nothing a new start, in weights that training goes on from.

A channel of z that rounds to 0 everywhere gets next to no gradient and stays so. Here its row in the last
layer of the hyper encoder becomes random, with a spread that is worth coding, and its readers ignore it at
first, so that the codec does what it did before until training finds a use for it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.codec import Codec, CodedComponent, ComponentCodec

DEAD_DEVIATION = 0.1
"""Standard deviation below which a channel of z is taken for dead."""
_LAST_LAYER = "hyper_encoder.conv5"
_FIRST_READER = "hyper_decoder.conv1.weight"


@torch.no_grad()
def revive_hyper_latents(codec: Codec, yuv: Tensor, deviation: float, seed: int) -> int:
    """Spread dead channels of z to `deviation` on the sample `yuv`; returns how many there were."""
    generator = torch.Generator().manual_seed(seed)
    before = codec.encode(yuv, _no_gain(yuv))
    dead = [part.z.std((0, 2, 3)) < DEAD_DEVIATION for part in before]
    components = [component for component in codec.components.values() if isinstance(component, ComponentCodec)]
    for component, channels in zip(components, dead, strict=True):
        _start_afresh(component, channels, generator)
    for component, channels, part in zip(components, dead, codec.encode(yuv, _no_gain(yuv)), strict=True):
        _spread(component, channels, part, deviation)
    return sum(int(channels.sum()) for channels in dead)


def _no_gain(yuv: Tensor) -> Tensor:
    return torch.zeros(len(yuv), 1, 1, 1)


def _start_afresh(component: ComponentCodec, dead: Tensor, generator: torch.Generator) -> None:
    """Random rows in the writer of the dead channels, zeros in their readers."""
    weight = component.hyper_encoder.parameter(f"{_LAST_LAYER}.weight")
    bound = math.sqrt(3 / weight[0].numel()) / 10
    weight[dead] = (torch.rand(weight[dead].shape, generator=generator) * 2 - 1) * bound
    component.hyper_encoder.parameter(f"{_LAST_LAYER}.bias")[dead] = 0
    component.hyper_decoder.parameter(_FIRST_READER)[:, dead] = 0
    component.scale_decoder.layers[0].get_parameter("weight")[:, dead] = 0


def _spread(component: ComponentCodec, dead: Tensor, coded: CodedComponent, deviation: float) -> None:
    """Scale and centre the dead channels, and tell the model of their statistics."""
    scale = deviation / coded.z.std((0, 2, 3))[dead]
    component.hyper_encoder.parameter(f"{_LAST_LAYER}.weight")[dead] *= scale.reshape(-1, 1, 1, 1)
    component.hyper_encoder.parameter(f"{_LAST_LAYER}.bias")[dead] = -coded.z.mean((0, 2, 3))[dead] * scale
    component.z_model.mean[dead] = 0
    component.z_model.log_scale[dead] = math.log(deviation * math.sqrt(3) / math.pi)
