"""BT.709 full range between RGB and YUV as tensors [batch, 3, rows, columns] on the 0..255 scale."""

from __future__ import annotations

import torch
from torch import Tensor

from jpegai_mobile.image.colour import BLUE, BLUE_RANGE, GREEN, RED, RED_RANGE

CHROMA_ZERO = 127.5


def rgb_to_yuv(rgb: Tensor) -> Tensor:
    """Luma and the two colour differences, these centred at 127.5."""
    red, green, blue = rgb.unbind(1)
    y = RED * red + GREEN * green + BLUE * blue
    u = (blue - y) / BLUE_RANGE + CHROMA_ZERO
    v = (red - y) / RED_RANGE + CHROMA_ZERO
    return torch.stack((y, u, v), 1)


def yuv_to_rgb(yuv: Tensor) -> Tensor:
    """The inverse; neither rounded nor clamped."""
    y, u, v = yuv[:, 0], yuv[:, 1] - CHROMA_ZERO, yuv[:, 2] - CHROMA_ZERO
    green = y - (BLUE * BLUE_RANGE / GREEN) * u - (RED * RED_RANGE / GREEN) * v
    return torch.stack((y + RED_RANGE * v, green, y + BLUE_RANGE * u), 1)
