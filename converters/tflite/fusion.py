"""Which nodes of a network become one TFLite operator.

An activation goes into the operator before it, a constant addend into the bias of the convolution before it,
the channel order that DEPTH_TO_SPACE wants into the filter of the convolution before the shuffle, and the
padding to even size into the convolution after it. An activation before a mask, which commutes with it, goes
into the mask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jpegai_mobile.networks.graph import (
    Add,
    AddConstant,
    Conv2d,
    Graph,
    Multiply,
    Node,
    PadToEven,
    PixelShuffle,
    Relu,
    Relu6,
    TransposedConv2d,
)

from ..errors import ConversionError
from ..masking import Mask
from .operators import Activation


@dataclass(frozen=True)
class Step:
    """A node and what was folded into it."""

    node: Node
    output: str
    """Output of the last node folded in."""
    bias_offset: float = 0.0
    activation: Activation = Activation.NONE
    shuffle_factor: int = 1
    """The output channels are wanted in the order of a DEPTH_TO_SPACE with this block size."""
    pads_to_even: bool = False
    """The input is first padded to even size as `PadToEven` does."""

    @property
    def is_convolution(self) -> bool:
        """Has a bias to fold into."""
        return isinstance(self.node, Conv2d | TransposedConv2d)

    @property
    def has_activation(self) -> bool:
        """An activation was folded in."""
        return self.activation is not Activation.NONE

    @property
    def takes_activation(self) -> bool:
        """The operator has a fused activation, still unused."""
        return not self.has_activation and (self.is_convolution or isinstance(self.node, Add | Multiply | Mask))


def fuse(graph: Graph) -> list[Step]:
    """Steps in execution order; raises ConversionError for a node that neither folds nor is an operator."""
    steps: dict[str, Step] = {}
    for node in graph.nodes:
        step = Step(node, node.output)
        source = steps.get(node.inputs[0]) if _is_only_reader(graph, node) else None
        match node:
            case Relu() | Relu6() if source is not None and source.takes_activation:
                step = replace(source, output=node.output, activation=_activation(node))
                del steps[source.output]
            case AddConstant(value=value):
                if source is None or not source.is_convolution or not source.takes_activation:
                    raise ConversionError(f"{graph.name}: {node.output} adds a constant to no convolution")
                step = replace(source, output=node.output, bias_offset=source.bias_offset + value)
                del steps[source.output]
            case PixelShuffle(factor=factor):
                if source is None or not _has_free_channel_order(source.node):
                    raise ConversionError(f"{graph.name}: {node.output} shuffles no plain convolution")
                steps[source.output] = replace(source, shuffle_factor=factor)
            case Mask() if source is not None and isinstance(source.node, Relu | Relu6):
                step = Step(replace(node, inputs=source.node.inputs), node.output, activation=_activation(source.node))
                del steps[source.output]
            case Conv2d() if source is not None and isinstance(source.node, PadToEven):
                step = Step(replace(node, inputs=source.node.inputs), node.output, pads_to_even=True)
                del steps[source.output]
        steps[node.output] = step
    return list(steps.values())


def _has_free_channel_order(node: Node) -> bool:
    return isinstance(node, TransposedConv2d) or (isinstance(node, Conv2d) and node.groups == 1)


def _activation(node: Relu | Relu6) -> Activation:
    return Activation.RELU if isinstance(node, Relu) else Activation.RELU6


def _is_only_reader(graph: Graph, node: Node) -> bool:
    """Nothing but `node` reads its first input, so that the input need not exist on its own."""
    tensor = node.inputs[0]
    reads = sum(other.inputs.count(tensor) for other in graph.nodes)
    return reads == 1 and tensor not in graph.outputs
