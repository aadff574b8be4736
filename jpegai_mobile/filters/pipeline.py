"""All post-filters of a stream in the order of the standard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.picture_header import PictureHeader
from ..codestream.tool_header import ToolHeader
from ..errors import InvalidStream
from ..image.chroma import from_444, to_444
from ..image.planes import Planes
from ..native.samples import lef
from .efe_linear import efe_linear
from .efe_nonlinear import efe_nonlinear, switches
from .eicci import EicciRunner, eicci


def apply_filters(
    planes: Planes,
    tools: ToolHeader,
    picture: PictureHeader,
    lef_sigma: NDArray[np.int32] | None,
    eicci_runner: EicciRunner,
    operating_point: str,
    filters_enabled: bool = True,
) -> Planes:
    """The filtered picture, from planes of the displayed size in the source's chroma format.

    `lef_sigma` is sigma after RVS of the luma channel that LEF names [h, w] (None: there is no such channel),
    `eicci_runner` runs the networks of eICCI,
    `operating_point` is the synthesis transform in use (eICCI). Without `filters_enabled` the planes are
    returned as they are. Raises InvalidStream where the tool header does not fit the picture.
    """
    if not filters_enabled:
        return planes
    alternative = None
    if tools.efe_linear is not None:
        if tools.efe_nonlinear is not None and switches(tools.efe_nonlinear):
            alternative = efe_linear(planes, tools.efe_linear, tools.efe_linear.set_a, picture)
        planes = efe_linear(planes, tools.efe_linear, tools.efe_linear.set_b, picture)
    if tools.eicci is not None:
        filtered = eicci(to_444(planes), tools.eicci, picture, operating_point, eicci_runner)
        planes = from_444(filtered, picture.source_subsampling)
    if tools.efe_nonlinear is not None:
        planes = efe_nonlinear(planes, tools.efe_nonlinear, picture, alternative)
    if tools.LEF_chIdx is not None:
        if lef_sigma is None:
            raise InvalidStream(f"tool header: LEF_chIdx is {tools.LEF_chIdx}, luma has fewer channels")
        planes = Planes(lef(planes.y, lef_sigma, picture.model_id), planes.u, planes.v)
    return planes
