"""Checkpoint filters in the layouts of TFLite: [out, rows, columns, in / groups], channels last.

A transposed convolution becomes a plain one whose output channels are the sub-positions of a block
(`sub_pixel_filter`), followed by DEPTH_TO_SPACE; TFLite's own TRANSPOSE_CONV needs the output size as an
input and is slower.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Filter = NDArray[np.float32]


def convolution_filter(weight: Filter) -> Filter:
    """[out, in, rows, columns] -> [out, rows, columns, in]."""
    return weight.transpose(0, 2, 3, 1)


def depthwise_filter(weight: Filter) -> Filter:
    """[channels, 1, rows, columns] -> [1, rows, columns, channels]."""
    return weight.transpose(1, 2, 3, 0)


def sub_pixel_taps(kernel: int, stride: int) -> int:
    """Taps per direction of the plain convolution that stands for a transposed one."""
    return -(-kernel // stride)


def sub_pixel_filter(weight: Filter, stride: int) -> Filter:
    """[in, out, rows, columns] of a transposed convolution -> [stride * stride * out, taps, taps, in].

    Let the transposed convolution be unpadded, so that input i spreads over outputs stride * i + k. Output
    stride * q + a then reads input q - j with tap k = stride * j + a: a correlation over j from high to low,
    the same for all sub-positions a. Output channels are in DEPTH_TO_SPACE order (row, column, channel).
    """
    in_channels, out_channels, rows, columns = weight.shape
    row_taps, column_taps = sub_pixel_taps(rows, stride), sub_pixel_taps(columns, stride)
    padded = np.zeros((in_channels, out_channels, row_taps * stride, column_taps * stride), np.float32)
    padded[:, :, :rows, :columns] = weight
    taps = padded.reshape(in_channels, out_channels, row_taps, stride, column_taps, stride)
    phases = taps[:, :, ::-1, :, ::-1, :].transpose(3, 5, 1, 2, 4, 0)
    return phases.reshape(stride * stride * out_channels, row_taps, column_taps, in_channels)


def from_sub_pixel_filter(filters: Filter, stride: int, kernel: tuple[int, int]) -> Filter:
    """Inverse of `sub_pixel_filter` for a transposed convolution of this kernel: [in, out, rows, columns]."""
    blocks, row_taps, column_taps, in_channels = filters.shape
    out_channels = blocks // (stride * stride)
    phases = filters.reshape(stride, stride, out_channels, row_taps, column_taps, in_channels)
    taps = phases.transpose(5, 2, 3, 0, 4, 1)[:, :, ::-1, :, ::-1, :]
    padded = taps.reshape(in_channels, out_channels, row_taps * stride, column_taps * stride)
    return np.ascontiguousarray(padded[:, :, : kernel[0], : kernel[1]])


def depth_to_space_order(channels: int, factor: int) -> NDArray[np.intp]:
    """Pixel shuffle channels in DEPTH_TO_SPACE order: (channel, row, column) -> (row, column, channel)."""
    return np.arange(channels).reshape(-1, factor, factor).transpose(1, 2, 0).ravel()
