"""The two colour components of a coded picture and the sizes of their latent tensors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Component(IntEnum):
    """Luma and chroma: index of a component in the picture header."""

    LUMA = 0
    CHROMA = 1

    @property
    def channels(self) -> int:
        """Channels of the latents: 160 luma, 96 chroma."""
        return LATENT_CHANNELS[self]

    @property
    def suffix(self) -> str:
        """Name of the component in array and file names: `y` or `uv`."""
        return ("y", "uv")[self]


LATENT_CHANNELS = (160, 96)

LATENT_GRID = 16
PSI_GRID = 32
Z_GRID = 64


def grid_size(luma_samples: int, grid: int) -> int:
    """Elements that cover `luma_samples` when one element stands for `grid` samples."""
    return -(-luma_samples // grid)


@dataclass(frozen=True)
class LatentSizes:
    """Rows and columns of the tensors of a picture; the same for luma and chroma."""

    latent: tuple[int, int]
    psi: tuple[int, int]
    z: tuple[int, int]

    @classmethod
    def of_picture(cls, height: int, width: int) -> LatentSizes:
        """Sizes for a coded picture of height x width luma samples."""
        latent, psi, z = ((grid_size(height, grid), grid_size(width, grid)) for grid in (LATENT_GRID, PSI_GRID, Z_GRID))
        return cls(latent, psi, z)
