"""Loss and gradients of a training step.

A step is thousands of small operations. On a CPU they run as they come; on CUDA launching them would take several times
as long as running them, so each kind of step is recorded once as a CUDA graph and then replayed on new input.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.codec import Codec
from training.colour import rgb_to_yuv
from training.loss import Loss, batch_loss, draw_beta
from training.recipe import Recipe
from training.shard import Batch

_WARM_UP = 3
"""Steps before a recording, in which libraries choose their algorithms and take their memory."""


class Gradients:
    """Computes the loss of a batch and leaves its gradients in the parameters of the codec."""

    def __init__(self, codec: Codec, recipe: Recipe) -> None:
        self._codec = codec
        self._recipe = recipe

    def __call__(self, batch: Batch, z_rate_share: float | Tensor, *, int8: bool) -> Loss:
        """For other arguments see `batch_loss`; random numbers come from PyTorch's global generator."""
        self._codec.zero_grad(set_to_none=True)
        return self._compute(batch, z_rate_share, int8)

    def _compute(self, batch: Batch, z_rate_share: float | Tensor, int8: bool) -> Loss:
        recipe = self._recipe
        yuv = rgb_to_yuv(batch.rgb).contiguous(memory_format=torch.channels_last)
        beta = draw_beta(recipe, len(yuv), yuv.device)
        loss = batch_loss(self._codec, recipe, yuv, beta, z_rate_share, batch.latents, int8=int8)
        loss.total.backward()  # type: ignore[no-untyped-call]
        return loss


class RecordedGradients(Gradients):
    """The same on CUDA. The tensors of a loss are overwritten by the next step of its kind."""

    def __init__(self, codec: Codec, recipe: Recipe) -> None:
        super().__init__(codec, recipe)
        for parameter in codec.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self._gradients = [parameter.grad for parameter in codec.parameters() if parameter.grad is not None]
        self._recordings: dict[bool, tuple[torch.cuda.CUDAGraph, Loss]] = {}
        self._batch: Batch | None = None
        self._z_rate_share = torch.ones((), device=self._gradients[0].device)

    def __call__(self, batch: Batch, z_rate_share: float | Tensor, *, int8: bool) -> Loss:
        self._z_rate_share.fill_(z_rate_share)
        if self._batch is None:
            self._batch = batch
        for kept, new in zip(_tensors(self._batch), _tensors(batch), strict=True):
            kept.copy_(new)
        if int8 not in self._recordings:
            # The step itself draws the numbers that it would draw had nothing been recorded before it.
            with torch.random.fork_rng(devices=[torch.cuda.current_device()]):
                self._recordings[int8] = self._record(self._batch, int8)
        graph, loss = self._recordings[int8]
        graph.replay()
        return loss

    def _record(self, batch: Batch, int8: bool) -> tuple[torch.cuda.CUDAGraph, Loss]:
        # What a warm-up counts of z must not be in the histograms that are exported.
        buffers = [(buffer, buffer.clone()) for buffer in self._codec.buffers()]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._step(batch, int8)
        torch.cuda.current_stream().wait_stream(side)
        for buffer, before in buffers:
            buffer.copy_(before)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self._step(batch, int8)
        return graph, loss

    def _step(self, batch: Batch, int8: bool) -> Loss:
        """With the gradients kept where they are: recordings of all kinds add to the same tensors."""
        torch._foreach_zero_(self._gradients)
        return self._compute(batch, self._z_rate_share, int8)


def gradients_of(codec: Codec, recipe: Recipe, device: torch.device) -> Gradients:
    """What computes the steps of a run on `device`."""
    return (RecordedGradients if device.type == "cuda" else Gradients)(codec, recipe)


def _tensors(batch: Batch) -> list[Tensor]:
    return [batch.rgb, *(batch.latents or ())]
