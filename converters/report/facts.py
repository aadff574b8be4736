"""Everything that a report on a bundle says, as plain data.

    facts = {"files": [...], "stages": [...], "quality": [...], "notes": [...]}

Networks of the catalogue are listed with what they cost; TFLite ones are run, those of the decoder tensor by tensor. A
Core ML package counts as one file. Other files are listed with their bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # type: ignore[import-untyped]
from numpy.typing import NDArray

from jpegai_mobile.codestream.description import operating_points
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.codestream.tool_header import ToolHeader
from jpegai_mobile.errors import BundleError
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.networks.catalogue import BUILDERS, build
from jpegai_mobile.networks.catalogue import NetworkKey as Topology
from jpegai_mobile.networks.measure import activation_bytes, kmac_per_sample, parameter_count
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.entropy_engine import run_symbol_decoding
from jpegai_mobile.runtime.latent_source import latent_source
from jpegai_mobile.runtime.manifest import Manifest, NetworkKey
from jpegai_mobile.runtime.model_networks import ModelNetworks
from jpegai_mobile.runtime.network_runner import AUTHORED_EXTENT, NetworkRunner
from jpegai_mobile.runtime.progress import Advance, Listener, Progress
from jpegai_mobile.runtime.symbols import Symbols
from jpegai_mobile.text import printable

from ..quantisation.samples import WINDOW, drawn_symbols, named, sample_of_symbols

Facts = dict[str, Any]
Array = NDArray[np.float32]

PATCHES = (256, 512, 1024)
"""Luma samples in each direction of the patches whose activation memory is stated."""
STANDARD_KMAC = {"sop": 8, "bop": 22, "hop": 214}
"""Thousand multiply-accumulate operations per sample that the standard's operating points are known by."""
EXACT = "float32"
LARGEST_DIFFERENCE = 8
"""Histogram bins: sample differences -8..8, what is beyond counted at the ends."""


