"""Writes ONNX files, and whole exports in the layout of the reference software, without PyTorch and ONNX."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.checkpoint import COMPONENTS, Checkpoints, analysis_name, synthesis_name
from converters.entropy_model import GAIN, Z_FREQUENCIES, cumulative_table
from converters.onnx_export import FOLDERS
from jpegai_mobile.entropy.coding_tables import z_table

Array = NDArray[np.generic]
Tensors = Mapping[str, Array]
DATA_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
}


def varint(number: int) -> bytes:
    """An integer of the wire format."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | str | bytes) -> bytes:
    """A field of the wire format: an integer, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def floats(number: int, values: Sequence[float]) -> bytes:
    """A repeated field of floats, packed."""
    return field(number, struct.pack(f"<{len(values)}f", *values))


def tensor(name: str, array: Array) -> bytes:
    """A TensorProto with raw data."""
    shape = b"".join(field(1, size) for size in array.shape)
    return shape + field(2, DATA_TYPES[array.dtype.name]) + field(8, name) + field(9, array.tobytes())


def node(kind: str, inputs: Sequence[str], output: str, value: Array | None = None) -> bytes:
    """A NodeProto; `value` is that of a Constant."""
    names = b"".join(field(1, name) for name in inputs) + field(2, output) + field(3, f"/{output}")
    attribute = b"" if value is None else field(5, field(1, "value") + field(5, tensor("", value)) + field(20, 4))
    return names + field(4, kind) + attribute


def model(tensors: Tensors, nodes: Sequence[bytes] = ()) -> bytes:
    """A ModelProto of opset 11."""
    parts = [field(1, part) for part in nodes] + [field(5, tensor(name, array)) for name, array in tensors.items()]
    return field(1, 6) + field(2, "pytorch") + field(7, b"".join(parts)) + field(8, field(2, 11))


def write(path: Path, data: bytes) -> None:
    """A file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_table(path: Path, rows: NDArray[np.integer]) -> None:
    """A CSV file."""
    write(path, "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()).encode())


def network(tensors: Tensors, prefix: str = "") -> bytes:
    """An exported network: of tensors that are equal only the first is stored, the others are named by Identity."""
    stored: dict[tuple[object, ...], str] = {}
    nodes = []
    kept = {}
    for name, array in tensors.items():
        same = stored.setdefault((array.dtype, array.shape, array.tobytes()), name)
        if same == name:
            kept[prefix + name] = array
        else:
            nodes.append(node("Identity", [prefix + same], prefix + name))
    return model(kept, nodes)


def scale_decoder(tensors: Tensors) -> bytes:
    """The exported hyper scale decoder: integers as int32, each layer divided by powers of two."""
    nodes: list[bytes] = []
    stored: dict[str, Array] = {}
    for index, layer in enumerate(("conv1", "depthwise", "pointwise")):
        for name in (f"{layer}.weight", f"{layer}.bias"):
            if name in tensors:
                stored[name] = tensors[name].astype(np.int32)
        stored[f"onnx::Pow_{index}"] = tensors[f"{layer}.per_channel_shifts"].astype(np.float32)
        nodes += [
            node("Conv", [f"x{index}", f"{layer}.weight", f"{layer}.bias"], f"sum{index}"),
            node("Constant", [], f"two{index}", np.array(2, np.float32)),
            node("Pow", [f"two{index}", f"onnx::Pow_{index}"], f"power{index}"),
            node("Cast", [f"power{index}"], f"divisor{index}"),
            node("Div", [f"sum{index}", f"divisor{index}"], f"x{index + 1}"),
        ]
    return model(stored, nodes)


def eicci_network(tensors: Tensors, change: Mapping[str, bytes] | None = None) -> bytes:
    """An exported eICCI network: normalisations folded, but for that of the convolution that U and V share.

    The layers of U and V stand there twice. `change` replaces operators by the name of their output.
    """
    nodes = {"bands": node("Concat", ["Y", "U", "V"], "bands")}
    stored: dict[str, Array] = {}

    def add(kind: str, inputs: Sequence[str], output: str) -> str:
        nodes[output] = node(kind, inputs, output)
        return output

    def convolution(x: str, layer: str, norm: str, path: str) -> str:
        output = f"{layer}{path}"
        weight, bias = (tensors[f"{layer}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        gamma, beta, mean, variance = (
            tensors[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + 1e-5)
        stored[f"onnx::Conv_{output}_w"] = (weight * factor.reshape(-1, 1, 1, 1)).astype(np.float32)
        stored[f"onnx::Conv_{output}_b"] = ((bias - mean) * factor + beta).astype(np.float32)
        return add("Conv", [x, f"onnx::Conv_{output}_w", f"onnx::Conv_{output}_b"], output)

    def plain(x: str, layer: str, output: str) -> str:
        stored.update({f"{layer}.{part}": tensors[f"{layer}.{part}"] for part in ("weight", "bias")})
        return add("Conv", [x, f"{layer}.weight", f"{layer}.bias"], output)

    shared = plain("bands", "conv_firstUV", "conv_firstUV")
    norms = [f"BNUV.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    stored.update({name: tensors[name] for name in norms})
    for plane, hidden, blocks in (("Y", "hidden_layer_Y", 2), ("U", "hidden_layer_UV", 4), ("V", "hidden_layer_UV", 4)):
        first = (
            convolution("bands", "conv_first_Y", "BNY", plane)
            if plane == "Y"
            else add("BatchNormalization", [shared, *norms], f"norm{plane}")
        )
        x = add("Relu", [first], f"features{plane}")
        for block in range(blocks):
            layer = f"{hidden}.{block}"
            inner = add("Relu", [convolution(x, f"{layer}.conv1", f"{layer}.BN1", plane)], f"{layer}.relu{plane}")
            outer = convolution(inner, f"{layer}.conv2", f"{layer}.BN2", plane)
            stored[f"{layer}.scale"] = tensors[f"{layer}.scale"]
            x = add("Add", [x, add("Mul", [outer, f"{layer}.scale"], f"{layer}.mul{plane}")], f"{layer}.add{plane}")
        last = "conv_last_Y" if plane == "Y" else f"conv_last_{plane.lower()}"
        stored[f"scale{plane}"] = tensors[f"scale{plane}"]
        correction = add("Mul", [plain(x, last, f"last{plane}"), f"scale{plane}"], f"mul{plane}")
        add("Add", [correction, plane], f"{plane}_o")
    return model(stored, list((nodes | dict(change or {})).values()))


def inside(tensors: Tensors, start: str) -> dict[str, Array]:
    """The tensors whose names begin with `start`, under the rest of their names."""
    return {name.removeprefix(start): array for name, array in tensors.items() if name.startswith(start)}


def write_export(root: Path, source: Checkpoints, index: int = 1, *, frequencies: bool = False) -> Path:
    """Model `index` of `source` as the reference exports it, z by coding tables or by `frequencies`."""
    distributions: dict[bytes, NDArray[np.int32]] = {}
    for component in COMPONENTS:
        common = source.common(component, index).tensors
        modules = root / f"common/model_{index}/{FOLDERS[component]}/common_modules"
        coder = root / f"enc_dec/model_{index}/{FOLDERS[component]}"
        for name in ("hyper_decoder", "hyper_encoder"):
            write(modules / f"{name}.onnx", network(inside(common, f"{name}.")))
        for stage in range(4) if component == "y" else ():
            write(modules / f"MCM/stage{stage}.onnx", network(inside(common, f"context.MCM.{stage}.")))
        write(modules / "hyper_scale_decoder.onnx", scale_decoder(inside(common, "hyper_scale_decoder.")))
        gains = np.maximum(np.rint(common[GAIN].astype(np.float64).sum(axis=1) * 128), -2048).astype(int)
        write_table(modules / "quantizer/gain_unit_mlog.csv", gains[:, np.newaxis])
        rows = np.asarray(common[Z_FREQUENCIES], np.int32)
        distributions.update({row.tobytes(): row for row in rows})
        order = list(distributions)
        write_table(coder / "z_map_table.csv", np.array([[order.index(row.tobytes())] for row in rows]))
        suffix = "prim" if component == "y" else "sec"
        if source.holds(analysis_name(component, index)):
            analysis = source.read(analysis_name(component, index)).tensors
            write(coder / "analysis_0.onnx", network(analysis, f"bop_{suffix}.inst."))
        for number, point in enumerate(("sop", "bop", "hop")):
            if source.holds(synthesis_name(point, component, index)):
                synthesis = source.read(synthesis_name(point, component, index)).tensors
                write(coder / f"synthesis_{number}.onnx", network(synthesis, f"{point}_{suffix}.inst."))
    table = np.array(list(distributions.values()))
    if frequencies:
        write_table(root / "me-tANS/unique_z_distributions.csv", table)
    else:
        machines = [z_table(row.tolist()).machine for row in cumulative_table(table)]
        for column, values in (("symbol", "symbol"), ("nBits", "bits"), ("stateNext", "base")):
            path = root / f"me-tANS/transition_table_z_{column}.csv"
            write_table(path, np.array([getattr(machine, values) for machine in machines]))
    return root
