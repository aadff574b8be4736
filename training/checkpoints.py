"""Between a `Codec` and a checkpoint tree in the reference software's layout (see `converters.checkpoint`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from converters.checkpoint import (
    CheckpointFile,
    Checkpoints,
    CheckpointTree,
    analysis_name,
    common_name,
    network_parameters,
    synthesis_name,
)
from converters.entropy_model import GAIN, SCALE_DECODER_LAYERS, Z_FREQUENCIES, Z_QUANTIZED, entropy_model
from jpegai_mobile.latent.model_tables import IntegerConvolution
from training.codec import COMPONENTS, OPERATING_POINTS, Codec, ComponentCodec
from training.graph_module import GraphModule

MODEL = 1
"""Model index of the weights that the project ships."""


def load_checkpoints(codec: Codec, source: Checkpoints) -> None:
    """Start `codec` from the SOP + BOP model of checkpoints. Raises BundleError when a file is absent or unsound."""
    files = {name: source.common(name, MODEL) for name in COMPONENTS}
    tables = entropy_model(files["y"], files["uv"])
    for name, stored in zip(COMPONENTS, tables.components, strict=True):
        component, common = codec.component(name), files[name]
        for network in component.common_networks():
            _load(network, common)
        _load(component.analysis, source.read(analysis_name(name, MODEL)))
        for operating_point in OPERATING_POINTS:
            file = source.read(synthesis_name(operating_point, name, MODEL))
            _load(component.synthesis(operating_point), file)
        component.scale_decoder.load_integers(stored.hyper_scale_decoder)
        component.z_model.load_frequencies(common.tensors[Z_FREQUENCIES].astype(np.int32))
        component.gain_vector.copy_(torch.from_numpy(common.tensors[GAIN].astype(np.float32)))


def save_tree(codec: Codec, root: Path, carried_over: CheckpointTree | None) -> None:
    """Write `codec` as a tree of SOP + BOP files, its floats rounded to float16 precision.

    The reference software asks for tables that training does not touch; `carried_over` is a tree to take
    all tensors from that are not the codec's own.
    """
    for name in COMPONENTS:
        component = codec.component(name)
        others: Mapping[str, NDArray[np.generic]] = {}
        if carried_over is not None:
            others = carried_over.common(name, MODEL).tensors
        common = {key: torch.from_numpy(np.array(value)) for key, value in others.items()}
        _save(root / common_name(name, MODEL), common | _common_tensors(component))
        _save(root / analysis_name(name, MODEL), component.analysis.arrays())
        for operating_point in OPERATING_POINTS:
            path = root / synthesis_name(operating_point, name, MODEL)
            _save(path, component.synthesis(operating_point).arrays())


def _load(network: GraphModule, file: CheckpointFile) -> None:
    parameters = network_parameters(file, network.graph)
    network.load_arrays({key: torch.from_numpy(value) for key, value in parameters.items()})


def _common_tensors(component: ComponentCodec) -> dict[str, Tensor]:
    tensors = {
        GAIN: component.gain_vector,
        Z_FREQUENCIES: torch.from_numpy(component.z_model.frequencies()),
        Z_QUANTIZED: torch.ones(1, dtype=torch.bool),
    }
    for network in component.common_networks():
        tensors |= network.arrays()
    for layer, stored in zip(SCALE_DECODER_LAYERS, component.scale_decoder.integers(), strict=True):
        tensors |= _layer_tensors(layer, stored)
    return tensors


def _layer_tensors(layer: str, stored: IntegerConvolution) -> dict[str, Tensor]:
    return {
        f"{layer}.weight": torch.from_numpy(stored.weight),
        f"{layer}.bias": torch.from_numpy(stored.bias),
        f"{layer}.per_channel_shifts": torch.from_numpy(stored.shift.astype(np.int8)).reshape(1, -1, 1, 1),
        f"{layer}.is_quantized": torch.ones(1, dtype=torch.bool),
    }


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({key: _stored(value) for key, value in tensors.items()}, path)


def _stored(value: Tensor) -> Tensor:
    value = value.detach().cpu().contiguous().clone()
    return value.half().float() if value.is_floating_point() else value
