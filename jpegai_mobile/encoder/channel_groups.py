"""GRFS: which channels of a component are coded with finer steps, and which with coarser ones.

The standard has a factor for channels that are flagged (6 % finer) and one for the others (2 % coarser). Channels with
more symbols other than zero than the mean of the component are flagged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.picture_header import PictureHeader


def set_channel_groups(header: PictureHeader, component: Component, residual: NDArray[np.int16] | None) -> None:
    """Group the channels of a component by its residual [C, h, w] without groups; None turns the tool off."""
    part = header.components[component]
    part.grfs_enable_flag, part.grfs_channel_flag = int(residual is not None), []
    if residual is not None:
        coded = np.count_nonzero(residual[: part.num_chs], axis=(1, 2))
        part.grfs_channel_flag = (coded > coded.mean()).astype(int).tolist()
