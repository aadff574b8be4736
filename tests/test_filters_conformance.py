"""The post-filters on the planes that the reference decoder recorded, filter by filter."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from converters.checkpoint import CheckpointTree, network_parameters
from jpegai_mobile.codestream.picture_header import SYNTHESIS_TRANSFORMS
from jpegai_mobile.codestream.stream import CodeStream, read_code_stream
from jpegai_mobile.codestream.tool_header import ToolHeader
from jpegai_mobile.filters.eicci import EicciNetwork
from jpegai_mobile.filters.pipeline import apply_filters
from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import quantise, yuv_to_rgb
from jpegai_mobile.image.layout import PictureLayout
from jpegai_mobile.image.planes import Planes
from jpegai_mobile.networks import catalogue
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.runtime import reconstruction

from .conformance import conformance_decoder
from .filter_vectors import Array, assert_samples_agree, oracle
from .vectors import CONFORMANCE, needs_conformance

pytestmark = needs_conformance

STREAMS = (
    "efelin_256x192",
    "efenl_256x192",
    "efenl_only_200x136",
    "efe_splits_m2_420x310",
    "efe_splits_yuv420_m2_384x288",
    "eicci_256x192",
    "eicci_hop_200x136",
    "lef_256x192",
    "lef_10b_yuv444_200x136",
    "toolson_320x240",
)
"""Streams with filters whose oracle holds the planes before them."""

STORED_PLANE_ERROR = 0.02
"""Ceiling on differences after a filter: storage errors of 0.002 of planes go through kernels and curves."""

FILTERS = {"EFElinear": "efe_linear", "eICCI": "eicci", "EFEnonlinear": "efe_nonlinear", "LEF": "LEF_chIdx"}
"""Name in the oracle -> attribute of the tool header, in the order of the standard."""


@cache
def tree() -> CheckpointTree:
    return CheckpointTree(CONFORMANCE / "checkpoints")


def run_eicci(network: EicciNetwork, bands: Array) -> Array:
    graph = catalogue.build("eicci", network.component)
    parameters = network_parameters(tree().eicci(network.bank, network.index), graph)
    rows, columns, _ = bands.shape
    outputs = evaluate(graph, parameters, {"bands": bands.transpose(2, 0, 1)}, (4 * rows, 4 * columns))
    return outputs["filtered"].transpose(1, 2, 0)


def read_stream(name: str) -> CodeStream:
    return read_code_stream((CONFORMANCE / "streams" / name / "stream.jai").read_bytes())


def lef_sigma(arrays: dict[str, Array], stream: CodeStream) -> Array | None:
    sigma, channel = arrays.get("y_sigma", arrays.get("y_skip_sigma")), stream.tools.LEF_chIdx
    return None if sigma is None or channel is None else sigma[channel]


def filtered(arrays: dict[str, Array], stream: CodeStream, tools: ToolHeader) -> Planes:
    planes = Planes(arrays["plane_Y"], arrays["plane_U"], arrays["plane_V"])
    operating_point = SYNTHESIS_TRANSFORMS[stream.picture.synthesis_transform_id[0]]
    return apply_filters(planes, tools, stream.picture, lef_sigma(arrays, stream), run_eicci, operating_point)


def tools_up_to(tools: ToolHeader, last: str) -> ToolHeader:
    names = list(FILTERS)
    return replace(tools, **{FILTERS[name]: None for name in names[names.index(last) + 1 :]})


@pytest.mark.parametrize("name", STREAMS)
def test_planes_after_every_filter(name: str) -> None:
    stream, arrays = read_stream(name), oracle(name)
    recorded = {key.split("_")[1] for key in arrays if key.startswith("after_")}
    assert recorded
    for last in recorded:
        planes = filtered(arrays, stream, tools_up_to(stream.tools, last))
        for plane, values in (("Y", planes.y), ("U", planes.u), ("V", planes.v)):
            if f"after_{last}_{plane}" in arrays:
                assert np.abs(values - arrays[f"after_{last}_{plane}"]).max() < STORED_PLANE_ERROR


@pytest.mark.parametrize("name", STREAMS)
def test_filtered_picture(name: str) -> None:
    """Within one step; the 16-bit storage of the planes turns the rounding of a few samples."""
    stream, arrays = read_stream(name), oracle(name)
    planes, layout = filtered(arrays, stream, stream.tools), PictureLayout.of(stream.picture)
    ours = samples(planes, layout)
    assert_samples_agree(ours, reference_samples(name, layout), one_of=100 if layout.bit_depth == 8 else 30)


@pytest.mark.parametrize("name", ["eicci_odd_301x229", "eicci_hop_200x136"])
def test_windows_of_eicci_equal_the_tile(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (CONFORMANCE / "streams" / name / "stream.jai").read_bytes()
    whole = conformance_decoder().decode(data).planes
    monkeypatch.setattr(reconstruction, "EICCI_WINDOW", 20)
    parts = conformance_decoder().decode(data).planes
    assert all(np.array_equal(getattr(parts, plane), getattr(whole, plane)) for plane in "yuv")


def samples(planes: Planes, layout: PictureLayout) -> Array:
    """The samples of a decoded file, flat."""
    if layout.is_rgb:
        return yuv_to_rgb(to_444(planes), layout.bit_depth).ravel()
    return np.concatenate([quantise(p, layout.bit_depth).ravel() for p in (planes.y, planes.u, planes.v)])


def reference_samples(name: str, layout: PictureLayout) -> Array:
    folder = CONFORMANCE / "streams" / name
    if layout.is_rgb:
        with Image.open(folder / "decoded.png") as picture:
            return np.array(picture).ravel()
    (file,) = folder.glob("decoded_*.yuv")
    return np.fromfile(file, np.uint8 if layout.bit_depth == 8 else "<u2")
