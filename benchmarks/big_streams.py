"""Code streams of any size for measuring: the symbols of a small stream, repeated over a larger picture.

python -m benchmarks.big_streams SOURCE.jai BUNDLE OUT.jai WIDTH HEIGHT

Statistics (rate, share of coded symbols) are those of the source but for the seams. Only tools-off streams without
regions can be repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile import native, open_bundle
from jpegai_mobile.codestream.components import Component, LatentSizes
from jpegai_mobile.codestream.description import tools_in_use
from jpegai_mobile.codestream.stream import CodeStream, read_code_stream, write_code_stream
from jpegai_mobile.codestream.substreams import SubStream
from jpegai_mobile.entropy.residual import table_index
from jpegai_mobile.latent.entropy_stage import decode_entropy_stage
from jpegai_mobile.latent.hyper_scale_decoder import hyper_scale_decoder
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.latent.skip_mode import skip_mask

Number = TypeVar("Number", bound=np.generic)

TILED_ABOVE = 1 << 20
"""Luma samples above which the reference encoder signals synthesis tiles (1024 with an overlap of 64)."""


def repeated(values: NDArray[Number], size: tuple[int, int]) -> NDArray[Number]:
    """`values` [C, row, column] repeated to `size`."""
    _, rows, columns = values.shape
    times = (1, -(-size[0] // rows), -(-size[1] // columns))
    return np.tile(values, times)[:, : size[0], : size[1]]


def enlarge(stream: CodeStream, model: EntropyModel, width: int, height: int) -> bytes:
    """The code stream of a width x height picture from the symbols of `stream`."""
    if set(tools_in_use(stream.picture, stream.tools)) - {"synthesis tiles"}:
        raise SystemExit("only streams without coding tools can be repeated")
    arrays = decode_entropy_stage(stream, model)
    picture = stream.picture
    picture.img_width_minus64, picture.img_height_minus64 = width - 64, height - 64
    for header in picture.components:
        if width * height > TILED_ABOVE:
            header.synthesis_tile_enable, header.synthesis_tile_size, header.synthesis_tile_overlap = 1, 64, 4
    sizes = LatentSizes.of_picture(height, width)
    z_rows = []
    for i in Component:
        z = repeated(arrays.components[i].z, sizes.z)
        tables = model.components[i]
        residual = repeated(arrays.components[i].residual, sizes.latent)
        offset = tables.gain.astype(np.int32) + picture.beta_displacement_log(i)
        scale_index = hyper_scale_decoder(z, tables, sizes.latent) + offset[:, None, None]
        mask = skip_mask(scale_index, picture.components[i])
        row = native.ResidualRow(
            table_index(scale_index).astype(np.uint8).ravel(), mask.ravel(), (residual * mask).ravel()
        )
        payload = native.encode_residual_rows(picture.components[i].residual_threads, [row])
        stream.residuals[i][0] = SubStream(payload, "repeated")
        z_rows += [
            native.ZRow(t, (c + 31).astype(np.uint8).ravel()) for c, t in zip(z, tables.z_cumulative, strict=True)
        ]
    stream.z = SubStream(native.encode_z_rows(picture.z_threads, z_rows), "repeated")
    return write_code_stream(stream)


def main() -> None:
    """Write an enlarged stream."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_streams", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("width", type=int)
    parser.add_argument("height", type=int)
    options = parser.parse_args()
    stream = read_code_stream(options.source.read_bytes())
    with open_bundle(options.bundle) as bundle:
        model = EntropyModel.from_bytes(bundle.entropy_model_bytes(stream.picture.model_id))
    options.output.write_bytes(enlarge(stream, model, options.width, options.height))


if __name__ == "__main__":
    main()
