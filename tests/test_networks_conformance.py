"""All networks against tensors recorded from the reference software."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from converters.checkpoint import CheckpointTree, network_parameters
from converters.source_networks import checkpoint_name
from jpegai_mobile.networks import catalogue
from jpegai_mobile.networks.context_model import STAGE_PHASES
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.folding import fold
from tests.vectors import CONFORMANCE, needs_conformance

pytestmark = needs_conformance

Array = NDArray[Any]
MODEL = 1
LATENT_TOLERANCE = 5e-4
PLANE_RMS = 1e-4
STREAMS = (
    "bop_64x64",
    "bop_67x65_bm200",
    "bop_187x133",
    "bop_200x136_b300",
    "sop_64x64",
    "sop_187x133",
    "hop_128x96",
    "hop_187x133",
)
"""Streams without tools whose oracle holds every tensor and that come with their source picture."""
PRECISIONS = (np.float32, np.float64)


@cache
def tree() -> CheckpointTree:
    return CheckpointTree(CONFORMANCE / "checkpoints")


@cache
def oracle(stream: str) -> dict[str, Array]:
    with np.load(CONFORMANCE / "streams" / stream / "oracle.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def run(
    key: catalogue.NetworkKey, inputs: dict[str, Array], extent: tuple[int, int], dtype: type = np.float64
) -> dict[str, Array]:
    graph = catalogue.build(*key)
    parameters = network_parameters(tree().read(checkpoint_name(key, MODEL)), graph)
    return evaluate(graph, parameters, inputs, extent, dtype)


def luma_extent(stream: str) -> tuple[int, int]:
    (plane,) = (array for name, array in oracle(stream).items() if name in ("plane_Y", "plane_Y_u16"))
    return plane.shape[0], plane.shape[1]


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("component", ["y", "uv"])
@pytest.mark.parametrize("stream", STREAMS)
def test_psi_from_z(stream: str, component: str, dtype: type) -> None:
    z = {"z": oracle(stream)[f"{component}_z"]}
    psi = run(("hyper_decoder", component, None), z, luma_extent(stream), dtype)["psi"]
    np.testing.assert_allclose(psi, oracle(stream)[f"{component}_psi"], rtol=0, atol=LATENT_TOLERANCE)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("stream", STREAMS)
def test_luma_latent_from_residual_and_psi(stream: str, dtype: type) -> None:
    residual, psi = oracle(stream)["y_residual"], oracle(stream)["y_psi"]
    channels, rows, columns = residual.shape
    even = np.pad(residual, ((0, 0), (0, rows % 2), (0, columns % 2)))
    inputs = {}
    for stage, (row, column) in enumerate(STAGE_PHASES):
        inputs[f"residual_{stage}"] = even[:, row::2, column::2]
        inputs[f"psi_{stage}"] = psi[stage * channels : (stage + 1) * channels]
    latents = run(("context_model", "y", None), inputs, luma_extent(stream), dtype)
    joined = np.empty(even.shape)
    for stage, (row, column) in enumerate(STAGE_PHASES):
        joined[:, row::2, column::2] = latents[f"latent_{stage}"]
    expected = oracle(stream)["y_yhat"]
    np.testing.assert_allclose(joined[:, :rows, :columns], expected, rtol=0, atol=LATENT_TOLERANCE)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("component", ["y", "uv"])
@pytest.mark.parametrize("stream", STREAMS)
def test_planes_from_latents(stream: str, component: str, dtype: type) -> None:
    arrays = oracle(stream)
    latents = [arrays[f"{part}_yhat"] for part in (("y",) if component == "y" else ("y", "uv"))]
    extent = luma_extent(stream)
    key = ("synthesis", component, stream[:3])
    (output,) = run(key, {"latent": np.concatenate(latents)}, extent, dtype).values()
    samples = np.clip(127.5 + 128 * output[:, : extent[0], : extent[1]], 0, 255)
    for plane, name in zip(samples, "Y" if component == "y" else "UV", strict=True):
        difference = plane - arrays[f"plane_{name}"]
        assert np.sqrt(np.mean(np.square(difference))) < PLANE_RMS


def normalised_yuv(stream: str) -> Array:
    """The source picture as the analysis transforms want it: BT.709, even size, (sample - 127.5) / 128."""
    rgb = np.asarray(Image.open(CONFORMANCE / "streams" / stream / "input.png").convert("RGB"), np.float64)
    red, green, blue = rgb.transpose(2, 0, 1)
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    yuv = np.stack([y, (blue - y) / 1.8556 + 127.5, (red - y) / 1.5748 + 127.5])
    odd_rows, odd_columns = yuv.shape[1] % 2, yuv.shape[2] % 2
    return (np.pad(yuv, ((0, 0), (0, odd_rows), (0, odd_columns)), mode="edge") - 127.5) / 128


@cache
def analysed(stream: str, component: str) -> Array:
    yuv = normalised_yuv(stream)
    extent = yuv.shape[1], yuv.shape[2]
    if component == "y":
        return run(("analysis", "y", None), {"plane": yuv[:1]}, extent)["latent"]
    phases = [plane[row::2, column::2] for plane in yuv for row in (0, 1) for column in (0, 1)]
    return run(("analysis", "uv", None), {"planes": np.stack(phases)}, extent)["latent"]


@pytest.mark.parametrize("component", ["y", "uv"])
@pytest.mark.parametrize("stream", STREAMS)
def test_analysis_is_what_the_encoder_quantised(stream: str, component: str) -> None:
    """A coded residual is the rounded distance to the prediction, so half a step bounds what is left."""
    arrays = oracle(stream)
    symbols, residual = arrays[f"{component}_q"], arrays[f"{component}_residual"]
    coded = symbols != 0
    steps = symbols[coded] / residual[coded]
    left = (analysed(stream, component) - arrays[f"{component}_yhat"])[coded] * steps
    assert np.abs(left).max() < 0.5 + 1e-3


@pytest.mark.parametrize("component", ["y", "uv"])
@pytest.mark.parametrize("stream", STREAMS)
def test_hyper_encoder_gives_the_coded_z(stream: str, component: str) -> None:
    latent = analysed(stream, component)
    z = run(("hyper_encoder", component, None), {"latent": latent}, luma_extent(stream))["z"]
    assert np.array_equal(np.rint(np.clip(z, -31, 31)), oracle(stream)[f"{component}_z"])


def haar(x: Array) -> Array:
    """One Haar level: [C, H, W] to [4C, H/2, W/2], the bands of a channel beside each other."""
    a, b, c, d = (x[:, row::2, column::2] / 2 for column in (0, 1) for row in (0, 1))
    bands = np.stack([a + b + c + d, -a - b + c + d, -a + b - c + d, a - b - c + d], axis=1)
    return bands.reshape(-1, *a.shape[1:])


@pytest.mark.parametrize(
    ("stream", "operating_point", "component", "index", "changed"),
    [
        ("eicci_256x192", "bop", "uv", 1, {"U": 0, "V": 1}),
        ("eicci_hop_200x136", "hop", "y", 8, {"Y": 0}),
        ("eicci_hop_200x136", "hop", "uv", 1, {"U": 0}),
    ],
)
def test_eicci(stream: str, operating_point: str, component: str, index: int, changed: dict[str, int]) -> None:
    """Compared in the Haar domain, which keeps the rms of an error; planes are stored in steps of 1/240."""
    planes = {name: array / 240 - 8 for name, array in oracle(stream).items()}
    yuv = np.stack([planes[f"plane_{name}_u16"] for name in "YUV"]) / 255
    graph = catalogue.build("eicci", component)
    parameters = network_parameters(tree().eicci(operating_point, index), graph)
    bands = {"bands": haar(haar(yuv))}
    filtered = evaluate(graph, parameters, bands, luma_extent(stream), np.float64)["filtered"]
    folded, folded_parameters = fold(graph, parameters)
    refiltered = evaluate(folded, folded_parameters, bands, luma_extent(stream), np.float64)["filtered"]
    np.testing.assert_allclose(refiltered, filtered, rtol=0, atol=1e-6)
    for name, position in changed.items():
        expected = haar(haar(planes[f"after_eICCI_{name}_u16"][None] / 255))
        difference = 255 * (filtered[16 * position : 16 * (position + 1)] - expected)
        assert np.sqrt(np.mean(np.square(difference))) < 0.003