@dataclass(frozen=True, eq=False)
class _Picture:
    """What decodes are compared on."""

    where: str
    """How errors name it: the path of its code stream."""
    name: str
    bits_per_sample: float | None
    """Of its code stream; None for symbols that were drawn."""
    symbols: Symbols
    tools: ToolHeader
    operating_points: Sequence[str]


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Decodes of a picture that are compared with float32."""

    picture: _Picture
    operating_point: str
    precisions: Sequence[str]


def bundle_facts(bundle: Bundle, streams: Sequence[Path], listener: Listener | None = None) -> Facts:
    """Look into a bundle; `streams` are code streams to compare decodes on, else symbols are drawn.

    `listener` is told of every TFLite network that was run, and of every decode that was compared. Raises BundleError
    when a file of the bundle is damaged, OSError or ConversionError, naming it, for a stream that cannot be read or
    decoded.
    """
    pictures = list(_pictures(bundle, streams)) if EXACT in bundle.precisions() else []
    comparisons, keys = list(_comparisons(bundle, pictures)), _known_networks(bundle)
    runs = sum(key.target == "tflite" for key in keys.values())
    decodes = sum(len(comparison.precisions) for comparison in comparisons)
    advance = Progress(runs + decodes, listener).advance
    files, quality = list(_files(bundle, keys, pictures, advance)), list(_quality(bundle, comparisons, advance))
    notes = []
    if not quality:
        notes.append("nothing was compared: that takes a decoder's TFLite networks in float32 and in another precision")
    elif not streams:
        notes.append("compared on symbols drawn from the model's tables; --streams takes code streams of several rates")
    return {"files": files, "stages": list(_stages(bundle)), "quality": quality, "notes": notes}


def _known_networks(bundle: Bundle) -> dict[str, NetworkKey]:
    """File or package -> the first network of the catalogue that it stands for."""
    keys: dict[str, NetworkKey] = {}
    for key, name in bundle.manifest.networks.items():
        if _topology(key) in BUILDERS:
            keys.setdefault(name, key)
    return keys


def _files(
    bundle: Bundle, keys: dict[str, NetworkKey], pictures: Sequence[_Picture], advance: Advance
) -> Iterator[Facts]:
    """One entry per file or package, largest first; of networks what they cost and how well they keep their tensors."""
    # All of them first, so that a damaged one is named before the quality of another is found with its help.
    delegates = {name: _delegates(bundle, key) for name, key in keys.items() if key.target == "tflite"}
    for name, size in sorted(_sizes(bundle.manifest).items(), key=lambda item: -item[1]):
        entry: Facts = {"file": name, "bytes": size}
        if name in keys:
            graph = build(*_topology(keys[name]))
            entry |= {
                "recipe": printable(bundle.manifest.recipes.get(name, "")),
                "parameters": parameter_count(graph),
                "kmac_per_sample": round(kmac_per_sample(graph), 3),
                "activation_bytes": {patch: activation_bytes(graph, (patch, patch)) for patch in PATCHES},
            }
        if name in delegates:
            entry |= {"delegates": delegates[name], "tensors": _tensor_quality(bundle, keys[name], pictures)}
            advance(1)
        yield entry


def _sizes(manifest: Manifest) -> dict[str, int]:
    """Bytes of every file, those of a Core ML package as one."""
    packages = {name: manifest.files_in(name) for key, name in manifest.networks.items() if key.target == "coreml"}
    inside = {name for names in packages.values() for name in names}
    sizes = {name: record.bytes for name, record in manifest.files.items() if name not in inside}
    return sizes | {name: sum(manifest.files[each].bytes for each in names) for name, names in packages.items()}


def _stages(bundle: Bundle) -> Iterator[Facts]:
    """kMAC per sample of what a decode at every operating point runs."""
    networks = {(key.network, key.component, key.operating_point) for key in bundle.manifest.networks}
    for point in bundle.operating_points():
        stages = {}
        for network in ("hyper_decoder", "context_model", "synthesis"):
            for component in ("y", "uv"):
                topology = (network, component, point if network == "synthesis" else None)
                if topology in networks and topology in BUILDERS:
                    stages[f"{network} {component}"] = round(kmac_per_sample(build(*topology)), 3)
        total = round(sum(stages.values()), 3)
        yield {"operating_point": point, "stages": stages, "total": total, "standard": STANDARD_KMAC[point]}


def _comparisons(bundle: Bundle, pictures: Sequence[_Picture]) -> Iterator[_Comparison]:
    """What there is to compare: pictures at their operating points in every complete precision but float32."""
    for picture in pictures:
        model = picture.symbols.picture.model_id
        for point in bundle.operating_points():
            precisions = [
                precision
                for precision in bundle.precisions()
                if precision != EXACT and _is_complete(bundle, model, point, precision)
            ]
            if point in picture.operating_points and precisions:
                yield _Comparison(picture, point, precisions)


def _quality(bundle: Bundle, comparisons: Sequence[_Comparison], advance: Advance) -> Iterator[Facts]:
    """Planes of every precision against float32."""
    for comparison in comparisons:
        picture, point = comparison.picture, comparison.operating_point
        exact = _planes(bundle, picture, point, EXACT)
        for precision in comparison.precisions:
            difference = _planes(bundle, picture, point, precision) - exact
            advance(1)
            yield {
                "picture": picture.name,
                "model": picture.symbols.picture.model_id,
                "bits_per_sample": picture.bits_per_sample,
                "operating_point": point,
                "precision": precision,
                "db": _decibel(255.0**2, float(np.mean(np.square(difference, dtype=np.float64)))),
                "histogram": _histogram(difference),
            }


def _pictures(bundle: Bundle, streams: Sequence[Path]) -> Iterator[_Picture]:
    """Those of the streams; without any, one of drawn symbols for every model."""
    if not streams:
        for model in bundle.models():
            yield _drawn_picture(bundle, model)
    for path in streams:
        data = path.read_bytes()
        with named(path):
            stream = read_code_stream(data)
            tables = bundle.entropy_model_bytes(stream.picture.model_id)
            decoded = run_symbol_decoding(data, stream, tables)
        symbols = Symbols(stream.picture, EntropyModel.from_bytes(tables), decoded)
        bits = round(8 * len(data) / (stream.picture.height * stream.picture.width), 4)
        points = operating_points(stream.picture)
        yield _Picture(str(path), printable(path.name), bits, symbols, stream.tools, points)


def _drawn_picture(bundle: Bundle, model: int) -> _Picture:
    (symbols,) = drawn_symbols(EntropyModel.from_bytes(bundle.entropy_model_bytes(model)), model, 1)
    name = f"drawn from model {model}"
    return _Picture(name, name, None, symbols, ToolHeader(), bundle.operating_points())


def _planes(bundle: Bundle, picture: _Picture, point: str, precision: str) -> Array:
    """Y, U, V [row, column, 3] before filters, 0..255, each picture as one tile."""
    header = picture.symbols.picture
    networks = ModelNetworks(bundle, header.model_id, point, precision, 1)
    with named(picture.where):
        latents = latent_source(picture.symbols, picture.tools, networks)
    luma, chroma = latents.window(Rectangle(0, 0, *header.sizes.latent))
    extent = (header.height, header.width)
    y = networks.synthesis_luma(luma, extent)[..., np.newaxis]
    uv = networks.synthesis_chroma(luma, chroma, extent)
    planes: Array = np.clip(np.concatenate([y, uv], axis=2) * np.float32(128) + np.float32(127.5), 0, 255)
    return planes


def _is_complete(bundle: Bundle, model: int, point: str, precision: str) -> bool:
    """The bundle decodes a model at an operating point in a precision."""
    wanted: list[tuple[str, str, str | None]] = [("context_model", "y", None)]
    for component in ("y", "uv"):
        wanted += [("hyper_decoder", component, None), ("synthesis", component, point)]
    return all(
        NetworkKey(network, component, model, at, precision, "tflite") in bundle.manifest.networks
        for network, component, at in wanted
    )


def _tensor_quality(bundle: Bundle, key: NetworkKey, pictures: Sequence[_Picture]) -> list[Facts]:
    """SQNR in dB of the tensors that a network shares with its float32 form, worst first.

    In the middle of the first picture of its model that is large enough, else on drawn symbols. A factor per
    channel is taken out: equalised channels are meant to differ by one.
    """
    exact_key = replace(key, precision=EXACT)
    is_decoder = key.network in ("hyper_decoder", "context_model", "synthesis")
    if key.precision == EXACT or exact_key not in bundle.manifest.networks or not is_decoder:
        return []
    networks = ModelNetworks(bundle, key.model, key.operating_point or "bop", EXACT, 1)
    fitting = (each for each in pictures if _holds_a_window(each, key.model))
    picture = next(fitting, None) or _drawn_picture(bundle, key.model)
    with named(picture.where):
        sample = sample_of_symbols(picture.symbols, picture.tools, networks)
    inputs, _ = sample.of(key.network, key.component)
    exact, ours = (_all_tensors(bundle.graph_of(each), inputs) for each in (exact_key, key))
    shared = [name for name in ours if name in exact and ours[name].shape == exact[name].shape and name not in inputs]
    facts = [
        {"tensor": printable(name), "sqnr_db": _sqnr(exact[name], ours[name])} for name in shared if np.any(exact[name])
    ]
    return sorted(facts, key=lambda fact: math.inf if fact["sqnr_db"] is None else float(fact["sqnr_db"]))


def _holds_a_window(picture: _Picture, model: int) -> bool:
    header = picture.symbols.picture
    return header.model_id == model and min(header.height, header.width) >= WINDOW


def _all_tensors(tflite: bytes, inputs: Any) -> dict[str, Array]:
    """Every activation [1, row, column, channel] of a network, in float32, on LiteRT's plain kernels."""
    interpreter = Interpreter(
        model_content=tflite,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    values = {}
    for detail in interpreter.get_input_details():
        name, (_, rows, _, channels) = detail["name"], detail["shape"]
        size = WINDOW * int(rows) // AUTHORED_EXTENT
        given = inputs[name].transpose(1, 2, 0) if name in inputs else np.ones((size, size, int(channels)), np.float32)
        values[detail["index"]] = given[np.newaxis]
        interpreter.resize_tensor_input(detail["index"], given[np.newaxis].shape)
    interpreter.allocate_tensors()
    for index, value in values.items():
        interpreter.set_tensor(index, value)
    interpreter.invoke()
    computed = {int(index) for operator in interpreter._get_ops_details() for index in operator["outputs"]}
    tensors = {}
    for detail in interpreter.get_tensor_details():
        if detail["index"] in computed and len(detail["shape"]) == 4 and detail["shape"][0] == 1:
            stored = interpreter.get_tensor(detail["index"])
            scale, zero_point = detail["quantization"]
            tensors[detail["name"]] = (stored.astype(np.float32) - zero_point) * scale if scale else stored
    return tensors


def _sqnr(exact: Array, ours: Array) -> float | None:
    products = np.sum(exact * ours, axis=(0, 1, 2), dtype=np.float64)
    squares = np.sum(np.square(ours), axis=(0, 1, 2), dtype=np.float64)
    factors = np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)
    return _decibel(float(np.mean(np.square(exact))), float(np.mean(np.square(ours * factors - exact))))


