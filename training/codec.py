"""The whole codec as one trainable module: both components, one encoder, SOP and BOP decoders.

Its values are those of a real encoder and decoder (rounded symbols, skipped positions, the integers of the
hyper scale decoder); gradients pass straight through the rounding. Pictures are [batch, 3, rows, columns]
YUV on the 0..255 scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from jpegai_mobile.latent.skip_mode import SKIP_THRESHOLD
from jpegai_mobile.networks import catalogue
from jpegai_mobile.networks.blocks import component_channels
from jpegai_mobile.networks.shapes import Extent, grid_size
from training.graph_module import Evaluation, GraphModule
from training.hyper_scale_decoder import INDEX_STEP, HyperScaleDecoder
from training.phases import merge_phases, split_phases
from training.rate import gain
from training.rounding import round_through
from training.z_model import LARGEST_Z, ZModel

COMPONENTS = ("y", "uv")
OPERATING_POINTS = ("sop", "bop")
SAMPLE_ZERO, SAMPLE_SCALE = 127.5, 128.0
GAIN_COLUMNS = 18
"""Columns of the gain vector in a checkpoint, of which one is in use."""


@dataclass(frozen=True)
class CodedComponent:
    """What the encoder made of luma or chroma, [batch, C, rows, columns] each."""

    latent: Tensor
    """Reconstructed latents, input of the synthesis transforms."""
    residual: Tensor
    """Scaled residuals before rounding."""
    symbols: Tensor
    """Rounded residuals, 0 where skipped."""
    index: Tensor
    """Sigma index of every residual in steps of the sigma table."""
    coded: Tensor
    """True where a symbol is coded, false where it is skipped."""
    z: Tensor
    """Hyper latents before rounding, within -31..31."""
    z_symbols: Tensor


class Codec(nn.Module):
    """Analysis, entropy model and synthesis of both components."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.components = nn.ModuleDict({c: ComponentCodec(c, generator) for c in COMPONENTS})

    def encode(self, yuv: Tensor, beta: Tensor) -> tuple[CodedComponent, CodedComponent]:
        """Code pictures with the beta displacement `beta` [batch, 1, 1, 1], in table steps."""
        return self.encode_latents(self.analyse(yuv), beta, (yuv.shape[2], yuv.shape[3]))

    def analyse(self, yuv: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of luma and chroma, float32 [batch, C, rows / 16, columns / 16], rounded up."""
        extent = (yuv.shape[2], yuv.shape[3])
        samples = _pad_to_even((yuv - SAMPLE_ZERO) / SAMPLE_SCALE)
        planes = (samples[:, :1], functional.pixel_unshuffle(samples, 2))
        luma, chroma = (
            self.component(name).analysis(x, extent=extent).float() for name, x in zip(COMPONENTS, planes, strict=True)
        )
        return luma, chroma

    def encode_latents(
        self, latents: tuple[Tensor, Tensor], beta: Tensor, extent: Extent
    ) -> tuple[CodedComponent, CodedComponent]:
        """Code what `analyse` made of pictures of `extent`; `beta` as for `encode`."""
        luma, chroma = (
            self.component(name).encode(latent, beta, extent) for name, latent in zip(COMPONENTS, latents, strict=True)
        )
        return luma, chroma

    def decode(
        self,
        latents: tuple[Tensor, Tensor],
        operating_point: str,
        extent: Extent,
        evaluation: type[Evaluation] | None = None,
    ) -> Tensor:
        """Pictures of the given size from the latents of luma and chroma; neither rounded nor clamped.

        `evaluation` is how the synthesis transforms compute, if not in plain float.
        """
        luma, chroma = latents
        inputs = (luma, torch.cat((luma, chroma), 1))
        rows, columns = extent
        planes = [
            self.component(name).synthesis(operating_point)(x, extent=extent, evaluation=evaluation)
            for name, x in zip(COMPONENTS, inputs, strict=True)
        ]
        return torch.cat([plane[:, :, :rows, :columns].float() for plane in planes], 1) * SAMPLE_SCALE + SAMPLE_ZERO

    def component(self, name: str) -> ComponentCodec:
        """Component `y` or `uv`."""
        component = self.components[name]
        assert isinstance(component, ComponentCodec)
        return component


class ComponentCodec(nn.Module):
    """The networks and tables of luma or chroma."""

    gain_vector: Tensor

    def __init__(self, name: str, generator: torch.Generator) -> None:
        super().__init__()
        channels = component_channels(name)

        def network(kind: str, operating_point: str | None = None) -> GraphModule:
            return GraphModule(catalogue.build(kind, name, operating_point), generator)

        self.analysis = network("analysis")
        self.hyper_encoder = network("hyper_encoder")
        self.hyper_decoder = network("hyper_decoder")
        self.scale_decoder = HyperScaleDecoder(channels, generator)
        self.z_model = ZModel(channels)
        self.context_model = network("context_model") if name == "y" else None
        self.syntheses = nn.ModuleDict({op: network("synthesis", op) for op in OPERATING_POINTS})
        self.register_buffer("gain_vector", torch.zeros(channels, GAIN_COLUMNS))

    def synthesis(self, operating_point: str) -> GraphModule:
        """The synthesis transform of `sop` or `bop`."""
        synthesis = self.syntheses[operating_point]
        assert isinstance(synthesis, GraphModule)
        return synthesis

    def common_networks(self) -> tuple[GraphModule, ...]:
        """The networks that share a checkpoint file with the entropy part."""
        networks = (self.hyper_encoder, self.hyper_decoder)
        return networks if self.context_model is None else (*networks, self.context_model)

    def encode(self, latent: Tensor, beta: Tensor, extent: Extent) -> CodedComponent:
        """Code the output of the analysis transform; `beta` as for `Codec.encode`."""
        z = self.hyper_encoder(latent, extent=extent).float().clamp(-LARGEST_Z, LARGEST_Z)
        z_symbols = round_through(z)
        if self.training:
            self.z_model.observe(z_symbols)
        psi = self.hyper_decoder(z_symbols, extent=extent).float()
        total_gain = beta + self._gain_steps()
        index = self._scale_index(z_symbols, grid_size(extent, 16)) + total_gain
        coded = index > SKIP_THRESHOLD / INDEX_STEP
        code = self._code_at_once if self.context_model is None else self._code_in_stages
        reconstructed, residual = code(latent, psi, gain(total_gain), coded, extent)
        symbols = round_through(residual) * coded
        return CodedComponent(reconstructed, residual, symbols, index, coded, z, z_symbols)

    def _code_at_once(
        self, latent: Tensor, psi: Tensor, scale: Tensor, coded: Tensor, extent: Extent
    ) -> tuple[Tensor, Tensor]:
        """Reconstructed latents and scaled residuals where psi is the whole prediction."""
        prediction = merge_phases(psi.chunk(4, 1), latent.shape[2:])
        residual = (latent - prediction) * scale
        return prediction + _dequantised(residual, scale, coded), residual

    def _code_in_stages(
        self, latent: Tensor, psi: Tensor, scale: Tensor, coded: Tensor, extent: Extent
    ) -> tuple[Tensor, Tensor]:
        """The same where the context model predicts each phase from those before it."""
        assert self.context_model is not None
        inputs = {f"psi_{stage}": part for stage, part in enumerate(psi.chunk(4, 1))}
        tensors = self.context_model.evaluation(inputs, extent)
        residuals = []
        for stage, (phase, phase_coded) in enumerate(zip(split_phases(latent), split_phases(coded), strict=True)):
            _, prediction = self.context_model.producers[f"latent_{stage}"].inputs
            residuals.append((phase - tensors[prediction].float()) * scale)
            tensors[f"residual_{stage}"] = _dequantised(residuals[-1], scale, phase_coded)
        latents = [tensors[f"latent_{stage}"] for stage in range(len(residuals))]
        size = latent.shape[2:]
        return merge_phases(latents, size), merge_phases(residuals, size)

    def _gain_steps(self) -> Tensor:
        """[1, C, 1, 1]: the gain vector in table steps, rounded as the exact stage stores it."""
        steps = torch.round(self.gain_vector.sum(1) * INDEX_STEP) / INDEX_STEP
        return steps.reshape(1, -1, 1, 1)

    def _scale_index(self, z_symbols: Tensor, size: Extent) -> Tensor:
        """Float32 whatever the precision around it: it stands for integers."""
        with torch.autocast(z_symbols.device.type, enabled=False):
            index: Tensor = self.scale_decoder(z_symbols)[:, :, : size[0], : size[1]]
            return index


def _dequantised(residual: Tensor, scale: Tensor, coded: Tensor) -> Tensor:
    return round_through(residual) * coded / scale


def _pad_to_even(x: Tensor) -> Tensor:
    return functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")
