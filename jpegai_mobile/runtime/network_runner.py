"""Runs a network of the bundle with LiteRT on tiles of any size.

Arrays are float32 [row, column, channel]. The graph states at which tile size it was authored
(AUTHORED_EXTENT luma samples in each direction), so the number of rows of a tensor in the file tells how
many luma samples one of its elements stands for: its grid.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ..codestream.components import grid_size
from ..errors import BundleError
from ..text import first_line
from .mapped_file import drop_pages

AUTHORED_EXTENT = 64
"""Luma samples in each direction of the tile whose tensor shapes stand in a graph file."""

_MASK_PREFIX = "mask_"

Size = tuple[int, int]
"""Rows, columns."""


def mask_name(grid: int, crop: int) -> str:
    """Name of the 0/1 input that marks what is inside a tensor of `grid` luma samples per element.

    It was cropped to ceil(H / crop) rows when it had `crop` luma samples per element, and up-sampled since.
    """
    return f"{_MASK_PREFIX}{crop}" if crop == grid else f"{_MASK_PREFIX}{crop}_at_{grid}"


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a graph."""

    index: int
    """Of the tensor in the file."""
    grid: int
    """Luma samples per element in each direction."""
    channels: int


class NetworkRunner:
    """One network in one interpreter, for one thread at a time; `run` releases the GIL while it computes."""

    def __init__(self, graph: bytes | Path, num_threads: int = 1) -> None:
        """`graph` is a TFLite file, its bytes or its path; raises BundleError when it is none of this project."""
        self._file = graph if isinstance(graph, Path) else None
        source = {"model_content": graph} if self._file is None else {"model_path": str(graph)}
        try:
            self._interpreter: Any = Interpreter(**source, num_threads=num_threads)
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"network graph is damaged: {first_line(error)}") from error
        inputs = _tensors(self._interpreter.get_input_details())
        self.inputs = {name: info for name, info in inputs.items() if not name.startswith(_MASK_PREFIX)}
        self.outputs = _tensors(self._interpreter.get_output_details())
        self._masks = {name: info for name, info in inputs.items() if name.startswith(_MASK_PREFIX)}
        self._tile: Size | None = None

    def run(
        self, inputs: Mapping[str, NDArray[np.float32]], extent: Size | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Outputs by name for a tile of `extent` = (H, W) luma samples; default: all that the inputs cover.

        An input of grid g has ceil(H / g) x ceil(W / g) elements, and so has every output. Raises ValueError
        for inputs that are not those of the graph or do not fit the extent, BundleError when LiteRT fails.
        """
        parts = {name: (values,) for name, values in inputs.items()}
        return {name: values.copy() for name, values in self.run_in_place(parts, extent).items()}

    def run_in_place(
        self, inputs: Mapping[str, tuple[NDArray[np.float32], ...]], extent: Size | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """As `run`, without copies: for large arrays that are read once.

        An input is given as the parts that lie side by side along its channels. Outputs are views of the
        interpreter's memory: whoever holds one at the next run makes that one fail with BundleError.
        """
        if self._interpreter is None:
            raise ValueError("the network runner is closed")
        tile = self._covered(inputs)
        extent = extent or tile
        self._check_sizes(inputs, extent)
        try:
            self._resize(tile)
            for name, info in self.inputs.items():
                _fill(self._interpreter.tensor(info.index)()[0], inputs[name])
            for name, info in self._masks.items():
                self._interpreter.set_tensor(info.index, _mask(name, info, tile, extent))
            self._interpreter.invoke()
            return {name: self._output(info, extent) for name, info in self.outputs.items()}
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"network graph does not run: {first_line(error)}") from error

    def delegation(self) -> tuple[int, bool]:
        """How many delegates compute the network, and whether they leave nothing to others; known after a run."""
        operators = self._interpreter._get_ops_details()
        delegates = [op for op in operators if op["op_name"] == "DELEGATE"]
        delegated = {int(index) for op in delegates for index in op["outputs"]}
        computed = {int(index) for op in operators if op["op_name"] != "DELEGATE" for index in op["outputs"]}
        read = {int(index) for op in delegates for index in op["inputs"]}
        outputs = {info.index for info in self.outputs.values()}
        return len(delegates), outputs <= delegated and read.isdisjoint(computed - delegated)

    def close(self) -> None:
        """Give the memory of the interpreter back."""
        self._interpreter = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _covered(self, inputs: Mapping[str, tuple[NDArray[np.float32], ...]]) -> Size:
        """Luma samples that the coarsest input covers; the tensors of the graph are multiples of it."""
        if inputs.keys() != self.inputs.keys():
            raise ValueError(f"inputs are {sorted(inputs)}, the network has {sorted(self.inputs)}")
        name = max(self.inputs, key=lambda name: self.inputs[name].grid)
        rows, columns = inputs[name][0].shape[:2]
        return rows * self.inputs[name].grid, columns * self.inputs[name].grid

    def _check_sizes(self, inputs: Mapping[str, tuple[NDArray[np.float32], ...]], extent: Size) -> None:
        for name, info in self.inputs.items():
            expected = (*_elements(extent, info), info.channels)
            channels = sum(part.shape[2] for part in inputs[name])
            for part in inputs[name]:
                if (*part.shape[:2], channels) != expected:
                    given = (*part.shape[:2], channels)
                    raise ValueError(f"input {name} is {given}; {extent[0]}x{extent[1]} samples need {expected}")

    def _resize(self, tile: Size) -> None:
        """Give the graph the tensor shapes of a tile, unless it has them already."""
        if tile == self._tile:
            return
        self._tile = None
        for info in (*self.inputs.values(), *self._masks.values()):
            self._interpreter.resize_tensor_input(info.index, [1, *_elements(tile, info), info.channels])
        with _without_banner():
            self._interpreter.allocate_tensors()
        if self._file is not None:
            drop_pages(self._file)  # the kernels have packed the weights
        self._tile = tile

    def _output(self, info: TensorInfo, extent: Size) -> NDArray[np.float32]:
        rows, columns = _elements(extent, info)
        values: NDArray[np.float32] = self._interpreter.tensor(info.index)()
        inside = values[0, :rows, :columns] if values.ndim == 4 and len(values) else values
        if inside.shape != (rows, columns, info.channels):
            raise BundleError(f"network graph gives an output of shape {values.shape} for {extent} luma samples")
        return inside


def _elements(samples: Size, info: TensorInfo) -> Size:
    """Rows and columns of a tensor for this many luma samples."""
    return grid_size(samples[0], info.grid), grid_size(samples[1], info.grid)


def _fill(tensor: NDArray[np.float32], parts: tuple[NDArray[np.float32], ...]) -> None:
    """Write parts side by side along the channels."""
    first = 0
    for part in parts:
        tensor[..., first : first + part.shape[2]] = part
        first += part.shape[2]


def _mask(name: str, info: TensorInfo, tile: Size, extent: Size) -> NDArray[np.float32]:
    """[1, rows, columns, 1] for a tile of which `extent` luma samples count: one inside, else zero."""
    crop = int(name.split("_")[1])
    rows, columns = (grid_size(samples, crop) * crop // info.grid for samples in extent)
    mask = np.zeros((1, *_elements(tile, info), 1), np.float32)
    mask[:, :rows, :columns] = 1
    return mask


def _tensors(details: list[dict[str, Any]]) -> dict[str, TensorInfo]:
    """Inputs or outputs as LiteRT lists them before any resize."""
    tensors = {}
    for detail in details:
        shape = [int(size) for size in detail["shape"]]
        sound = len(shape) == 4 and shape[0] == 1 and shape[1] == shape[2] and min(shape) > 0
        if detail["dtype"] is not np.float32 or not sound or AUTHORED_EXTENT % shape[1]:
            raise BundleError(f"network graph: tensor {detail['name']} is not a float32 tile, shape {shape}")
        tensors[detail["name"]] = TensorInfo(detail["index"], AUTHORED_EXTENT // shape[1], shape[3])
    return tensors


_STDERR = 2
_BANNER = b"INFO: Created TensorFlow Lite XNNPACK delegate"
_banner_lock = threading.Lock()
_banner_seen = False


@contextmanager
def _without_banner() -> Iterator[None]:
    """Keep the line with which the first delegate of a process announces itself off stderr, and no other."""
    global _banner_seen
    scratch = None if _banner_seen else _scratch_file()
    if scratch is None:
        yield
        return
    with _banner_lock, scratch as held_back:
        stderr = _redirect_stderr(held_back.fileno())
        try:
            yield
        finally:
            if stderr is not None:
                os.dup2(stderr, _STDERR)
                os.close(stderr)
                held_back.seek(0)
                for line in held_back:
                    if line.startswith(_BANNER):
                        _banner_seen = True
                    else:
                        os.write(_STDERR, line)


def _scratch_file() -> IO[bytes] | None:
    """A temporary file; None where there is no place for one, as in a container that only reads."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None


def _redirect_stderr(target: int) -> int | None:
    """Let stderr go to the file `target`; gives what it was, None in a process that has none."""
    try:
        stderr = os.dup(_STDERR)
    except OSError:
        return None
    os.dup2(target, _STDERR)
    return stderr
