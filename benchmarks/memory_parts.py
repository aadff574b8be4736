"""Where the bytes of a decode are, and what each measure against them saves.

python -m benchmarks.memory_parts BUNDLE STREAM [--precision int8] [--output OUT.tsv]

The first rows follow one decode through its stages: memory above the idle interpreter at the end of a stage, and its
peak in it. The others are whole decodes in fresh processes with one measure taken back: their peak, and by how much it
is above that of the decode as it is, whose plan (windows, parts) they keep otherwise. Nothing is timed. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jpegai_mobile.hashing
import jpegai_mobile.runtime.decoder
import jpegai_mobile.runtime.synthesis
from benchmarks.command import command_of
from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.bench.stages import decode_to_nowhere
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.decoder import plan_decode
from jpegai_mobile.runtime.memory_budget import DecodePlan
from jpegai_mobile.runtime.model_networks import ModelNetworks

from .cold_start import resident

AS_IT_IS = "as it is"
HEADER = ("what", "stage", "resident_mib", "peak_mib", "more_than_as_it_is_mib")


def forget_peak() -> None:
    """Let VmHWM begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def change_plan(change: Callable[[DecodePlan], DecodePlan]) -> None:
    """Decode as planned, but for a change."""
    jpegai_mobile.runtime.decoder.plan_decode = lambda *arguments: change(plan_decode(*arguments))


def wide_latents(plan: DecodePlan) -> DecodePlan:
    """The same plan with latents decoded as wide as the picture."""
    return replace(plan, parts=replace(plan.parts, columns=512))


def read_files() -> None:
    """Networks are read into memory instead of mapped."""
    Bundle.graph_file = lambda self, key: None  # type: ignore[method-assign]


def finish_whole_patches() -> None:
    """The samples of a patch become RGB at once."""
    jpegai_mobile.runtime.synthesis.ROWS_AT_ONCE = 1 << 20


def hash_by_openssl() -> None:
    """SHA-256 by `hashlib`."""
    jpegai_mobile.hashing.OWN_MODULES = ()


MEASURES: dict[str, Callable[[], None]] = {
    AS_IT_IS: lambda: None,
    "all networks in memory at a time": partial(change_plan, lambda plan: replace(plan, lean=False)),
    "latents as wide as the picture at a time": partial(change_plan, wide_latents),
    "files of networks read, not mapped": read_files,
    "samples of a patch finished at once": finish_whole_patches,
    "SHA-256 by OpenSSL": hash_by_openssl,
}


def observe_stages(rows: list[tuple[str, float, float]], idle: float) -> None:
    """Note memory whenever a decode goes from one stage to the next, for the first band."""

    def note(stage: str) -> None:
        rows.append((stage, resident("VmRSS") - idle, resident("VmHWM") - idle))
        forget_peak()

    def observed(real: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            note(f"before {stage}")
            result = real(*arguments)
            note(stage)
            return result

        return run

    for name in ("hyper_decoder", "context_model", "synthesis_luma", "synthesis_chroma", "release"):
        setattr(ModelNetworks, name, observed(getattr(ModelNetworks, name), name))


def measure_here(measure: str, stream: Path, bundle: Path, precision: str) -> None:
    """Decode in this process and print what was resident."""
    MEASURES[measure]()
    idle = resident("VmRSS")
    stages: list[tuple[str, float, float]] = []
    if measure == AS_IT_IS:
        forget_peak()
        observe_stages(stages, idle)
    options = DecodeOptions(operating_point="bop", precision=precision, num_threads=1)
    with open_bundle(bundle) as opened:
        decode_to_nowhere(Decoder(opened), stream.read_bytes(), options)
    peak = max(resident("VmHWM") - idle, *(row[2] for row in stages), 0.0)
    print(json.dumps({"peak": peak, "stages": stages}))


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_parts", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    base = 0.0
    for measure in MEASURES:
        child = [sys.executable, "-m", "benchmarks.memory_parts", "--measure", measure]
        child += [str(options.stream), str(options.bundle), options.precision]
        result = json.loads(subprocess.run(child, capture_output=True, text=True, check=True).stdout)
        base = base or result["peak"]
        seen = set()
        for stage, now, peak in result["stages"]:
            if stage not in seen:
                seen.add(stage)
                rows.append((measure, stage, f"{now:.1f}", f"{peak:.1f}", "-"))
        rows.append((measure, "whole decode", "-", f"{result['peak']:.1f}", f"{result['peak'] - base:.1f}"))
    show_result(HEADER, rows, options.output, command_of(parser))


if __name__ == "__main__":
    main()