def _decibel(signal: float, noise: float) -> float | None:
    """None where there is no noise."""
    return None if noise == 0 else round(10 * math.log10(signal / noise), 2)


def _histogram(difference: Array) -> dict[int, float]:
    """Rounded difference -> share of samples."""
    steps = np.clip(np.rint(difference), -LARGEST_DIFFERENCE, LARGEST_DIFFERENCE).astype(int)
    values, counts = np.unique(steps, return_counts=True)
    return {int(value): round(float(count) / steps.size, 6) for value, count in zip(values, counts, strict=True)}


def _delegates(bundle: Bundle, key: NetworkKey) -> Facts:
    """How LiteRT shares a network out. Raises BundleError, naming the file, when it does not run."""
    tflite = bundle.graph_of(key)
    try:
        runner = NetworkRunner(tflite)
        sizes = {name: 128 // info.grid for name, info in runner.inputs.items()}
        runner.run({n: np.zeros((sizes[n], sizes[n], info.channels), np.float32) for n, info in runner.inputs.items()})
    except BundleError as error:
        raise BundleError(f"{bundle.manifest.networks[key]}: {error}") from error
    count, whole = runner.delegation()
    return {"count": count, "whole_network": whole}


def _topology(key: NetworkKey) -> Topology:
    return key.network, key.component, key.operating_point if key.network == "synthesis" else None
