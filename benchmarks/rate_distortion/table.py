"""The raw results: one row per picture, codec and setting."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from picture_quality.metrics import Quality


@dataclass(frozen=True)
class Measurement:
    """A picture through a codec at one setting."""

    picture: str
    codec: str
    version: str
    """What the codec was made of; rows of another version are measured again."""
    setting: float
    """The quality of a rival's scale, or the bits per pixel that our encoder was asked for."""
    bytes: int
    """Size of the file."""
    bpp: float
    psnr_rgb: float
    psnr_y: float
    ms_ssim: float
    psnr_hvs_m: float
    vif: float


HEADER = tuple(field.name for field in fields(Measurement))
_FORMATS = {"bpp": ".5f", "psnr_rgb": ".4f", "psnr_y": ".4f", "ms_ssim": ".6f", "psnr_hvs_m": ".4f", "vif": ".6f"}
_NUMBERS = {"setting": float, "bytes": int, **dict.fromkeys(_FORMATS, float)}


def measurement(
    picture: str, codec: str, version: str, setting: float, data: bytes, pixels: int, quality: Quality
) -> Measurement:
    """The row of a coded picture of `pixels` pixels."""
    bpp = 8 * len(data) / pixels
    return Measurement(picture, codec, version, setting, len(data), bpp, *astuple(quality))


def lines(rows: Iterable[Measurement]) -> str:
    """Rows as lines of TSV."""
    table = ""
    for row in rows:
        values = (format(getattr(row, name), _FORMATS.get(name, "")) for name in HEADER)
        table += "\t".join(values) + "\n"
    return table


def read(path: Path) -> list[Measurement]:
    """The rows of a file, none if it is absent; a last row that was cut off is left out. Raises ValueError."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        table = csv.DictReader(file, delimiter="\t")
        if tuple(table.fieldnames or ()) != HEADER:
            raise ValueError(f"{path}: its columns are not {', '.join(HEADER)}")
        whole = (row for row in table if None not in row.values())
        return [Measurement(**{name: _NUMBERS.get(name, str)(text) for name, text in row.items()}) for row in whole]


def write(path: Path, rows: Iterable[Measurement]) -> None:
    """The rows in order of picture, codec and setting."""
    ordered = sorted(rows, key=lambda row: (row.picture, row.codec, row.setting))
    path.write_text("\t".join(HEADER) + "\n" + lines(ordered))
