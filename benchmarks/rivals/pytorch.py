"""Networks in PyTorch: the module that training uses, with frozen weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.rivals.networks import Array, Parameters
from jpegai_mobile.networks.graph import Graph
from jpegai_mobile.runtime.model_networks import Size
from training.graph_module import GraphModule


class _Straight(nn.Module):
    """All outputs of a graph for tiles of one size."""

    def __init__(self, module: GraphModule, extent: Size) -> None:
        super().__init__()
        self.module, self.extent = module, extent

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        graph = self.module.graph
        tensors = self.module.evaluation(dict(zip(graph.inputs, inputs, strict=True)), self.extent)
        return tuple(tensors[name] for name in graph.outputs)


class PytorchSession:
    """A traced graph in one memory format. Tracing lets intermediate tensors go as soon as they were read."""

    memory_format = torch.channels_last

    def __init__(self, graph: Graph, parameters: Parameters, extent: Size, num_threads: int) -> None:
        self._graph, self._num_threads = graph, num_threads
        module = GraphModule(graph, torch.Generator())
        module.load_arrays({name: torch.from_numpy(values.copy()) for name, values in parameters.items()})
        module = module.to(memory_format=self.memory_format).eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        example = tuple(
            torch.zeros(1, channels, -(-extent[0] // grid), -(-extent[1] // grid)).to(memory_format=self.memory_format)
            for channels, grid in zip(graph.inputs.values(), graph.input_grid.values(), strict=True)
        )
        with torch.no_grad():
            traced = torch.jit.trace(_Straight(module, extent).eval(), example, check_trace=False)
            self._run = torch.jit.freeze(traced)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As `Session.run`."""
        torch.set_num_threads(self._num_threads)
        tensors = [
            torch.from_numpy(np.ascontiguousarray(inputs[name], np.float32))
            .permute(2, 0, 1)[None]
            .contiguous(memory_format=self.memory_format)
            for name in self._graph.inputs
        ]
        with torch.inference_mode():
            outputs = self._run(*tensors)
        return {
            name: tensor[0].permute(1, 2, 0).numpy() for name, tensor in zip(self._graph.outputs, outputs, strict=True)
        }


class ContiguousPytorchSession(PytorchSession):
    """The same with one plane per channel."""

    memory_format = torch.contiguous_format
