"""Networks in onnxruntime: an ONNX model written from the graph description."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.rivals.networks import Array, Parameters
from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    AddConstant,
    Concat,
    Conv2d,
    CropToGrid,
    Elu,
    Graph,
    LeakyRelu,
    Multiply,
    Node,
    PixelShuffle,
    Relu,
    Relu6,
    Sigmoid,
    SliceChannels,
    TransposedConv2d,
)
from jpegai_mobile.networks.shapes import grid_size, input_shapes, tensor_shapes
from jpegai_mobile.runtime.model_networks import Size

OPSET = 17
IR_VERSION = 8


class OnnxSession:
    """A graph in onnxruntime with all of its optimisations."""

    def __init__(self, graph: Graph, parameters: Parameters, extent: Size, num_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        model = onnx_model(graph, parameters, extent)
        self._graph = graph
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As `Session.run`."""
        planes = {
            name: np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis], np.float32)
            for name, values in inputs.items()
        }
        outputs = self._session.run(list(self._graph.outputs), planes)
        return {name: out[0].transpose(1, 2, 0) for name, out in zip(self._graph.outputs, outputs, strict=True)}


def onnx_model(graph: Graph, parameters: Parameters, extent: Size) -> bytes:
    """A graph for tiles of one size as an ONNX file."""
    constants = {name: np.asarray(values, np.float32) for name, values in parameters.items()}
    nodes = [_onnx_node(node, constants, extent) for node in graph.nodes]
    shapes = tensor_shapes(graph, extent)
    inputs = [_value(name, shape) for name, shape in input_shapes(graph, extent).items()]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            graph.name,
            inputs,
            [_value(name, shapes[name]) for name in graph.outputs],
            [numpy_helper.from_array(values, name) for name, values in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *shape))


def _onnx_node(node: Node, constants: dict[str, np.ndarray], extent: Size) -> onnx.NodeProto:
    """The ONNX operator of a node; numbers that ONNX wants as tensors are added to `constants`."""

    def constant(what: str, value: np.ndarray | np.float32) -> str:
        name = f"{node.output}:{what}"
        constants[name] = np.asarray(value)
        return name

    def operator(kind: str, *more_inputs: str, **attributes: object) -> onnx.NodeProto:
        return helper.make_node(kind, [*node.inputs, *more_inputs], [node.output], **attributes)

    def kept(axes: list[int], start: list[int], stop: list[int]) -> onnx.NodeProto:
        return operator("Slice", *(constant(k, np.array(v)) for k, v in (("a", start), ("b", stop), ("c", axes))))

    match node:
        case Conv2d():
            return operator(
                "Conv",
                node.weight,
                *([node.bias] if node.bias else []),
                kernel_shape=node.kernel,
                strides=(node.stride, node.stride),
                pads=node.padding,
                group=node.groups,
            )
        case TransposedConv2d():
            return operator(
                "ConvTranspose",
                node.weight,
                *([node.bias] if node.bias else []),
                kernel_shape=node.kernel,
                strides=(node.stride, node.stride),
                pads=(node.padding,) * 4,
                output_padding=(node.output_padding,) * 2,
            )
        case Relu() | Abs() | Add() | Sigmoid() | Elu():
            return operator(type(node).__name__)
        case Relu6():
            return operator("Clip", constant("low", np.float32(0)), constant("high", np.float32(6)))
        case LeakyRelu():
            return operator("LeakyRelu", alpha=node.slope)
        case Multiply():
            return operator("Mul")
        case AddConstant():
            return operator("Add", constant("value", np.float32(node.value)))
        case Concat():
            return operator("Concat", axis=1)
        case SliceChannels():
            return kept([1], [node.start], [node.stop])
        case PixelShuffle():
            return operator("DepthToSpace", blocksize=node.factor, mode="CRD")
        case CropToGrid():
            return kept([2, 3], [0, 0], list(grid_size(extent, node.grid)))
        case _:
            raise NotImplementedError(f"{type(node).__name__} in ONNX")
