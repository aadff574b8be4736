"""What the networks of a model read when pictures are decoded: the data for calibration.

A sample is a square window of a decoded picture. Its symbols come from a code stream, from a picture that is
encoded first, or, where there is neither, are drawn from the model's own tables: z from its cumulative counts,
residuals from Gaussians of the sigmas that the hyper scale decoder makes of z.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import OPEN, registered_extensions

from jpegai_mobile.codestream.components import LATENT_GRID, PSI_GRID, Z_GRID, Component
from jpegai_mobile.codestream.picture_header import BETA_OFFSET, MIN_SIZE, PictureHeader
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.codestream.tool_header import ToolHeader
from jpegai_mobile.encoder.encoder import Encoder
from jpegai_mobile.encoder.networks import encodable_models
from jpegai_mobile.encoder.options import EncodeOptions
from jpegai_mobile.encoder.pictures import picture_from_array, picture_from_bytes
from jpegai_mobile.errors import JpegAiError
from jpegai_mobile.latent.decoded_symbols import DecodedSymbols, DenseResidual
from jpegai_mobile.latent.entropy_stage import component_scales
from jpegai_mobile.latent.hyper_scale_decoder import hyper_scale_decoder
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.networks.shapes import Extent
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.dependent_regions import decode_psi
from jpegai_mobile.runtime.dequantise import LOG_STEP
from jpegai_mobile.runtime.entropy_engine import run_symbol_decoding
from jpegai_mobile.runtime.latent_source import latent_source
from jpegai_mobile.runtime.manifest import Calibration
from jpegai_mobile.runtime.model_networks import ModelNetworks
from jpegai_mobile.runtime.phases import split_phases
from jpegai_mobile.runtime.symbols import Symbols

from ..errors import ConversionError
from ..state_dict import read_file

Array = NDArray[np.float32]

WINDOW = 256
"""Luma samples in each direction of a sample."""
BETAS = (-500, 0, 500)
"""Beta displacements that samples take turns with: about 0.1 to 1.5 bit per pixel."""
MAX_FILES = 32
FROM_FILES, FROM_MODEL = "pictures and streams", "model statistics"
ANY_OPERATING_POINT = "bop"
"""What synthesis reads does not depend on which synthesis reads it."""
DRAWN_SAMPLES = 12
SEED = 6048
SMALLEST_SIGMA = 0.11
STREAM_SUFFIX = ".jai"


@dataclass(frozen=True, eq=False)
class Sample:
    """The inputs of the decoder's networks for a window."""

    extent: Extent
    """Luma samples (rows, columns)."""
    inputs: Mapping[tuple[str, str], Mapping[str, Array]]
    """(network, component) -> input -> [channel, row, column]."""

    def of(self, network: str, component: str) -> tuple[Mapping[str, Array], Extent]:
        """Inputs of a network and their extent."""
        return self.inputs[network, component], self.extent


