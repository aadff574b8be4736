"""What a first run of the networks costs: LiteRT's Interpreter beside its CompiledModel with a weight cache.

python -m benchmarks.cold_start BUNDLE [--precisions float32,int8] [--rounds 5] [--output OUT.tsv]

Every measurement is a fresh process that prepares the five networks of a BOP decode and runs each once on a tile of
256 x 256 samples: processor time of importing the runtime, of preparing, of the first runs, and memory above the
interpreter that has NumPy only. The processes of a round take turns; medians are printed. The Interpreter of Python has
no weight cache; "written" is a first start that fills the cache, "read" a later one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.command import command_of
from jpegai_mobile.bench.results import show_result

EXTENT = 256
AUTHORED_EXTENT = 64
"""As in `jpegai_mobile.runtime.network_runner`, which is not imported: it brings the Interpreter with it."""
WAYS = ("Interpreter", "CompiledModel", "CompiledModel, cache written", "CompiledModel, cache read")
MEASURES = ("import_ms", "prepare_ms", "run_ms", "resident_mib", "peak_mib")
HEADER = ("precision", "runtime", *MEASURES)


def resident(kind: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at most."""
    return int(Path("/proc/self/status").read_text().partition(f"{kind}:")[2].split()[0]) / 1024


def scaled(shape: list[int]) -> list[int]:
    """The shape of an input for a tile of EXTENT samples."""
    return [1, *(size * EXTENT // AUTHORED_EXTENT for size in shape[1:3]), shape[3]]


def prepare_interpreter(path: Path) -> Callable[[], object]:
    """A network in an Interpreter, ready to run."""
    from ai_edge_litert.interpreter import Interpreter

    network = Interpreter(model_path=str(path), num_threads=1)
    for detail in network.get_input_details():
        network.resize_tensor_input(detail["index"], scaled(list(detail["shape"])))
    network.allocate_tensors()
    return network.invoke


def prepare_compiled(path: Path, environment: Any, cache: str) -> Callable[[], object]:
    """A network in a CompiledModel, ready to run."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import CpuOptions, Options

    processor = CpuOptions(num_threads=1, xnnpack_weight_cache_path=f"{cache}/{path.name}.cache" if cache else "")
    options = Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=processor)
    network = CompiledModel.from_file(str(path), environment=environment, options=options)
    (signature,) = network.get_signature_list()
    for name, detail in network.get_input_tensor_details(signature).items():
        network.resize_input_tensor_by_name(signature, name, scaled(detail["shape"]))
    inputs, outputs = network.create_input_buffers(0), network.create_output_buffers(0)
    for buffer, detail in zip(inputs, network.get_input_tensor_details(signature).values(), strict=True):
        buffer.write(np.zeros(detail["shape"], np.float32))
    return lambda: network.run_by_index(0, inputs, outputs)


def measure_here(way: str, cache: str, paths: list[Path]) -> None:
    """Measure in this process and print."""
    idle, start = resident("VmRSS"), time.process_time()
    if way == "Interpreter":
        import_module("ai_edge_litert.interpreter")
        prepare = prepare_interpreter
    else:
        import_module("ai_edge_litert.compiled_model")
        environment = import_module("ai_edge_litert.environment").Environment.create()
        prepare = partial(prepare_compiled, environment=environment, cache=cache)

    imported = time.process_time()
    runs = [prepare(path) for path in paths]
    prepared = time.process_time()
    for run in runs:
        run()
    done = time.process_time()
    times = (imported - start, prepared - imported, done - prepared)
    print(json.dumps([*(1000 * value for value in times), resident("VmRSS") - idle, resident("VmHWM") - idle]))


def measured(way: str, cache: str, paths: list[Path]) -> list[float]:
    """The measures of a fresh process."""
    command = [sys.executable, "-m", "benchmarks.cold_start", "--measure", way, cache, *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    values: list[float] = json.loads(result.stdout.splitlines()[-1])
    return values


def networks_of(bundle: Path, precision: str) -> list[Path]:
    """Files of the networks that a BOP decode of the bundle's first model runs."""
    from jpegai_mobile import open_bundle

    with open_bundle(bundle) as opened:
        manifest, model = opened.manifest, opened.models()[0]
        return [
            bundle / name
            for key, name in sorted(manifest.networks.items(), key=lambda item: item[1])
            if (key.model, key.precision, key.target) == (model, precision, "tflite")
            and key.operating_point in (None, "bop")
            and key.network in ("hyper_decoder", "context_model", "synthesis")
        ]


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2], sys.argv[3], [Path(path) for path in sys.argv[4:]])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("bundle", type=Path, help="a folder")
    parser.add_argument("--precisions", default="float32,int8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    values: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(options.rounds):
        for precision in options.precisions.split(","):
            paths = networks_of(options.bundle, precision)
            with tempfile.TemporaryDirectory() as folder:
                for way in WAYS:
                    cache = folder if "cache" in way else ""
                    values.setdefault((precision, way), []).append(measured(way, cache, paths))
    rows = [
        (*key, *(f"{median(column):.1f}" for column in zip(*rounds, strict=True))) for key, rounds in values.items()
    ]
    show_result(HEADER, rows, options.output, command_of(parser))


if __name__ == "__main__":
    main()
