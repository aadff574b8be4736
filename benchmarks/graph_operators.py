"""What the synthesis graphs of a bundle consist of, operator by operator, in products and in bytes moved.

python -m benchmarks.graph_operators BUNDLE [--precision int8] [--run y,bop,100] [--output OUT.tsv]

Both are per luma sample and do not depend on the machine: products of convolutions, and bytes of activations that an
operator reads and writes (constants left out). With --run a network computes a tile of 512 x 512 luma samples that
often, and nothing else, for a profiler: on Linux, `perf record -e cycles:u python -m benchmarks.graph_operators ...`
and `perf report --sort symbol` give the share of every kernel of XNNPACK.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from benchmarks.command import command_of
from jpegai_mobile import open_bundle
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.codestream.components import LATENT_GRID
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.network_runner import AUTHORED_EXTENT, NetworkRunner

HEADER = ("network", "operator", "count", "multiplications_per_sample", "bytes_per_sample")
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
RUN_EXTENT = 512


def operators(tflite: bytes) -> Iterator[tuple[str, float, float]]:
    """Operator with types, products and bytes per luma sample, in the order of the file; without those of constants."""
    interpreter = Interpreter(
        model_content=tflite, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    activations = {detail["index"] for detail in interpreter.get_input_details()}
    samples = AUTHORED_EXTENT * AUTHORED_EXTENT
    for operator in interpreter._get_ops_details():
        inputs = [index for index in operator["inputs"] if index in activations]
        if not inputs:
            continue
        (output,) = operator["outputs"]
        activations.add(output)
        read = [output] if operator["op_name"] == "STRIDED_SLICE" else inputs
        moved = sum(_bytes(details[index]) for index in (*read, output))
        products = 0
        if operator["op_name"] in CONVOLUTIONS:
            filters = details[operator["inputs"][1]]["shape"]
            taps = filters[1:] if operator["op_name"] == "CONV_2D" else filters[1:3]
            products = int(np.prod(details[output]["shape"])) * int(np.prod(taps))
        yield _title(operator["op_name"], details, inputs, output), products / samples, moved / samples


def _bytes(detail: dict[str, Any]) -> int:
    return int(np.prod(detail["shape"])) * np.dtype(detail["dtype"]).itemsize


def _title(kind: str, details: dict[int, Any], inputs: list[int], output: int) -> str:
    """The operator with its types; products with a mask are told from those of tensors."""
    read, written = (np.dtype(details[index]["dtype"]).name for index in (inputs[0], output))
    channels = [int(details[index]["shape"][-1]) for index in inputs]
    mask = " by a mask" if kind == "MUL" and 1 in channels[1:] else ""
    return f"{kind}{mask} {read}" + (f" to {written}" if written != read else "")


def table(bundle: Bundle, precision: str) -> Iterator[tuple[str, str, int, str, str]]:
    """Rows of the operators of each synthesis network of the first model, those that move the most bytes first."""
    model = bundle.models()[0]
    for point in ("sop", "bop"):
        for component in ("y", "uv"):
            sums: dict[str, list[float]] = {}
            for title, products, moved in operators(bundle.graph("synthesis", component, model, point, precision)):
                total = sums.setdefault(title, [0, 0, 0])
                sums[title] = [value + more for value, more in zip(total, (1, products, moved), strict=True)]
            for title, (count, products, moved) in sorted(sums.items(), key=lambda item: -item[1][2]):
                yield f"{component} {point}", title, int(count), f"{products:.0f}", f"{moved:.1f}"


def run(bundle: Bundle, component: str, point: str, precision: str, count: int) -> None:
    """Compute a tile of noise `count` times."""
    runner = NetworkRunner(bundle.graph("synthesis", component, bundle.models()[0], point, precision))
    ((name, info),) = runner.inputs.items()
    size = RUN_EXTENT // LATENT_GRID
    latents = np.random.default_rng(1).normal(size=(size, size, info.channels)).astype(np.float32)
    for _ in range(count):
        runner.run({name: latents})


def main() -> None:
    """Print the table, or run one network; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph_operators", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--run", metavar="COMPONENT,POINT,TIMES")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with open_bundle(options.bundle) as bundle:
        if options.run:
            component, point, count = options.run.split(",")
            run(bundle, component, point, options.precision, int(count))
            return
        rows = list(table(bundle, options.precision))
    show_result(HEADER, rows, options.output, command_of(parser))


if __name__ == "__main__":
    main()
