"""Compare two tables of `training.evaluate`: BD-rates, and the mean of every rate."""

from __future__ import annotations

import argparse
import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from picture_quality.curves import Points, bd_rate, decibels

METRICS = ("psnr_rgb", "psnr_y", "ms_ssim")
Rows = list[dict[str, str]]


def _points(rows: Rows, metric: str) -> Points:
    """Rate and quality; MS-SSIM counts in dB."""
    scale = decibels if metric == "ms_ssim" else float
    return [(float(row["bpp"]), scale(float(row[metric]))) for row in rows]


def _curves(path: Path) -> dict[tuple[str, str], Rows]:
    """(operating point, picture) -> rows."""
    curves: dict[tuple[str, str], Rows] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            curves[row["operating_point"], row["picture"]].append(row)
    return curves


def _means(rows: Rows) -> str:
    columns = ("bpp", "bpp_z", "bpp_uv", *METRICS)
    return "  ".join(f"{column} {np.mean([float(row[column]) for row in rows]):.4f}" for column in columns)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.compare`."""
    parser = argparse.ArgumentParser(prog="python -m training.compare", description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args(arguments)
    base, new = _curves(options.base), _curves(options.new)
    for operating_point in sorted({key[0] for key in new}):
        shared = [key for key in new if key[0] == operating_point and key in base]
        for metric in METRICS:
            found = {key[1]: bd_rate(_points(base[key], metric), _points(new[key], metric)) for key in shared}
            rates = {picture: rate for picture, rate in found.items() if math.isfinite(rate)}
            if not rates:
                print(f"{operating_point} BD-rate {metric}: no picture has curves that overlap")
                continue
            worst = max(rates, key=lambda picture: rates[picture])
            mean = np.mean(list(rates.values()))
            print(
                f"{operating_point} BD-rate {metric}: {mean:+.1%} (of {len(rates)}; worst {worst} {rates[worst]:+.1%})"
            )
        for beta in sorted({int(row["beta"]) for key in shared for row in new[key]}):
            for name, curves in (("base", base), ("new", new)):
                rows = [row for key in shared for row in curves[key] if int(row["beta"]) == beta]
                print(f"{operating_point} beta {beta:5d} {name:4s}  {_means(rows)}")


if __name__ == "__main__":
    main()
