"""The models as the reference software exports them: networks in ONNX, tables in CSV.

    common/model_K/{primary,secondary}/common_modules/
        hyper_decoder.onnx  hyper_encoder.onnx  hyper_scale_decoder.onnx  quantizer/gain_unit_mlog.csv
        MCM/stage{0,1,2,3}.onnx                 context model, luma (primary) only
    enc_dec/model_K/{primary,secondary}/
        analysis_0.onnx (BOP)  synthesis_{0,1,2}.onnx (SOP, BOP, HOP)
        z_map_table.csv                         channel -> distribution of z
    me-tANS/
        transition_table_z_{symbol,nBits,stateNext}.csv    a coding table of z per line, for each of its 256 states
        unique_z_distributions.csv              instead: a frequency per symbol, a distribution per line
    ICCI/
        model_{0..19}.onnx                      eICCI: the bank of SOP and BOP, then that of HOP

Parameters keep their names in ONNX, shortened to those inside the exported module or behind `KIND.inst.`; the
shifts of the hyper scale decoder are what its three divisions divide by. For eICCI see onnx_eicci.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.entropy.coding_tables import STATES, Z_ESCAPE, Z_SYMBOLS, z_table
from jpegai_mobile.errors import BundleError

from .checkpoint import (
    COMPONENTS,
    EICCI_BANK,
    MODEL_SUFFIXES,
    CheckpointFile,
    Checkpoints,
    analysis_name,
    common_name,
    eicci_name,
    synthesis_name,
)
from .entropy_model import GAIN, GAIN_ONE, SCALE_DECODER_LAYERS, Z_FREQUENCIES, Z_QUANTIZED
from .onnx_eicci import eicci_tensors
from .onnx_model import OnnxModel
from .state_dict import read_file

FOLDERS = dict(zip(COMPONENTS, ("primary", "secondary"), strict=True))
SYNTHESIS_INDEX = {"sop": 0, "bop": 1, "hop": 2}
EICCI_BANKS = ("bop", "hop")
EICCI_MODELS = "ICCI/model_"
STAGES = 4
MAX_CSV_BYTES = 4 << 20
SCALE_DECODER = "hyper_scale_decoder."
ENCODER = "hyper_encoder."
"""Of the file of the entropy part, what a decoder does without: an export may lack it."""
DISTRIBUTIONS = "me-tANS/unique_z_distributions.csv"
TRANSITIONS = tuple(f"me-tANS/transition_table_z_{column}.csv" for column in ("symbol", "nBits", "stateNext"))

Tensors = dict[str, NDArray[np.generic]]
Integers = NDArray[np.int64]
_T = TypeVar("_T")
_Integer = TypeVar("_Integer", bound=np.integer)


@dataclass(frozen=True)
class ExportedFile(CheckpointFile):
    """A checkpoint file put together from exported ones."""

    parts: Mapping[str, str] = field(default_factory=dict)
    """Start of tensor names -> the exported file that holds these tensors, under the rest of their names."""

    def where(self, tensor: str) -> str:
        """How errors name a tensor: the exported file, and its name in there."""
        for start, file in self.parts.items():
            if tensor.startswith(start):
                name = tensor.removeprefix(start)
                return f"{file}: tensor {name!r}" if name else f"{file}: its table"
        return super().where(tensor)


class OnnxExport(Checkpoints):
    """A folder of exported models; files are read when asked for, each once."""

    eicci_folder = "eICCI"

    def __init__(self, root: Path) -> None:
        """Nothing is read yet."""
        self.root = root
        self._digests: dict[str, str] = {}
        self._files: dict[str, ExportedFile] = {}
        self._parts: dict[str, dict[str, str]] = {}
        for model in range(len(MODEL_SUFFIXES)):
            for component in COMPONENTS:
                coder = f"enc_dec/model_{model}/{FOLDERS[component]}"
                self._parts[common_name(component, model)] = _common_parts(component, model)
                self._parts[analysis_name(component, model)] = {"": f"{coder}/analysis_0.onnx"}
                for point, index in SYNTHESIS_INDEX.items():
                    self._parts[synthesis_name(point, component, model)] = {"": f"{coder}/synthesis_{index}.onnx"}
        names = [eicci_name(self.eicci_folder, bank, i) for bank in EICCI_BANKS for i in range(len(EICCI_BANK))]
        self._parts |= {name: {"": f"{EICCI_MODELS}{number}.onnx"} for number, name in enumerate(names)}

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a folder looks like such an export."""
        return any(path.glob("common/model_*/*/common_modules"))

    @property
    def sources(self) -> dict[str, str]:
        """Exported file -> SHA-256 of what has been read so far."""
        return dict(sorted(self._digests.items()))

    def holds(self, name: str) -> bool:
        """Whether the export has the networks of the checkpoint file `name`."""
        return name in self._parts and (self.root / next(iter(self._parts[name].values()))).is_file()

    def read(self, name: str) -> CheckpointFile:
        """The tensors of the checkpoint file `name`. Raises BundleError, naming the exported file and the tensor."""
        if name not in self._parts:
            raise BundleError(f"{self.root}: an export holds nothing of {name}")
        if name not in self._files:
            self._files[name] = self._put_together(name, self._parts[name])
        return self._files[name]

    def _put_together(self, name: str, parts: Mapping[str, str]) -> ExportedFile:
        tensors: Tensors = {}
        present = {start: file for start, file in parts.items() if start != ENCODER or (self.root / file).exists()}
        for start, file in present.items():
            match start:
                case "quantizer.gain_unit.c":
                    tensors[GAIN] = (self._table(file) / GAIN_ONE).astype(np.float32)
                case "hyper_entropy.freqs_int":
                    tensors[Z_FREQUENCIES] = self._frequencies(file)
                    tensors[Z_QUANTIZED] = np.ones(1, np.bool_)
                case "hyper_scale_decoder.":
                    tensors |= self._parsed(file, _scale_decoder)
                case _ if file.startswith(EICCI_MODELS):
                    tensors |= self._parsed(file, eicci_tensors)
                case _:
                    model = self._parsed(file, OnnxModel)
                    tensors |= {start + _inner(name): array for name, array in model.tensors.items()}
        digests = "".join(self._digests[file] for file in present.values())
        return ExportedFile(name, hashlib.sha256(digests.encode()).hexdigest(), tensors, parts)

    def _frequencies(self, map_file: str) -> NDArray[np.int32]:
        """[C, 63] the frequencies of z by channel. Raises BundleError."""
        channels = self._table(map_file)[:, 0]
        files = (DISTRIBUTIONS,) if (self.root / DISTRIBUTIONS).is_file() else TRANSITIONS
        tables = [self._table(file) for file in files]
        count = min(map(len, tables))
        if channels.min() < 0 or channels.max() >= count:
            raise BundleError(f"{self.root / map_file}: names a distribution outside 0..{count - 1}")
        known = {}
        for index in np.unique(channels):
            try:
                known[index] = _distribution([table[index] for table in tables])
            except ValueError as error:
                raise BundleError(f"{self.root / files[0]}: line {index + 1} {error}") from error
        return np.array([known[index] for index in channels])

    def _table(self, file: str) -> Integers:
        return self._parsed(file, _integers)

    def _parsed(self, file: str, parse: Callable[[bytes], _T]) -> _T:
        data = read_file(self.root / file)
        self._digests[file] = hashlib.sha256(data).hexdigest()
        try:
            return parse(data)
        except ValueError as error:
            raise BundleError(f"{self.root / file}: {error}") from error


