"""Convolutions as matrices: what rounding weights by the error of a layer's output works on.

A convolution is, in every group of channels, a matrix [rows, d] times windows [d, positions] of its input. A
transposed convolution is one, too: its rows are the sub-positions of a block for every output channel (see
`tflite/filters.py`), so that all of them read the same window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jpegai_mobile.networks.graph import Conv2d, TransposedConv2d

from ..tflite.filters import from_sub_pixel_filter, sub_pixel_filter, sub_pixel_taps

Floats = NDArray[np.float32]
Convolution = Conv2d | TransposedConv2d


@dataclass(frozen=True)
class LinearForm:
    """The matrix form of a convolution."""

    node: Convolution

    @property
    def groups(self) -> int:
        """Groups of channels that do not see each other."""
        return self.node.groups if isinstance(self.node, Conv2d) else 1

    def matrix(self, weight: Floats) -> Floats:
        """[groups, rows, d] of a weight in checkpoint layout."""
        if isinstance(self.node, TransposedConv2d):
            weight = sub_pixel_filter(weight, self.node.stride).transpose(0, 3, 1, 2)
        return weight.reshape(self.groups, weight.shape[0] // self.groups, -1)

    def weight(self, matrix: Floats) -> Floats:
        """The weight in checkpoint layout of such a matrix."""
        node = self.node
        if isinstance(node, Conv2d):
            return matrix.reshape(node.out_channels, node.in_channels // node.groups, *node.kernel)
        taps = (sub_pixel_taps(node.kernel[0], node.stride), sub_pixel_taps(node.kernel[1], node.stride))
        filters = matrix.reshape(-1, node.in_channels, *taps).transpose(0, 2, 3, 1)
        return from_sub_pixel_filter(filters, node.stride, node.kernel)

    def channels(self) -> NDArray[np.intp]:
        """[groups, rows]: the output channel that a row belongs to."""
        channels = np.arange(self.node.out_channels)
        if isinstance(self.node, TransposedConv2d):
            channels = np.tile(channels, self.node.stride**2)
        return channels.reshape(self.groups, -1)

    def windows(self, x: Floats, chosen: NDArray[np.intp]) -> Floats:
        """[groups, d, positions] of an input [channel, row, column] at positions chosen of `positions`."""
        windows = self._all_windows(x)
        at = windows[:, chosen // windows.shape[2], chosen % windows.shape[2]]
        return at.transpose(0, 2, 3, 1).reshape(self.groups, -1, chosen.size)

    def positions(self, x: Floats) -> int:
        """How many windows an input has."""
        windows = self._all_windows(x)
        return int(windows.shape[1] * windows.shape[2])

    def _all_windows(self, x: Floats) -> Floats:
        """A view [channel, row, column, tap row, tap column]."""
        node = self.node
        if isinstance(node, Conv2d):
            top, left, bottom, right = node.padding
            kernel, stride = node.kernel, node.stride
        else:
            kernel = (sub_pixel_taps(node.kernel[0], node.stride), sub_pixel_taps(node.kernel[1], node.stride))
            top = bottom = kernel[0] - 1
            left = right = kernel[1] - 1
            stride = 1
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
        return sliding_window_view(padded, kernel, axis=(1, 2))[:, ::stride, ::stride]
