"""The trainable twins compute what the NumPy evaluator and the integer stage compute."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch (the `train` extra) is absent")

from jpegai_mobile.latent.hyper_scale_decoder import hyper_scale_decoder  # noqa: E402
from jpegai_mobile.latent.model_tables import ComponentTables  # noqa: E402
from jpegai_mobile.networks import catalogue  # noqa: E402
from jpegai_mobile.networks.evaluate import evaluate  # noqa: E402
from jpegai_mobile.networks.graph import Add, Concat, Conv2d, Multiply, TransposedConv2d  # noqa: E402
from jpegai_mobile.networks.shapes import input_shapes  # noqa: E402
from training.graph_module import Evaluation, GraphModule  # noqa: E402
from training.hyper_scale_decoder import INDEX_STEP, HyperScaleDecoder  # noqa: E402
from training.int8_activations import Int8Evaluation  # noqa: E402
from training.phases import merge_phases, split_phases  # noqa: E402
from training.rate import gaussian_bits  # noqa: E402
from training.z_model import LARGEST_Z, ZModel  # noqa: E402

NETWORKS = [key for key in catalogue.BUILDERS if key[0] != "eicci" and key[2] != "hop"]


@pytest.mark.parametrize("key", NETWORKS, ids=lambda key: "_".join(part for part in key if part))
@pytest.mark.parametrize("extent", [(64, 64), (101, 75)])
def test_graph_module_equals_the_evaluator(key: catalogue.NetworkKey, extent: tuple[int, int]) -> None:
    graph = catalogue.build(*key)
    module = GraphModule(graph, torch.Generator().manual_seed(5))
    generator = np.random.default_rng(6)
    parameters = {
        name: (generator.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)
        for name, shape in graph.parameter_shapes().items()
    }
    module.load_arrays({name: torch.from_numpy(value) for name, value in parameters.items()})
    inputs = {
        name: generator.normal(size=shape).astype(np.float32) for name, shape in input_shapes(graph, extent).items()
    }
    expected = evaluate(graph, parameters, inputs, extent, np.float64)
    tensors = module.evaluation({name: torch.from_numpy(x).unsqueeze(0) for name, x in inputs.items()}, extent)
    for name in graph.outputs:
        with torch.no_grad():
            actual = tensors[name][0].numpy()
        np.testing.assert_allclose(actual, expected[name], rtol=1e-4, atol=1e-4)


def test_evaluation_takes_inputs_while_it_runs() -> None:
    graph = catalogue.build("context_model", "y")
    module = GraphModule(graph, torch.Generator().manual_seed(1))
    values = {name: torch.randn(1, channels, 2, 3) for name, channels in graph.inputs.items()}
    whole = module.evaluation(values, (64, 96))
    late = module.evaluation({name: x for name, x in values.items() if name.startswith("psi")}, (64, 96))
    for stage in range(4):
        with pytest.raises(KeyError):
            late[f"latent_{stage}"]
        late[f"residual_{stage}"] = values[f"residual_{stage}"]
        torch.testing.assert_close(late[f"latent_{stage}"], whole[f"latent_{stage}"], rtol=0, atol=0)


@pytest.mark.parametrize("component", ["y", "uv"])
@pytest.mark.parametrize("operating_point", ["sop", "bop"])
def test_int8_evaluation_rounds_what_int8_networks_round(component: str, operating_point: str) -> None:
    module = GraphModule(catalogue.build("synthesis", component, operating_point), torch.Generator().manual_seed(1))
    (name,) = module.graph.inputs
    latent = torch.randn(1, {"y": 160, "uv": 256}[component], 4, 5, generator=torch.Generator().manual_seed(2))
    exact, rounded = (kind(module, {name: latent}, (64, 80)) for kind in (Evaluation, Int8Evaluation))
    for node in module.graph.nodes:
        if isinstance(node, Conv2d | TransposedConv2d):
            assert len(rounded[node.output].round(decimals=4).unique()) <= 256
        elif isinstance(node, Add | Multiply | Concat):
            assert max(len(channel.round(decimals=5).unique()) for channel in rounded[node.output][0]) <= 255
    output = module.graph.outputs[0]
    error = (rounded[output] - exact[output]).detach()
    assert 0 < error.norm() < 0.05 * exact[output].norm()
    rounded[output].sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_masks_start_as_the_identity_and_weights_keep_the_variance() -> None:
    graph = catalogue.build("analysis", "y")
    module = GraphModule(graph, torch.Generator().manual_seed(1))
    assert module.parameter("act1.conv2.weight").abs().max() < 1e-2
    signal = torch.randn(1, 1, 128, 128)
    assert 0.2 < module(signal, extent=(128, 128)).std() < 2


def test_phases_are_taken_in_stage_order_and_merge_again() -> None:
    x = torch.arange(2 * 3 * 5 * 7, dtype=torch.float32).reshape(2, 3, 5, 7)
    phases = split_phases(x)
    assert [phase.shape[2:] for phase in phases] == [(3, 4)] * 4
    assert phases[1][0, 0, 0, 0] == x[0, 0, 1, 1]
    assert phases[1][0, 0, 2, 0] == 0
    torch.testing.assert_close(merge_phases(phases, (5, 7)), x)


def _random_decoder(channels: int) -> HyperScaleDecoder:
    """Weights large enough for activations that meet every clamp."""
    decoder = HyperScaleDecoder(channels, torch.Generator().manual_seed(3))
    with torch.no_grad():
        for layer in decoder.layers:
            layer.weight.mul_(3)
            layer.bias.uniform_(-1, 1, generator=torch.Generator().manual_seed(4))
    return decoder


def _tables(decoder: HyperScaleDecoder, channels: int) -> ComponentTables:
    first, second, third = decoder.integers()
    gain, cumulative = np.zeros(channels, np.int16), np.full((channels, 63), 255, np.uint8)
    return ComponentTables(gain, cumulative, (first, second, third))


@pytest.mark.parametrize("channels", [160, 96])
def test_scale_decoder_equals_its_integers_to_the_bit(channels: int) -> None:
    decoder = _random_decoder(channels)
    z = np.random.default_rng(2).integers(-31, 32, (channels, 3, 4)).astype(np.int8)
    expected = hyper_scale_decoder(z, _tables(decoder, channels), (12, 16))
    assert expected.min() == 0 or expected.min() < 100
    assert expected.max() > 1000
    with torch.no_grad():
        actual = decoder(torch.from_numpy(z).unsqueeze(0).float())[0].numpy() * INDEX_STEP
    np.testing.assert_array_equal(actual, expected)


def test_scale_decoder_starts_from_integers_to_the_bit() -> None:
    first, second = _random_decoder(96), HyperScaleDecoder(96, torch.Generator().manual_seed(9))
    second.load_integers(first.integers())
    z = torch.randint(-31, 32, (2, 96, 3, 3), generator=torch.Generator().manual_seed(1)).float()
    with torch.no_grad():
        torch.testing.assert_close(second(z), first(z), rtol=0, atol=0)


def test_scale_decoder_passes_gradients_through_its_rounding() -> None:
    decoder = HyperScaleDecoder(96, torch.Generator().manual_seed(3))
    z = torch.randn(1, 96, 2, 2, generator=torch.Generator().manual_seed(3)).round().requires_grad_()
    (decoder(z) ** 2).sum().backward()
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    for parameter in decoder.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize(("index", "sigma"), [(0, 0.11), (31, 54.82), (15.5, np.sqrt(0.11 * 54.82)), (40, 54.82)])
def test_gaussian_bits_are_those_of_the_standards_sigmas(index: float, sigma: float) -> None:
    symbols = torch.arange(-60.0, 61.0)
    share = 2 ** -gaussian_bits(symbols, torch.tensor(float(index))).double().numpy()
    edges = [math.erf((symbol - 0.5) / sigma / math.sqrt(2)) / 2 for symbol in range(-60, 62)]
    np.testing.assert_allclose(share, np.diff(edges), rtol=1e-3, atol=2e-6)


def test_z_model_exports_what_it_has_seen() -> None:
    model = ZModel(2)
    z = torch.zeros(1, 2, 4, 8)
    z[0, 1, 0] = -LARGEST_Z
    for _ in range(10_000):
        model.observe(z)
    frequencies = model.frequencies()
    assert frequencies[0].argmax() == LARGEST_Z
    assert frequencies[1, 0] / frequencies[1].sum() == pytest.approx(0.25, rel=1e-3)
    again = ZModel(2)
    again.load_frequencies(frequencies)
    np.testing.assert_allclose(again.frequencies(), frequencies, rtol=1e-4)


def test_z_model_fits_without_a_gradient_for_what_is_frozen() -> None:
    model = ZModel(3)
    z = torch.randn(1, 3, 2, 2).requires_grad_()
    model.bits(z, frozen=True).sum().backward()
    assert model.mean.grad is None
    assert z.grad is not None
    probability = 2 ** -model.bits(torch.arange(-31.0, 32.0).reshape(1, 1, -1, 1)).sum(0)
    assert probability[0].sum().item() == pytest.approx(1, abs=1e-3)
