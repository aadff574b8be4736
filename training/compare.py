"""Compare two tables of `training.evaluate`: BD-rates, and the mean of every rate."""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

METRICS = ("psnr_rgb", "psnr_y", "ms_ssim")
Rows = list[dict[str, str]]


def bd_rate(base: Rows, new: Rows, metric: str) -> float:
    """Mean difference of rate at equal quality (Bjontegaard, cubic fit), as a fraction: negative is better."""
    fits, ranges = [], []
    for rows in (base, new):
        quality = np.array([_quality(row, metric) for row in rows])
        log_rate = np.log([float(row["bpp"]) for row in rows])
        fits.append(np.polynomial.Polynomial.fit(quality, log_rate, 3).integ())
        ranges.append((quality.min(), quality.max()))
    low, high = max(start for start, _ in ranges), min(stop for _, stop in ranges)
    areas = [fit(high) - fit(low) for fit in fits]
    return float(np.exp((areas[1] - areas[0]) / (high - low)) - 1)


def _quality(row: dict[str, str], metric: str) -> float:
    """MS-SSIM counts in dB, as its interesting values crowd below 1."""
    value = float(row[metric])
    return -10 * np.log10(1 - value) if metric == "ms_ssim" else value


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
            rates = {key[1]: bd_rate(base[key], new[key], metric) for key in shared}
            worst = max(rates, key=lambda picture: rates[picture])
            mean = np.mean(list(rates.values()))
            print(f"{operating_point} BD-rate {metric}: {mean:+.1%} (worst {worst} {rates[worst]:+.1%})")
        for beta in sorted({int(row["beta"]) for key in shared for row in new[key]}):
            for name, curves in (("base", base), ("new", new)):
                rows = [row for key in shared for row in curves[key] if int(row["beta"]) == beta]
                print(f"{operating_point} beta {beta:5d} {name:4s}  {_means(rows)}")


if __name__ == "__main__":
    main()
