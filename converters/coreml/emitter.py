"""A network and its parameters as a Core ML package (an ML program), written with coremltools' MIL builder.

Inputs and outputs are [1, channels, rows, columns] under their names in the network, plus one 0/1 input
[1, 1, rows, columns] for every kind of tensor whose samples outside the picture are set to zero. `mask_<grid>`
is one in the first ceil(H / grid) rows and ceil(W / grid) columns of a picture of H x W luma samples, else
zero; `mask_<crop>_at_<grid>` is one in the first ceil(H / crop) * crop / grid rows, and likewise columns. The
network's own inputs are to be zero outside the picture; outputs are cropped by the reader. All shapes are
those of square tiles.

Core ML lets several inputs have enumerated shapes from iOS 18 on only, and every network has a mask. So a
package for one tile size has fixed shapes and needs iOS 16 (iOS 17 with int8 activations); one for several
tile sizes needs iOS 18.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import coremltools as ct  # type: ignore[import,unused-ignore]
import numpy as np
from coremltools.converters.mil import Builder as mb  # type: ignore[import,unused-ignore]
from coremltools.converters.mil.mil import (  # type: ignore[import,unused-ignore]
    Function,
    Program,
    get_new_symbol,
    types,
)
from numpy.typing import NDArray

from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    AddConstant,
    ChannelAttention,
    Concat,
    Conv2d,
    Elu,
    Graph,
    LayerNorm,
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
from jpegai_mobile.runtime.network_runner import mask_name

from ..errors import ConversionError
from ..float_types import fitting
from ..masking import Mask
from ..quantisation.affine import Affine
from ..quantisation.equalisation import scales_channels
from ..quantisation.scheme import Scheme
from . import COARSEST_GRID
from .package import package_files
from .precision import FLOATS, quantised_weight
from .tiles import RepeatBorder, fit_to_tiles, tile_masks

Var = Any
"""A tensor of the MIL program."""

_ROWS, _COLUMNS = 2, 3
_UNARY = {Relu: mb.relu, Relu6: mb.relu6, Abs: mb.abs, Sigmoid: mb.sigmoid}
_MOVES_SAMPLES = (Mask, PixelShuffle, SliceChannels)
_SMALL, _SMALLEST_NORM = 2.0**-6, 1e-4


def emit(
    graph: Graph,
    parameters: Mapping[str, NDArray[Any]],
    precision: str,
    scheme: Scheme,
    tiles: Sequence[int],
) -> dict[str, bytes]:
    """The files of a package of `graph`, by their path in the package.

    `parameters` are all that the graph names, in checkpoint layout and shape.

    `tiles` are the tile sizes in luma samples, multiples of 64; the first is the default shape. Convolutions read
    the tensors of `scheme` in int8, all else is computed in the floats of the precision. Equal arguments give equal
    bytes.

    Raises ConversionError for tile sizes that do not fit, a parameter that is too large, and a construct with no Core
    ML form.
    """
    _check_tiles(tiles)
    try:
        folded, values = fold(graph, parameters)
    except ValueError as error:
        raise ConversionError(str(error)) from error
    emitter = _Emitter(fit_to_tiles(folded), values, FLOATS[precision], scheme, tiles)
    # No precision by name: where several come to the same numbers, their packages are the same files.
    numbers = FLOATS[precision].__name__ + (" with int8 weights" if scheme.weights == "int8" else "")
    return package_files(
        emitter.program(),
        emitter.input_types(),
        emitter.target,
        f"JPEG AI {graph.name}, {numbers}, tiles of {', '.join(map(str, tiles))} luma samples",
        {name: f"{grid} luma samples per element" for name, grid in (emitter.grids | graph.output_grid).items()},
    )


class _Emitter:
    def __init__(
        self,
        graph: Graph,
        parameters: Mapping[str, NDArray[np.float32]],
        number_type: type[np.floating],
        scheme: Scheme,
        tiles: Sequence[int],
    ) -> None:
        self.graph = graph
        self.parameters = parameters
        self.number_type = number_type
        self.scheme = scheme
        self.tiles = tiles
        masks = tile_masks(graph)
        self.grids = graph.input_grid | masks
        self.channels = graph.inputs | dict.fromkeys(masks, 1)
        self.made_by = {node.output: node for node in graph.nodes}
        self.constants = _constants_after_convolutions(graph)
        self.tensors: dict[str, Var] = {}
        self.int8_views: dict[str, Var] = {}

    @property
    def target(self) -> Any:
        """The oldest system that can run the package."""
        if len(self.tiles) > 1:
            return ct.target.iOS18
        return ct.target.iOS17 if self.scheme.tensors else ct.target.iOS16

    def program(self) -> Any:
        """The MIL program, its only function called `main`."""
        mb.name_count.clear()  # names of constants must not depend on earlier conversions
        with Function({name: self.input(name) for name in self.grids}, self.target) as main:
            self.tensors.update(main.inputs)
            for node in self.graph.nodes:
                self.tensors[node.output] = self.emit_node(node)
            main.set_outputs([self.tensors[name] for name in self.graph.outputs])
        program = Program()
        program.add_function("main", main)
        return program

    def input_types(self) -> list[Any] | None:
        """The shapes that each input may have, or None where the program itself states the only one."""
        if len(self.tiles) == 1:
            return None
        return [
            ct.TensorType(
                name,
                ct.EnumeratedShapes([self.shape(name, tile) for tile in self.tiles], self.shape(name, self.tiles[0])),
                self.number_type,
            )
            for name in self.grids
        ]

    def shape(self, name: str, tile: int) -> tuple[int, int, int, int]:
        """The shape of an input for a tile of `tile` luma samples in each direction."""
        size = tile // self.grids[name]
        return 1, self.channels[name], size, size

    def input(self, name: str) -> Any:
        """The placeholder of an input; its rows and columns are symbols when there are several shapes."""
        shape: tuple[Any, ...] = self.shape(name, self.tiles[0])
        if len(self.tiles) > 1:
            shape = (*shape[:2], get_new_symbol(), get_new_symbol())
        return mb.placeholder(shape, types.numpy_type_to_builtin_type(self.number_type))

    def emit_node(self, node: Node) -> Var:
        """Append the operations of one node; gives its output."""
        name = _identifier(node.output)
        sources = [self.tensors[source] for source in node.inputs]
        x = sources[0]
        match node:
            case Conv2d() if scales_channels(node):
                factors = self.floats(self.parameters[node.weight], node.weight)
                return mb.mul(x=x, y=factors.reshape(1, -1, 1, 1), name=name)
            case Conv2d() | TransposedConv2d():
                return self.emit_convolution(node, name)
            case AddConstant() if node.inputs[0] in self.constants:
                return x
            case Relu() | Relu6() | Abs() | Sigmoid():
                return _UNARY[type(node)](x=x, name=name)
            case Elu():
                return mb.elu(x=x, alpha=self.number(1), name=name)
            case LayerNorm():
                return self.emit_layer_norm(node, x, name)
            case ChannelAttention():
                return self.emit_attention(node, sources, name)
            case LeakyRelu():
                return mb.leaky_relu(x=x, alpha=self.number(node.slope), name=name)
            case Add():
                return mb.add(x=x, y=sources[1], name=name)
            case Multiply():
                return mb.mul(x=x, y=sources[1], name=name)
            case Concat():
                return mb.concat(values=sources, axis=1, name=name)
            case SliceChannels():
                return _slice(x, 1, node.start, node.stop, name)
            case PixelShuffle():
                return mb.pixel_shuffle(x=x, upscale_factor=node.factor, name=name)
            case Mask():
                return mb.mul(x=x, y=self.tensors[mask_name(node.grid, node.crop)], name=name)
            case RepeatBorder():
                return self.emit_repeated_border(node, x, name)
            case _:
                raise ConversionError(f"{self.graph.name}: {node.output}: no Core ML form of {type(node).__name__}")

    def emit_convolution(self, node: Conv2d | TransposedConv2d, name: str) -> Var:
        """A convolution with its bias, to which the constant after it is added."""
        x = self.int8_view(node.inputs[0])
        weight_axis = 0 if isinstance(node, Conv2d) else 1
        arguments = {
            "x": x,
            "weight": self.weight(node.weight, weight_axis, name),
            "bias": self.bias(node),
            "strides": [node.stride] * 2,
            "pad_type": "custom",
            "name": name,
        }
        if isinstance(node, Conv2d):
            top, left, bottom, right = node.padding
            return mb.conv(pad=[top, bottom, left, right], groups=node.groups, **arguments)
        before, after = node.padding, node.padding - node.output_padding
        if after < 0:
            raise ConversionError(f"{self.graph.name}: {node.output}: output padding beyond the kernel's reach")
        return mb.conv_transpose(pad=[before, after, before, after], **arguments)

    def weight(self, key: str, axis: int, name: str) -> Var | NDArray[Any]:
        """The weight of a convolution, whose output channels lie on `axis`."""
        values = self.floats(self.parameters[key], key)
        if self.scheme.weights != "int8":
            return values
        scales = self.scheme.weight_scales.get(key)
        steps, scale = quantised_weight(self.parameters[key], axis, self.number_type, scales)
        return mb.constexpr_affine_dequantize(
            quantized_data=steps, zero_point=np.int8(0), scale=scale, axis=axis, name=f"{name}_weight"
        )

    def bias(self, node: Conv2d | TransposedConv2d) -> NDArray[Any] | None:
        """Bias [out], or None for no bias."""
        offset = self.constants.get(node.output)
        if node.bias is None and offset is None:
            return None
        values = np.zeros(node.out_channels, np.float32) if node.bias is None else self.parameters[node.bias]
        return self.floats(values + np.float32(offset or 0), node.bias or node.weight)

    def int8_view(self, tensor: str) -> Var:
        """A tensor rounded to its int8 grid, or as it is where it has none."""
        grid = self.grid(tensor)
        if grid is None:
            return self.tensors[tensor]
        if tensor not in self.int8_views:
            name = _identifier(tensor)
            steps: dict[str, Any] = {"scale": self.number(grid.scale), "zero_point": np.int8(grid.zero_point)}
            numbers = mb.quantize(input=self.tensors[tensor], output_dtype="int8", name=f"{name}_int8", **steps)
            self.int8_views[tensor] = mb.dequantize(input=numbers, name=f"{name}_from_int8", **steps)
        return self.int8_views[tensor]

    def grid(self, tensor: str) -> Affine | None:
        """The int8 grid of a tensor, that of its source where it only moves samples."""
        if tensor in self.scheme.tensors:
            return self.scheme.tensors[tensor]
        node = self.made_by.get(tensor)
        return self.grid(node.inputs[0]) if isinstance(node, _MOVES_SAMPLES) else None

    def emit_layer_norm(self, node: LayerNorm, x: Var, name: str) -> Var:
        """Over the channels of every position."""
        gamma, beta = (self.floats(self.parameters[key], key) for key in (node.weight, node.bias))
        return mb.layer_norm(x=x, axes=[1], gamma=gamma, beta=beta, epsilon=self.number(node.epsilon), name=name)

    def emit_attention(self, node: ChannelAttention, sources: Sequence[Var], name: str) -> Var:
        """`ChannelAttention`: every head is a matrix [channels, positions].

        q and k are made small before their squares are summed over the positions, which float16 could not hold.
        """
        q, k, v = (
            mb.reshape(x=x, shape=[node.heads, x.shape[1] // node.heads, -1], name=f"{name}_{part}")
            for part, x in zip("qkv", sources, strict=True)
        )
        q, k = (self.emit_unit_rows(x, f"{name}_{part}") for part, x in (("q", q), ("k", k)))
        scores = mb.matmul(x=q, y=k, transpose_y=True, name=f"{name}_scores")
        factors = self.floats(self.parameters[node.temperature], node.temperature)
        shares = mb.softmax(x=mb.mul(x=scores, y=factors, name=f"{name}_scaled"), axis=-1, name=f"{name}_shares")
        rows = mb.matmul(x=shares, y=v, name=f"{name}_rows")
        return mb.reshape(x=rows, shape=mb.shape(x=sources[2], name=f"{name}_shape"), name=name)

    def emit_unit_rows(self, x: Var, name: str) -> Var:
        """Rows of length 1; rows of zeros stay."""
        small = mb.mul(x=x, y=self.number(_SMALL), name=f"{name}_small")
        norm = mb.reduce_l2_norm(x=small, axes=[-1], keep_dims=True, name=f"{name}_norm")
        above = mb.maximum(x=norm, y=self.number(_SMALLEST_NORM), name=f"{name}_above")
        return mb.real_div(x=small, y=above, name=f"{name}_unit")

    def emit_repeated_border(self, node: RepeatBorder, x: Var, name: str) -> Var:
        """x, zero outside the picture, plus itself one row down in the rows outside, then so the columns."""
        mask = self.tensors[mask_name(node.grid, node.grid)]
        for axis, across, side in ((_ROWS, _COLUMNS, "rows"), (_COLUMNS, _ROWS, "columns")):
            inside = mb.reduce_max(x=mask, axes=[across], keep_dims=True, name=f"{name}_{side}_inside")
            outside = mb.sub(x=self.number(1), y=inside, name=f"{name}_{side}_outside")
            pad = [0] * 8
            pad[2 * axis] = 1
            longer = mb.pad(x=x, pad=pad, mode="constant", constant_val=self.number(0), name=f"{name}_{side}_longer")
            moved = _slice(longer, axis, 0, -1, f"{name}_{side}_moved")
            border = mb.mul(x=moved, y=outside, name=f"{name}_{side}_border")
            x = mb.add(x=x, y=border, name=name if axis == _COLUMNS else f"{name}_{side}")
        return x

    def number(self, value: float) -> np.floating:
        """A scalar in the type of the tensors."""
        return self.number_type(value)

    def floats(self, values: NDArray[np.float32], key: str) -> NDArray[np.floating]:
        """A constant in the type of the tensors."""
        return fitting(values, self.number_type, f"{self.graph.name}: parameter {key}")


def _check_tiles(tiles: Sequence[int]) -> None:
    sound = all(tile > 0 and tile % COARSEST_GRID == 0 for tile in tiles)
    if not tiles or not sound or len(set(tiles)) != len(tiles):
        raise ConversionError(f"tile sizes {list(tiles)} are not different multiples of {COARSEST_GRID}")


def _constants_after_convolutions(graph: Graph) -> dict[str, float]:
    """Output of a convolution -> the constant that its only reader adds to it."""
    convolutions = {node.output for node in graph.nodes if isinstance(node, Conv2d | TransposedConv2d)}
    readers = [name for node in graph.nodes for name in node.inputs] + list(graph.outputs)
    return {
        node.inputs[0]: node.value
        for node in graph.nodes
        if isinstance(node, AddConstant) and node.inputs[0] in convolutions and readers.count(node.inputs[0]) == 1
    }


def _slice(x: Var, axis: int, start: int, stop: int, name: str) -> Var:
    """Elements start..stop-1 of one axis; a negative stop counts from the end."""
    others = [other != axis for other in range(4)]
    begin, end = [0] * 4, [0] * 4
    begin[axis], end[axis] = start, stop
    return mb.slice_by_index(x=x, begin=begin, end=end, begin_mask=others, end_mask=others, name=name)


def _identifier(tensor: str) -> str:
    """The name of a tensor in MIL, which knows letters, digits and underscores only."""
    return "".join(character if character.isalnum() else "_" for character in tensor)
