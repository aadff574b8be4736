"""Trainable twin of the integer hyper scale decoder.

It computes in float32 exactly what the integers of its export compute: weights and biases are rounded to
what int8 weights with a per-channel shift can hold, activations to integers, all with straight-through
gradients. So there is nothing to calibrate after training.

Parameters are kept in natural units, so that one learning rate fits all layers: a hidden activation of 1
is the integer 64, an output of 1 is one step of the sigma table (the integer 128).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jpegai_mobile.latent.hyper_scale_decoder import MAX_SIGMA_INDEX
from jpegai_mobile.latent.model_tables import MAX_SHIFT, UPSAMPLING, IntegerConvolution, layer_shapes
from training.rounding import floor_through, round_through

INDEX_STEP = 128
"""Integer value of one step of the sigma table."""
_HIDDEN_UNIT = 64
_UNITS = ((1, _HIDDEN_UNIT), (_HIDDEN_UNIT, _HIDDEN_UNIT), (_HIDDEN_UNIT, INDEX_STEP))
"""Integer value of 1.0 at the input and at the output of each layer."""
_LARGEST_WEIGHT = 127


class _Integers(NamedTuple):
    """Integer-valued float32 weight [out, in, kernel, kernel], bias [out], and shift [out] of a layer."""

    weight: Tensor
    bias: Tensor
    shift: Tensor


class HyperScaleDecoder(nn.Module):
    """z (integers, [batch, C, rows, columns]) to sigma indices in table steps, [batch, C, 4 rows, 4 columns]."""

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        shapes = layer_shapes(channels)
        self.layers = nn.ModuleList(
            _Layer(*shape, *units, generator) for shape, units in zip(shapes, _UNITS, strict=True)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Index in steps, 0..31 with 7 fractional bits; not cropped to the latent's size."""
        x = z
        for position, layer in enumerate(self.layers):
            x = layer(functional.relu(x) if position else x)
        index = functional.pixel_shuffle(x, UPSAMPLING).abs()
        return index.clamp(max=MAX_SIGMA_INDEX) / INDEX_STEP

    def load_integers(self, layers: tuple[IntegerConvolution, ...]) -> None:
        """Start from stored integers; the output is the same to the bit."""
        for layer, stored in zip(self.layers, layers, strict=True):
            assert isinstance(layer, _Layer)
            layer.load_integers(stored)

    def integers(self) -> tuple[IntegerConvolution, ...]:
        """The layers as the exact stage stores them."""
        return tuple(_stored(layer.integers()) for layer in self.layers if isinstance(layer, _Layer))


class _Layer(nn.Module):
    """One integer convolution; the shift of a channel is the largest that its weights leave room for."""

    def __init__(
        self, out: int, in_channels: int, kernel: int, in_unit: int, out_unit: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._factor = out_unit / in_unit
        self._out_unit = out_unit
        bound = math.sqrt(3 / (in_channels * kernel**2))
        values = torch.rand(out, in_channels, kernel, kernel, generator=generator) * 2 - 1
        self.weight = nn.Parameter(values * bound)
        self.bias = nn.Parameter(torch.full((out,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, shift = self.integers()
        x = x.clamp(-128, 127)
        sums = functional.conv2d(x, weight, bias, padding=self.weight.shape[-1] // 2)
        return floor_through(sums * torch.exp2(-shift).reshape(1, -1, 1, 1))

    def integers(self) -> _Integers:
        """Rounded parameters; gradients reach `weight` and `bias` as if nothing had been rounded."""
        weight = self.weight * self._factor
        with torch.no_grad():
            peak = weight.abs().amax((1, 2, 3)).clamp(min=_LARGEST_WEIGHT * 2.0**-MAX_SHIFT)
            shift = torch.floor(torch.log2((_LARGEST_WEIGHT + 0.49) / peak)).clamp(0, MAX_SHIFT)
            scale = torch.exp2(shift)
        rounded = round_through(weight * scale.reshape(-1, 1, 1, 1)).clamp(-_LARGEST_WEIGHT, _LARGEST_WEIGHT)
        return _Integers(rounded, round_through(self.bias * self._out_unit * scale), shift)

    def load_integers(self, stored: IntegerConvolution) -> None:
        scale = torch.exp2(torch.from_numpy(stored.shift.astype(np.float32)))
        with torch.no_grad():
            weight = torch.from_numpy(stored.weight.astype(np.float32))
            self.weight.copy_(weight / scale.reshape(-1, 1, 1, 1) / self._factor)
            self.bias.copy_(torch.from_numpy(stored.bias.astype(np.float32)) / scale / self._out_unit)


def _stored(layer: _Integers) -> IntegerConvolution:
    weight, bias, shift = (part.detach().cpu().numpy() for part in layer)
    return IntegerConvolution(weight.astype(np.int8), bias.astype(np.int32), shift.astype(np.uint8))
