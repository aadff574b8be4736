"""Peak memory of `jpegai encode` in a fresh process, as the operating system counts it.

python -m benchmarks.encoder_memory PICTURE --bundle B [--size 4000x3000] [--efforts 1 2] [--output OUT.tsv]

The picture is enlarged to `--size` and given as a JPEG file. A busy machine does not matter. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from benchmarks.command import command_of
from jpegai_mobile.bench.results import write_result

HEADER = ("picture", "width", "height", "effort", "bytes", "peak_mb")
ENCODE = """
import sys
from jpegai_mobile.cli.main import main
code = main(sys.argv[1:])
from jpegai_mobile.bench.decode_once import peak_memory
print(peak_memory())
sys.exit(code)
"""


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoder_memory", description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--size", default="4000x3000")
    parser.add_argument("--efforts", nargs="+", default=["1", "2"])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    rows = []
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "large.jpg", Path(folder) / "large.jai"
        with Image.open(options.picture) as image:
            image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(source, quality=92)
        for effort in options.efforts:
            arguments = ["encode", str(source), str(target), "--bundle", options.bundle, "--effort", effort]
            run = [sys.executable, "-c", ENCODE, *arguments]
            peak = int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
            rows.append((options.picture.name, width, height, effort, target.stat().st_size, f"{peak / 1e6:.1f}"))
            print("\t".join(map(str, rows[-1])), flush=True)
    if options.output:
        write_result(options.output, HEADER, rows, command_of(parser))


if __name__ == "__main__":
    main()
