"""One decode in a process of its own; prints what the operating system says about it, as JSON.

python -m jpegai_mobile.bench.decode_once STREAM BUNDLE OPTIONS    (see `fresh_process`)
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from jpegai_mobile.bench.stages import decode_to_nowhere
from jpegai_mobile.runtime.decoder import DecodeOptions, Decoder
from jpegai_mobile.runtime.default_bundle import open_bundle


def peak_memory() -> int:
    """Most bytes of this process that were ever resident.

    Linux hands the peak of the parent on through getrusage, so its own count is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(stream: str, bundle: str, options: str) -> None:
    """Decode and report."""
    idle = peak_memory()
    start, cpu_start = time.perf_counter(), time.process_time()
    with open_bundle(bundle or None) as opened:
        decode_to_nowhere(Decoder(opened), Path(stream).read_bytes(), DecodeOptions(**json.loads(options)))
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    print(json.dumps({"idle": idle, "peak": peak_memory(), "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
