"""`python -m device_tests.reconstruction STREAM BUNDLE PRECISION OUT`: what a target with Python runs."""

from __future__ import annotations

import platform
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from jpegai_mobile.bench.decode_once import peak_memory
from jpegai_mobile.errors import JpegAiError
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.decoder import Decoder

from ..engine_traces import STATUS
from ..trace_file import read_trace
from .trace import write_reconstruction


def main(arguments: list[str]) -> int:
    """Write the trace, or with --about print facts; the exit status is that of jai-trace."""
    if arguments == ["--about"]:
        litert = metadata.version("ai-edge-litert")
        print(f"# runtime Python {platform.python_version()}, NumPy {np.__version__}, LiteRT {litert}")
        print(f"# instruction_set {platform.machine()}")
        return 0
    stream, bundle, precision, output = arguments
    start = time.process_time()
    try:
        with Bundle.open(bundle) as opened:
            trace = write_reconstruction(Decoder(opened), Path(stream).read_bytes(), precision)
    except JpegAiError as error:
        print(f"jai-trace: {stream}: {error}", file=sys.stderr)
        return STATUS[type(error)]
    Path(output).write_bytes(trace)
    print(f"# milliseconds {round(1000 * (time.process_time() - start))}")
    print(f"# peak_bytes {peak_memory()}")
    print(f"= {read_trace(trace).hash}")
    return 0


sys.exit(main(sys.argv[1:]))
