"""Rate and distortion of a checkpoint on pictures, so that two checkpoints can be compared.

The rate is that of the coded symbols (z and residuals, by the project's entropy coder) without the few dozen
bytes of headers. The distortion is that of reconstruction in float32 PyTorch, rounded to 8 bit RGB, without
coding tools and post-filters.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from converters.entropy_model import cumulative_table
from converters.open_checkpoints import open_checkpoints
from jpegai_mobile.entropy.residual import encode_residual
from jpegai_mobile.entropy.z import encode_z
from training.checkpoints import load_checkpoints
from training.codec import COMPONENTS, OPERATING_POINTS, Codec, CodedComponent
from training.colour import rgb_to_yuv, yuv_to_rgb
from training.hyper_scale_decoder import INDEX_STEP
from training.quality import MsSsim, psnr
from training.shard import PHOTO_SUFFIXES, read_photo

BETAS = (-750, -450, -150, 150, 500)
"""Beta displacements that spread over 0.1 to 1 bit per pixel."""


@dataclass(frozen=True)
class Measurement:
    """One picture at one rate through one decoder."""

    picture: str
    operating_point: str
    beta: int
    bpp: float
    """Bits of all symbols per luma sample."""
    bpp_z: float
    bpp_uv: float
    """Parts of `bpp`: hyper latents; chroma residuals."""
    psnr_rgb: float
    psnr_y: float
    ms_ssim: float


@torch.no_grad()
def measure(codec: Codec, name: str, pixels: NDArray[np.uint8], beta: int) -> Iterator[Measurement]:
    """Code one picture uint8 [rows, columns, RGB] and decode it at every operating point."""
    rgb = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).unsqueeze(0).float()
    yuv = rgb_to_yuv(rgb)
    coded = codec.encode(yuv, torch.full((1, 1, 1, 1), beta / INDEX_STEP))
    area = pixels.shape[0] * pixels.shape[1]
    hyper, luma, chroma = (8 * len(part) / area for part in _sub_streams(codec, coded))
    latents = (coded[0].latent, coded[1].latent)
    for operating_point in OPERATING_POINTS:
        decoded = yuv_to_rgb(codec.decode(latents, operating_point, (yuv.shape[2], yuv.shape[3]))).clamp(0, 255)
        decoded = decoded.round()
        yield Measurement(
            name,
            operating_point,
            beta,
            bpp=luma + chroma + hyper,
            bpp_z=hyper,
            bpp_uv=chroma,
            psnr_rgb=psnr(rgb, decoded),
            psnr_y=psnr(yuv[:, :1], rgb_to_yuv(decoded)[:, :1]),
            ms_ssim=float(MsSsim(rgb)(decoded)),
        )


def write_table(measurements: Iterable[Measurement], file: TextIO) -> None:
    """A TSV with one row per measurement, written as they come."""
    table = csv.writer(file, delimiter="\t", lineterminator="\n")
    table.writerow(field.name for field in fields(Measurement))
    for measurement in measurements:
        table.writerow(f"{v:.5f}" if isinstance(v, float) else v for v in astuple(measurement))
        file.flush()


def _sub_streams(codec: Codec, coded: tuple[CodedComponent, CodedComponent]) -> Iterator[bytes]:
    """The coded hyper latents of both components, then the residuals of each."""
    z = [_integers(part.z_symbols).astype(np.int8) for part in coded]
    frequencies = (codec.component(name).z_model.frequencies() for name in COMPONENTS)
    yield encode_z(z, 1, [cumulative_table(table) for table in frequencies])
    for part in coded:
        sigma = _integers(part.index * INDEX_STEP).astype(np.int32)
        yield encode_residual(_integers(part.symbols).astype(np.int16), 1, sigma, part.coded[0].numpy())


def _integers(values: Tensor) -> NDArray[np.int64]:
    first: NDArray[np.float32] = values[0].numpy()
    return np.rint(first).astype(np.int64)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.evaluate`."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkpoints", type=Path, nargs="+", help="tree (see training.export) or packed files")
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, help="pictures, or folders of pictures")
    parser.add_argument("--betas", type=int, nargs="+", default=BETAS, help="beta displacements")
    options = parser.parse_args(arguments)
    codec = Codec().eval()
    load_checkpoints(codec, open_checkpoints(*options.checkpoints))
    rows = (
        measurement
        for path in _pictures(options.pictures)
        for beta in options.betas
        for measurement in measure(codec, path.name, read_photo(path), beta)
    )
    write_table(rows, sys.stdout)


def _pictures(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(entry for entry in path.iterdir() if entry.suffix in PHOTO_SUFFIXES)
        else:
            yield path


if __name__ == "__main__":
    main()
