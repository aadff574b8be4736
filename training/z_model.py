"""Probability model of the hyper latents: one logistic distribution per channel."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.rate import LEAST_PROBABILITY

LARGEST_Z = 31
SYMBOLS = 2 * LARGEST_Z + 1
_MEMORY = 0.999
_FREQUENCY_TOTAL = 1 << 24


class ZModel(nn.Module):
    """Bits of z while training, and the running histogram of its symbols that is exported."""

    mean: Tensor
    histogram: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("histogram", torch.full((channels, SYMBOLS), 1 / SYMBOLS))

    def bits(self, z: Tensor, *, frozen: bool = False) -> Tensor:
        """Bits of each value of z [batch, C, rows, columns], noisy or rounded; `frozen`: gradient for z only."""
        parameters = (self.mean, self.log_scale.exp())
        mean, scale = ((p.detach() if frozen else p).reshape(1, -1, 1, 1) for p in parameters)
        distance = (z - mean).abs()
        upper, lower = torch.sigmoid((0.5 - distance) / scale), torch.sigmoid((-0.5 - distance) / scale)
        return -torch.log2(upper - lower + LEAST_PROBABILITY)

    @torch.no_grad()
    def observe(self, z: Tensor) -> None:
        """Count rounded values of z [batch, C, rows, columns] into the running histogram."""
        symbols = torch.arange(-LARGEST_Z, LARGEST_Z + 1, device=z.device)
        share = (z.transpose(0, 1).flatten(1).unsqueeze(2) == symbols).float().mean(1)
        self.histogram.lerp_(share, 1 - _MEMORY)

    def frequencies(self) -> NDArray[np.int32]:
        """int32 [C, 63]: the frequencies that a checkpoint stores."""
        frequencies: NDArray[np.float64] = self.histogram.double().cpu().numpy() * _FREQUENCY_TOTAL
        return np.rint(frequencies).astype(np.int32)

    @torch.no_grad()
    def load_frequencies(self, frequencies: NDArray[np.int32]) -> None:
        """Start from stored frequencies: the histogram, and a logistic of its mean and variance."""
        counts = torch.from_numpy(frequencies.astype(np.float64))
        share = counts / counts.sum(1, keepdim=True)
        symbols = torch.arange(-LARGEST_Z, LARGEST_Z + 1, dtype=torch.float64)
        mean = share @ symbols
        variance = (share * (symbols - mean.unsqueeze(1)) ** 2).sum(1)
        self.histogram.copy_(share)
        self.mean.copy_(mean)
        self.log_scale.copy_(torch.log((variance * 3).sqrt() / torch.pi + 0.05))