def _common_parts(component: str, model: int) -> dict[str, str]:
    """Start of tensor names -> exported file, of the file of the entropy part; the first stands for all."""
    modules = f"common/model_{model}/{FOLDERS[component]}/common_modules"
    parts = {f"{name}.": f"{modules}/{name}.onnx" for name in ("hyper_decoder", "hyper_encoder", "hyper_scale_decoder")}
    if component == "y":
        parts |= {f"context.MCM.{stage}.": f"{modules}/MCM/stage{stage}.onnx" for stage in range(STAGES)}
    parts[GAIN] = f"{modules}/quantizer/gain_unit_mlog.csv"
    parts[Z_FREQUENCIES] = f"enc_dec/model_{model}/{FOLDERS[component]}/z_map_table.csv"
    return parts


def _inner(name: str) -> str:
    """The name inside a module that the reference keeps behind `KIND.inst.`."""
    return name.partition(".inst.")[2] or name


def _distribution(rows: Sequence[Integers]) -> NDArray[np.int32]:
    """[63] how often each symbol of z occurs: as a line says, or of the states of a coding table of three lines."""
    if len(rows) == 1:
        (frequencies,) = rows
        if frequencies.shape != (Z_SYMBOLS,) or np.any(frequencies != frequencies.astype(np.int32)):
            raise ValueError(f"is not {Z_SYMBOLS} frequencies")
        return frequencies.astype(np.int32)
    states = np.bincount(rows[0].clip(0, Z_ESCAPE), minlength=Z_ESCAPE + 1)[:Z_SYMBOLS]
    machine = z_table(np.cumsum(states).clip(0, STATES - 1).tolist()).machine
    if [tuple(row) for row in rows] != [machine.symbol, machine.bits, machine.base]:
        raise ValueError(
            "is no coding table of z together with the files beside it; export scripts that write such tables "
            f"also write {Path(DISTRIBUTIONS).name}: put it there"
        )
    return states.astype(np.int32)


