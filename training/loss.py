"""The training loss of a batch: bits per luma sample plus weighted distortion, at a random rate per picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from jpegai_mobile.networks.shapes import Extent
from training.codec import (
    COMPONENTS,
    OPERATING_POINTS,
    SAMPLE_SCALE,
    SAMPLE_ZERO,
    Codec,
    CodedComponent,
)
from training.colour import yuv_to_rgb
from training.graph_module import Evaluation
from training.int8_activations import Int8Evaluation
from training.quality import MsSsim
from training.rate import gain, gaussian_bits
from training.recipe import Recipe
from training.z_model import ZModel

_LARGEST_OUTPUT = 1.6 * SAMPLE_SCALE
"""Decoder outputs are limited to so far from mid-grey, so that one wild sample cannot rule a step."""


@dataclass(frozen=True)
class Loss:
    """Loss of a batch and its parts as means over the batch."""

    total: Tensor
    bpp: Tensor
    bpp_z: Tensor
    bpp_uv: Tensor
    errors: dict[str, tuple[Tensor, Tensor]]
    """Operating point -> mean squared error of luma and of chroma."""


def draw_beta(recipe: Recipe, count: int, device: torch.device) -> Tensor:
    """[count, 1, 1, 1] beta displacements in table steps, from PyTorch's global generator."""
    share = torch.rand(count, 1, 1, 1, device=device) ** recipe.beta_skew
    return recipe.lowest_beta + (recipe.highest_beta - recipe.lowest_beta) * share


def batch_loss(
    codec: Codec,
    recipe: Recipe,
    yuv: Tensor,
    beta: Tensor,
    z_rate_share: float | Tensor,
    latents: tuple[Tensor, Tensor] | None = None,
    *,
    int8: bool = False,
) -> Loss:
    """Code `yuv` [batch, 3, rows, columns] at `beta`, from its `latents` where they are known.

    With `int8` decoders compute with rounded activations (`training.int8_activations`). Analysis and synthesis are in
    bfloat16 if the recipe says so, the rest in float32.
    """
    extent = (yuv.shape[2], yuv.shape[3])
    area = extent[0] * extent[1]
    precision = torch.autocast(yuv.device.type, torch.bfloat16, enabled=recipe.bfloat16)
    if latents is None:
        with precision:
            latents = codec.analyse(yuv)
    coded = codec.encode_latents(latents, beta, extent)
    luma_bits, chroma_bits = (_residual_bits(part) for part in coded)
    hyper_bits = sum(
        (_z_bits(codec.component(name).z_model, part) for name, part in zip(COMPONENTS, coded, strict=True)),
        start=torch.zeros_like(luma_bits),
    )
    with precision:
        decoded = _decoded(codec, (coded[0].latent, coded[1].latent), extent, Int8Evaluation if int8 else None)
    errors = {name: _squared_errors(pictures, yuv) for name, pictures in decoded.items()}
    similarity = MsSsim(yuv_to_rgb(yuv)) if recipe.similarity_share else None
    distortion = torch.zeros_like(luma_bits)
    for name, (luma, chroma) in errors.items():
        squared = recipe.luma_share * luma + recipe.chroma_share * chroma
        distortion = distortion + _with_similarity(squared, decoded[name], similarity, recipe.similarity_share)
    weight = (recipe.distortion_weight * gain(beta) ** recipe.distortion_exponent).flatten()
    rate = (luma_bits + chroma_bits + z_rate_share * hyper_bits) / area
    return Loss(
        (rate + weight * distortion).mean(),
        ((luma_bits + chroma_bits + hyper_bits) / area).mean(),
        (hyper_bits / area).mean(),
        (chroma_bits / area).mean(),
        {name: (luma.mean(), chroma.mean()) for name, (luma, chroma) in errors.items()},
    )


def _residual_bits(part: CodedComponent) -> Tensor:
    """[batch] bits of the residuals: see `_rate`. Skipped positions count, so that they may become coded."""
    fit = gaussian_bits(part.residual.detach().round(), part.index)
    return _rate(fit, gaussian_bits(_noisy(part.residual), part.index.detach()))


def _z_bits(model: ZModel, part: CodedComponent) -> Tensor:
    """[batch] bits of the hyper latents: see `_rate`."""
    return _rate(model.bits(part.z.detach().round()), model.bits(_noisy(part.z), frozen=True))


def _rate(fit: Tensor, pressure: Tensor) -> Tensor:
    """Bits of real symbols, which train the probability model, with the gradient of noisy values for the encoder.

    Noise makes bits a smooth function of what is coded; a model fitted to noise would be too wide, though.
    """
    return _sum(fit) + _sum(pressure) - _sum(pressure).detach()


def _noisy(x: Tensor) -> Tensor:
    """With uniform noise in place of rounding."""
    return x + torch.rand_like(x) - 0.5


def _sum(x: Tensor) -> Tensor:
    return x.sum((1, 2, 3))


def _decoded(
    codec: Codec, latents: tuple[Tensor, Tensor], extent: Extent, evaluation: type[Evaluation] | None
) -> dict[str, Tensor]:
    """Operating point -> pictures. SOP learns on the latents as they are: its error does not reach the encoder."""
    inputs = {"sop": (latents[0].detach(), latents[1].detach()), "bop": latents}
    pictures = {name: codec.decode(inputs[name], name, extent, evaluation) for name in OPERATING_POINTS}
    limits = (SAMPLE_ZERO - _LARGEST_OUTPUT, SAMPLE_ZERO + _LARGEST_OUTPUT)
    return {name: picture.clamp(*limits) for name, picture in pictures.items()}


def _squared_errors(decoded: Tensor, yuv: Tensor) -> tuple[Tensor, Tensor]:
    """[batch] each: mean squared error of luma and of chroma."""
    planes = ((decoded - yuv) ** 2).mean((2, 3))
    return planes[:, 0], planes[:, 1:].mean(1)


def _with_similarity(squared: Tensor, decoded: Tensor, similarity: MsSsim | None, share: float) -> Tensor:
    """The values of `squared` [batch], whose gradient is by `share` that of 1 - MS-SSIM, scaled to the same values."""
    if similarity is None:
        return squared
    unlike = 1 - similarity(yuv_to_rgb(decoded))
    return (1 - share) * squared + share * squared.detach() * unlike / unlike.detach()
