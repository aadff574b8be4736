"""The quality map: one value per latent position that shifts the step size of both components."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.substreams import SubStream
from ..entropy.residual import decode_residual
from ..errors import InvalidStream

MAX_QUALITY = 8
_POSITIVE_LOG_OFFSETS = (111, 221, 332, 443, 554, 664, 775, 886)
LOG_OFFSETS = np.array([-x for x in reversed(_POSITIVE_LOG_OFFSETS)] + [0, *_POSITIVE_LOG_OFFSETS], np.int32)
"""Offset of sigma in the log domain for the values -8..8."""
SIGMA_BY_ENTROPY_INDEX = (0, 4, 5, 6, 8, 10, 14, 18)
"""By `quality_map_entropy_index`, in whole steps of sigma: the index of the coding table."""
SIGMA_ONE = 128


def decode_quality_map(
    sub_stream: SubStream, threads: int, entropy_index: int, latent_size: tuple[int, int]
) -> NDArray[np.int8]:
    """Quality map int8 [h, w] with values -8..8; raises InvalidStream."""
    sigma = np.full(latent_size, SIGMA_BY_ENTROPY_INDEX[entropy_index] * SIGMA_ONE, np.int32)
    residual = decode_residual(sub_stream, threads, sigma, np.ones(latent_size, bool)).tolist()
    quality = residual
    for row, line in enumerate(quality):
        for column in range(len(line)):
            line[column] += prediction(quality, row, column)
            if abs(line[column]) > MAX_QUALITY:
                raise InvalidStream(f"{sub_stream.place}: a quality map value is out of range")
    return np.array(quality, np.int8)


def prediction(quality: list[list[int]], row: int, column: int) -> int:
    """Left in the first row, above in the first column, else the floor of their mean."""
    left = quality[row][column - 1] if column else 0
    above = quality[row - 1][column] if row else 0
    return (left + above) // 2 if row and column else left + above


def log_offset(quality_map: NDArray[np.int8]) -> NDArray[np.int32]:
    """Offset of sigma in the log domain, int32 [h, w]."""
    return LOG_OFFSETS[quality_map.astype(np.int32) + MAX_QUALITY]