def _scale_decoder(data: bytes) -> Tensors:
    """Weights, biases and shifts of the integer layers by their checkpoint names. Raises ValueError."""
    model = OnnxModel(data)
    layers = [operator for operator in model.operators if operator.kind == "Conv"]
    divisions = [operator for operator in model.operators if operator.kind == "Div"]
    if len(layers) != len(SCALE_DECODER_LAYERS) or len(divisions) != len(layers):
        raise ValueError(f"has {len(layers)} convolutions and {len(divisions)} divisions, not three of each")
    tensors: Tensors = {}
    for name, division in zip(SCALE_DECODER_LAYERS, divisions, strict=True):
        layer = name.removeprefix(SCALE_DECODER)
        tensors |= {
            f"{name}.weight": _whole(model.tensors.get(f"{layer}.weight"), f"{layer}.weight", np.int8),
            f"{name}.bias": _whole(model.tensors.get(f"{layer}.bias"), f"{layer}.bias", np.int32),
            f"{name}.per_channel_shifts": _exponents(model, division.inputs, layer),
            f"{name}.is_quantized": np.ones(1, np.bool_),
        }
    return tensors


def _exponents(model: OnnxModel, inputs: Sequence[str], layer: str) -> NDArray[np.int8]:
    """s of a division by 2^s, which is a constant or made by `Pow` of two. Raises ValueError."""
    divisor = inputs[-1] if inputs else ""
    maker = model.maker(divisor)
    if maker is not None and maker.kind == "Pow" and len(maker.inputs) == 2:
        base = model.constant(maker.inputs[0])
        if base is not None and np.all(base == 2):
            return _whole(model.constant(maker.inputs[1]), f"{layer}.per_channel_shifts", np.int8)
    powers = _whole(model.constant(divisor), f"{layer}.per_channel_shifts", np.int64)
    if np.any(powers < 1) or np.any(powers & (powers - 1)):
        raise ValueError(f"the divisor of layer {layer!r} is no power of two")
    return np.log2(powers).astype(np.int8)


def _whole(tensor: NDArray[np.generic] | None, name: str, dtype: type[_Integer]) -> NDArray[_Integer]:
    """Integers that may be stored as floats. Raises ValueError, naming the tensor."""
    if tensor is None:
        raise ValueError(f"tensor {name!r} is missing")
    numbers = tensor.astype(np.float64)
    if tensor.dtype.kind not in "iuf" or np.any(numbers != np.rint(numbers)):
        raise ValueError(f"tensor {name!r} holds no integers: the network was never made an integer one")
    limits = np.iinfo(dtype)
    if np.any(numbers < limits.min) or np.any(numbers > limits.max):
        raise ValueError(f"tensor {name!r} has a value outside {limits.min}..{limits.max}")
    return tensor.astype(dtype)


def _integers(data: bytes) -> Integers:
    """[line, column] of a CSV file of integers. Raises ValueError, naming the line."""
    if len(data) > MAX_CSV_BYTES:
        raise ValueError(f"larger than {MAX_CSV_BYTES} bytes")
    lines = [line for line in data.decode("ascii", "replace").splitlines() if line.strip()]
    if not lines:
        raise ValueError("is empty")
    columns = lines[0].count(",") + 1
    for number, line in enumerate(lines, start=1):
        if line.count(",") + 1 != columns:
            raise ValueError(f"line {number} does not have the {columns} columns of the first")
    numbers = []
    for cell in chain.from_iterable(line.split(",") for line in lines):
        try:
            numbers.append(int(cell))
        except ValueError:
            raise ValueError(f"line {len(numbers) // columns + 1}: {cell[:40]!r} is no integer") from None
    try:
        return np.array(numbers, np.int64).reshape(len(lines), columns)
    except OverflowError as error:
        raise ValueError("holds an integer of more than 64 bits") from error
