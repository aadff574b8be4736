"""The integer tables of one model: what the exact stage needs, as stored in `entropy_<model>.bin`.

The file format is described in docs/bundle-format.md; the native core reads the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_CHANNELS
from ..entropy.coding_tables import Z_SYMBOLS
from ..errors import BundleError

MAGIC = b"JAIENTR1"
LAYER_KERNELS = (1, 3, 1)
UPSAMPLING = 4
MAX_BIAS = 1 << 30
MAX_SHIFT = 31


@dataclass(frozen=True, eq=False)
class IntegerConvolution:
    """One layer of the hyper scale decoder: (sum of weight * input + bias) >> shift per output channel."""

    weight: NDArray[np.int8]
    """[out, in, kernel, kernel]"""
    bias: NDArray[np.int32]
    """[out], magnitude at most 2^30"""
    shift: NDArray[np.uint8]
    """[out], 0..31"""


@dataclass(frozen=True, eq=False)
class ComponentTables:
    """Integer tables of luma or chroma."""

    gain: NDArray[np.int16]
    """Gain vector [C]: log domain, 7 fractional bits, at least -2048."""
    z_cumulative: NDArray[np.uint8]
    """[C, 63] cumulative counts of the hyper latents; the last entry is 255."""
    hyper_scale_decoder: tuple[IntegerConvolution, IntegerConvolution, IntegerConvolution]

    @property
    def channels(self) -> int:
        """Latent channels C."""
        return int(self.gain.shape[0])


@dataclass(frozen=True, eq=False)
class EntropyModel:
    """Integer tables of one model for both components (luma, chroma)."""

    components: tuple[ComponentTables, ComponentTables]

    def to_bytes(self) -> bytes:
        """Serialise; raises BundleError when a table breaks the rules of the format."""
        parts = [MAGIC, struct.pack("<I", len(self.components))]
        for tables, channels in zip(self.components, LATENT_CHANNELS, strict=True):
            _check_component(tables, channels)
            parts.append(struct.pack("<I", channels))
            parts.append(tables.gain.astype("<i2").tobytes())
            parts.append(tables.z_cumulative.tobytes())
            for layer in tables.hyper_scale_decoder:
                out_channels, in_channels, kernel, _ = layer.weight.shape
                parts.append(struct.pack("<III", out_channels, in_channels, kernel))
                parts.append(np.ascontiguousarray(layer.weight).tobytes())
                parts.append(layer.bias.astype("<i4").tobytes())
                parts.append(layer.shift.tobytes())
        body = b"".join(parts)
        return body + struct.pack("<I", zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> EntropyModel:
        """Parse; raises BundleError when the bytes are damaged or not such a file."""
        if data[: len(MAGIC)] != MAGIC:
            raise BundleError("integer tables: not an entropy model file (wrong magic)")
        if len(data) < len(MAGIC) + 8 or zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
            raise BundleError("integer tables: checksum does not match (truncated or damaged)")
        reader = _Reader(data[:-4], len(MAGIC))
        if reader.u32() != len(LATENT_CHANNELS):
            raise BundleError("integer tables: expected two components")
        luma, chroma = (_read_component(reader, channels) for channels in LATENT_CHANNELS)
        if reader.position != len(reader.data):
            raise BundleError("integer tables: bytes left over at the end")
        return cls((luma, chroma))


class _Reader:
    """Little-endian reader over the body of the file."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def u32(self) -> int:
        return int(self.array("<u4", 1)[0])

    def array(self, dtype: str, count: int) -> NDArray[np.generic]:
        end = self.position + np.dtype(dtype).itemsize * count
        if end > len(self.data):
            raise BundleError("integer tables: truncated")
        values = np.frombuffer(self.data[self.position : end], dtype)
        self.position = end
        return values


def layer_shapes(channels: int) -> tuple[tuple[int, int, int], ...]:
    """(out, in, kernel) of the three layers for C channels."""
    outs = (channels, channels, channels * UPSAMPLING * UPSAMPLING)
    return tuple((out, channels, kernel) for out, kernel in zip(outs, LAYER_KERNELS, strict=True))


def _read_component(reader: _Reader, channels: int) -> ComponentTables:
    if reader.u32() != channels:
        raise BundleError(f"integer tables: a component does not have {channels} channels")
    gain = reader.array("<i2", channels).astype(np.int16)
    z_cumulative = reader.array("u1", channels * Z_SYMBOLS).astype(np.uint8).reshape(channels, Z_SYMBOLS)
    layers = []
    for shape in layer_shapes(channels):
        if (reader.u32(), reader.u32(), reader.u32()) != shape:
            raise BundleError(f"integer tables: a hyper scale decoder layer is not {shape}")
        out_channels, in_channels, kernel = shape
        weight = reader.array("i1", out_channels * in_channels * kernel * kernel).astype(np.int8)
        bias = reader.array("<i4", out_channels).astype(np.int32)
        shift = reader.array("u1", out_channels).astype(np.uint8)
        layers.append(IntegerConvolution(weight.reshape(out_channels, in_channels, kernel, kernel), bias, shift))
    tables = ComponentTables(gain, z_cumulative, (layers[0], layers[1], layers[2]))
    _check_component(tables, channels)
    return tables


def _check_component(tables: ComponentTables, channels: int) -> None:
    """The value rules of the format, so that no later arithmetic can overflow."""
    if tables.gain.shape != (channels,) or tables.gain.min() < -2048:
        raise BundleError("integer tables: gain vector has a wrong size or a value below -2048")
    cumulative = tables.z_cumulative.astype(int)
    if cumulative.shape != (channels, Z_SYMBOLS) or np.any(np.diff(cumulative, axis=1) < 0):
        raise BundleError("integer tables: z table has a wrong size or decreases")
    if np.any(cumulative[:, -1] != 255):
        raise BundleError("integer tables: z table does not end at 255")
    for layer, shape in zip(tables.hyper_scale_decoder, layer_shapes(channels), strict=True):
        out_channels, in_channels, kernel = shape
        if layer.weight.shape != (out_channels, in_channels, kernel, kernel):
            raise BundleError(f"integer tables: a hyper scale decoder layer is not {shape}")
        if layer.bias.shape != (out_channels,) or np.any(np.abs(layer.bias.astype(np.int64)) > MAX_BIAS):
            raise BundleError("integer tables: a bias is larger than 2^30")
        if layer.shift.shape != (out_channels,) or layer.shift.max() > MAX_SHIFT:
            raise BundleError("integer tables: a shift is larger than 31")