def calibrate(bundle: Bundle, model: int, folder: Path | None) -> tuple[list[Sample], Calibration]:
    """Samples of a model, with the float32 networks of `bundle`: of the files in `folder`, or drawn.

    Code streams of other models are passed over. Raises a JpegAiError, naming the file, for one that cannot be read,
    encoded or decoded, and, naming folder and model, where there is none for the model.
    """
    networks = ModelNetworks(bundle, model, ANY_OPERATING_POINT, "float32", 1)
    if folder is None:
        return list(_drawn_samples(networks)), Calibration(FROM_MODEL, {})
    paths = _files_in(folder)
    if not paths:
        raise ConversionError(
            f"{folder}: no folder with code streams ({STREAM_SUFFIX}) or pictures with a suffix that Pillow knows"
        )
    fitting = [path for path in paths if not _is_stream(path) or _model_of(path) == model]
    if not fitting:
        raise ConversionError(f"{folder}: holds no picture, and no code stream that was made with model {model}")
    encoder = Encoder(bundle)
    samples, files = [], {}
    for number, path in enumerate(fitting[:: -(-len(fitting) // MAX_FILES)]):
        data = read_file(path)
        stream = data if _is_stream(path) else _encoded(encoder, model, data, path, BETAS[number % len(BETAS)])
        with named(path):
            samples.append(_sample_of_stream(stream, networks))
        files[path.relative_to(folder).as_posix()] = hashlib.sha256(data).hexdigest()
    return samples, Calibration(FROM_FILES, files)


def holds_pictures(folder: Path) -> bool:
    """Whether `calibrate` needs the encoder's networks for some of the files in a folder."""
    return not all(map(_is_stream, _files_in(folder)))


def _files_in(folder: Path) -> list[Path]:
    """Pictures and code streams, by their names; none where it is no folder."""
    suffixes = {STREAM_SUFFIX} | {suffix for suffix, kind in registered_extensions().items() if kind in OPEN}
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes) if folder.is_dir() else []


@contextmanager
def named(where: Path | str) -> Iterator[None]:
    """What is wrong with a file, or with what was drawn instead, is said of it."""
    try:
        yield
    except JpegAiError as error:
        raise ConversionError(f"{where}: {error}") from error


def _is_stream(path: Path) -> bool:
    return path.suffix.lower() == STREAM_SUFFIX


def _model_of(path: Path) -> int:
    """The model that a code stream was made with."""
    data = read_file(path)
    with named(path):
        return read_code_stream(data).picture.model_id


def _sample_of_stream(data: bytes, networks: ModelNetworks) -> Sample:
    """The middle of a coded picture. Raises a JpegAiError when it cannot be decoded."""
    stream = read_code_stream(data)
    tables = networks.bundle.entropy_model_bytes(networks.model_id)
    symbols = Symbols(stream.picture, EntropyModel.from_bytes(tables), run_symbol_decoding(data, stream, tables))
    return sample_of_symbols(symbols, stream.tools, networks)


def _encoded(encoder: Encoder, model: int, data: bytes, path: Path, beta: int) -> bytes:
    """The code stream of the middle of a picture. Raises a JpegAiError that names its file."""
    if model not in encodable_models(encoder.bundle):
        raise ConversionError(f"{path}: a picture needs the encoder's networks, which the checkpoints do not have")
    whole = picture_from_bytes(data, str(path), "white")
    top, left = ((max(length - WINDOW, 0) // 2) for length in whole.size)
    middle = picture_from_array(whole.samples[top : top + WINDOW, left : left + WINDOW])
    with named(path):
        return encoder.encode(middle, EncodeOptions(model=model, beta_displacement=beta)).data


def sample_of_symbols(symbols: Symbols, tools: ToolHeader, networks: ModelNetworks) -> Sample:
    """The middle of a picture."""
    latents = latent_source(symbols, tools, networks)
    spans = []
    for length in (symbols.picture.height, symbols.picture.width):
        start = max(length - WINDOW, 0) // 2 // Z_GRID * Z_GRID
        spans.append((start, min(start + WINDOW, length)))
    (top, bottom), (left, right) = spans
    window = Rectangle(top, left, bottom, right)
    psi = [part[window.on_grid(PSI_GRID).slices] for part in decode_psi(symbols, networks)]
    luma, chroma = latents.window(window.on_grid(LATENT_GRID))
    phases = split_phases(symbols.residual(Component.LUMA, window.on_grid(LATENT_GRID)))
    context = {f"residual_{k}": phase for k, phase in enumerate(phases)}
    context |= {f"psi_{k}": part for k, part in enumerate(np.split(psi[Component.LUMA], 4, axis=2))}
    inputs = {
        ("context_model", "y"): context,
        ("synthesis", "y"): {"latent": luma},
        ("synthesis", "uv"): {"latent": np.concatenate([luma, chroma], axis=2)},
    }
    for i in Component:
        inputs["hyper_decoder", i.suffix] = {"z": symbols.z(i, window.on_grid(Z_GRID))}
    first_channel = {
        key: {name: np.ascontiguousarray(value.transpose(2, 0, 1)) for name, value in values.items()}
        for key, values in inputs.items()
    }
    return Sample((bottom - top, right - left), first_channel)


def _drawn_samples(networks: ModelNetworks) -> Iterator[Sample]:
    tables = EntropyModel.from_bytes(networks.bundle.entropy_model_bytes(networks.model_id))
    for symbols in drawn_symbols(tables, networks.model_id, DRAWN_SAMPLES):
        yield sample_of_symbols(symbols, ToolHeader(), networks)


def drawn_symbols(tables: EntropyModel, model: int, count: int) -> Iterator[Symbols]:
    """Symbols of windows without any picture; the same for the same tables."""
    random = np.random.default_rng(SEED)
    for number in range(count):
        picture = PictureHeader(
            model_id=model,
            img_height_minus64=WINDOW - MIN_SIZE,
            img_width_minus64=WINDOW - MIN_SIZE,
            beta_displacement_log_plus_2048=[BETA_OFFSET + BETAS[number % len(BETAS)]] * len(Component),
        )
        yield Symbols(picture, tables, _drawn_symbols(picture, tables, random))


def _drawn_symbols(picture: PictureHeader, tables: EntropyModel, random: np.random.Generator) -> DecodedSymbols:
    z, residual = [], []
    for i in Component:
        component = tables.components[i]
        draws = random.integers(0, component.z_cumulative[0, -1], (component.channels, *picture.sizes.z))
        counts = component.z_cumulative[:, None, None, :]
        symbols = (draws[..., None] >= counts).sum(axis=-1) - counts.shape[-1] // 2
        z.append(symbols.astype(np.int8))
        scales = hyper_scale_decoder(z[i], component, picture.sizes.latent)
        known = component_scales(picture, i, component, scales, None)
        deviation = SMALLEST_SIGMA * np.exp(known.sigma / 128 * LOG_STEP)
        drawn = np.rint(random.standard_normal(deviation.shape) * deviation)
        residual.append(np.where(known.skip_mask, drawn, 0).astype(np.int16))
    return DecodedSymbols(
        (z[0], z[1]), (DenseResidual(residual[0]), DenseResidual(residual[1])), None, (None, None), None
    )
