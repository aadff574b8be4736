"""The integer tables of a model from its two common checkpoint files.

The checkpoints keep the gain vector as floats and the statistics of z as frequencies; both become integers
here, once, by the rules of the standard. The hyper scale decoder is stored in integers already.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.codestream.components import LATENT_CHANNELS
from jpegai_mobile.entropy.coding_tables import Z_SYMBOLS
from jpegai_mobile.errors import BundleError
from jpegai_mobile.latent.model_tables import (
    MAX_BIAS,
    MAX_SHIFT,
    ComponentTables,
    EntropyModel,
    IntegerConvolution,
    layer_shapes,
)

from .checkpoint import CheckpointFile

GAIN = "quantizer.gain_unit.c"
Z_FREQUENCIES = "hyper_entropy.freqs_int"
Z_QUANTIZED = "hyper_entropy.is_quantized"
SCALE_DECODER_LAYERS = tuple(f"hyper_scale_decoder.{layer}" for layer in ("conv1", "depthwise", "pointwise"))
_LAYER_TENSORS = ("weight", "bias", "per_channel_shifts", "is_quantized")

TENSOR_NAMES = (
    GAIN,
    Z_FREQUENCIES,
    Z_QUANTIZED,
    *(f"{layer}.{tensor}" for layer in SCALE_DECODER_LAYERS for tensor in _LAYER_TENSORS),
)
"""All tensors of a common checkpoint file that the integer tables are made of."""

GAIN_ONE = 128
MIN_GAIN = -2048
CUMULATIVE_TOTAL = 255


def entropy_model(luma: CheckpointFile, chroma: CheckpointFile) -> EntropyModel:
    """The integer tables of a model. Raises BundleError, naming file and tensor, when they cannot be made."""
    luma_tables, chroma_tables = (
        _component(file, channels) for file, channels in zip((luma, chroma), LATENT_CHANNELS, strict=True)
    )
    return EntropyModel((luma_tables, chroma_tables))


def gain_vector(gains: NDArray[Any]) -> NDArray[np.int16]:
    """[C] in 1/128 of the log domain from the trained [C, columns], of which one column is in use.

    Raises ValueError when several columns are, or when a gain does not fit.
    """
    if np.count_nonzero(gains.any(axis=0)) > 1:
        raise ValueError("has more than one column that is not zero")
    gain: NDArray[np.float64] = np.maximum(np.rint(gains.sum(axis=1, dtype=np.float64) * GAIN_ONE), MIN_GAIN)
    if not np.all(gain <= np.iinfo(np.int16).max):
        raise ValueError("holds a gain that is too large")
    return gain.astype(np.int16)


def cumulative_table(frequencies: NDArray[Any]) -> NDArray[np.uint8]:
    """[C, 63] cumulative counts out of 255 from the frequencies [C, 63] of the symbols of z.

    Raises ValueError for a negative frequency or a channel without any.
    """
    running = np.cumsum(frequencies, axis=1, dtype=np.int64)
    total = running[:, -1:]
    if np.any(frequencies < 0) or np.any(total == 0):
        raise ValueError("holds a negative frequency or a channel without symbols")
    return ((CUMULATIVE_TOTAL * running + total // 2) // total).astype(np.uint8)


def _component(file: CheckpointFile, channels: int) -> ComponentTables:
    gains = _tensor(file, GAIN, np.floating, (channels, None))
    frequencies = _tensor(file, Z_FREQUENCIES, np.int32, (channels, Z_SYMBOLS))
    _check_quantized(file, Z_QUANTIZED)
    try:
        gain = gain_vector(gains)
    except ValueError as error:
        raise BundleError(f"{file.where(GAIN)} {error}") from error
    try:
        z_cumulative = cumulative_table(frequencies)
    except ValueError as error:
        raise BundleError(f"{file.where(Z_FREQUENCIES)} {error}") from error
    first, second, third = (
        _layer(file, layer, shape) for layer, shape in zip(SCALE_DECODER_LAYERS, layer_shapes(channels), strict=True)
    )
    return ComponentTables(gain, z_cumulative, (first, second, third))


def _layer(file: CheckpointFile, layer: str, shape: tuple[int, int, int]) -> IntegerConvolution:
    out_channels, in_channels, kernel = shape
    _check_quantized(file, f"{layer}.is_quantized")
    weight = _tensor(file, f"{layer}.weight", np.int8, (out_channels, in_channels, kernel, kernel))
    bias = _tensor(file, f"{layer}.bias", np.integer, (out_channels,))
    shift = _tensor(file, f"{layer}.per_channel_shifts", np.integer, (1, out_channels, 1, 1))
    if np.any((bias < -MAX_BIAS) | (bias > MAX_BIAS)):
        raise BundleError(f"{file.where(f'{layer}.bias')} has a value beyond 2^30")
    if np.any((shift < 0) | (shift > MAX_SHIFT)):
        raise BundleError(f"{file.where(f'{layer}.per_channel_shifts')} has a value outside 0..{MAX_SHIFT}")
    return IntegerConvolution(weight, bias.astype(np.int32), shift.reshape(out_channels).astype(np.uint8))


def _check_quantized(file: CheckpointFile, name: str) -> None:
    """A checkpoint in the middle of training holds floats in disguise; it says so in a flag."""
    if not _tensor(file, name, np.bool_, (1,))[0]:
        raise BundleError(f"{file.where(name)} is false: the tables were never made integers")


def _tensor(file: CheckpointFile, name: str, dtype: type[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    if name not in file.tensors:
        raise BundleError(f"{file.where(name)} is missing")
    tensor = file.tensors[name]
    if not np.issubdtype(tensor.dtype, dtype):
        raise BundleError(f"{file.where(name)} has type {tensor.dtype}, not {dtype.__name__}")
    if len(tensor.shape) != len(shape) or any(
        size not in (None, actual) for actual, size in zip(tensor.shape, shape, strict=True)
    ):
        expected = tuple("any" if size is None else size for size in shape)
        raise BundleError(f"{file.where(name)} has shape {tensor.shape}, not {expected}")
    if not np.isfinite(tensor).all():
        raise BundleError(f"{file.where(name)} has values that are not finite")
    return tensor
