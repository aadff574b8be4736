"""The integer tables from checkpoint tensors: the two roundings, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from converters.checkpoint import CheckpointFile, CheckpointTree
from converters.entropy_model import TENSOR_NAMES, cumulative_table, entropy_model, gain_vector
from converters.packed_checkpoint import PackedCheckpoint
from jpegai_mobile.errors import BundleError
from jpegai_mobile.latent.model_tables import EntropyModel
from tests.vectors import CONFORMANCE, DATA, ROOT, needs_conformance


@pytest.fixture(scope="module")
def files() -> tuple[CheckpointFile, CheckpointFile]:
    """The common checkpoint files of the repository's weights."""
    source = PackedCheckpoint(ROOT / "weights" / "own_model1.zip")
    return source.common("y", 1), source.common("uv", 1)


def test_gains_round_half_to_even_with_a_floor() -> None:
    gains = np.zeros((8, 18), np.float32)
    gains[:, 7] = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 200.25, -2048.6, -5000]) / 128
    assert gain_vector(gains).tolist() == [0, 2, 2, 0, -2, 200, -2048, -2048]
    assert gain_vector(np.zeros((3, 18), np.float32)).tolist() == [0, 0, 0]


def test_gains_in_two_columns_are_refused() -> None:
    gains = np.zeros((4, 18), np.float32)
    gains[0, 3] = gains[1, 4] = 1
    with pytest.raises(ValueError, match="more than one column"):
        gain_vector(gains)


@given(hnp.arrays(np.int32, (2, 63), elements=st.integers(0, 2**31 - 1)))
def test_cumulative_counts(frequencies: NDArray[np.int32]) -> None:
    frequencies[:, 0] |= 1
    table = cumulative_table(frequencies)
    assert table.dtype == np.uint8
    for row, counts in zip(table.tolist(), frequencies.tolist(), strict=True):
        total = sum(counts)
        expected = [(255 * sum(counts[: i + 1]) + total // 2) // total for i in range(63)]
        assert row == expected
        assert row[-1] == 255
        assert abs(Fraction(row[0]) - Fraction(255 * counts[0], total)) <= Fraction(1, 2)


def test_tables_survive_the_file(files: tuple[CheckpointFile, CheckpointFile]) -> None:
    model = entropy_model(*files)
    again = EntropyModel.from_bytes(model.to_bytes())
    for made, read, file in zip(model.components, again.components, files, strict=True):
        assert np.array_equal(made.gain, read.gain)
        assert np.array_equal(made.z_cumulative, read.z_cumulative)
        layers = zip(("conv1", "depthwise", "pointwise"), read.hyper_scale_decoder, strict=True)
        for name, layer in layers:
            stored = {key: file.tensors[f"hyper_scale_decoder.{name}.{key}"] for key in ("weight", "bias")}
            assert np.array_equal(layer.weight, stored["weight"])
            assert np.array_equal(layer.bias, stored["bias"])
            shifts = file.tensors[f"hyper_scale_decoder.{name}.per_channel_shifts"]
            assert layer.shift.tolist() == shifts.ravel().tolist()


@needs_conformance
def test_the_tables_of_the_conformance_model() -> None:
    tree = CheckpointTree(CONFORMANCE / "checkpoints")
    made = entropy_model(tree.common("y", 1), tree.common("uv", 1)).to_bytes()
    assert made == (DATA / "entropy_1.bin").read_bytes()


LAYER = "hyper_scale_decoder.depthwise"


def with_value(tensor: NDArray[Any], value: object) -> NDArray[Any]:
    changed = tensor.copy()
    changed.flat[3] = value
    return changed


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("quantizer.gain_unit.c", lambda x: with_value(x, np.nan), "has values that are not finite"),
        ("quantizer.gain_unit.c", lambda x: x + 1, "has more than one column that is not zero"),
        ("quantizer.gain_unit.c", lambda x: x * 1e6, "holds a gain that is too large"),
        ("quantizer.gain_unit.c", lambda x: x[1:], "has shape (159, 18), not (160, 'any')"),
        ("quantizer.gain_unit.c", lambda x: x.astype(np.int32), "has type int32, not floating"),
        ("hyper_entropy.freqs_int", lambda x: x.astype(np.float32), "has type float32, not int32"),
        ("hyper_entropy.freqs_int", lambda x: with_value(x, -1), "holds a negative frequency"),
        (
            "hyper_entropy.freqs_int",
            lambda x: x * 0,
            "holds a negative frequency or a channel without symbols",
        ),
        ("hyper_entropy.freqs_int", lambda x: x[:, :62], "has shape (160, 62), not (160, 63)"),
        ("hyper_entropy.is_quantized", lambda x: ~x, "is false: the tables were never made integers"),
        (f"{LAYER}.is_quantized", lambda x: ~x, "is false: the tables were never made integers"),
        (f"{LAYER}.weight", lambda x: x.astype(np.float32), "has type float32, not int8"),
        (f"{LAYER}.weight", lambda x: x.astype(np.int16), "has type int16, not int8"),
        (f"{LAYER}.weight", lambda x: x[:, :1], "has shape (160, 1, 3, 3), not (160, 160, 3, 3)"),
        (f"{LAYER}.bias", lambda x: with_value(x, 2**30 + 1), "has a value beyond 2^30"),
        (f"{LAYER}.bias", lambda x: with_value(x, -(2**31)), "has a value beyond 2^30"),
        (f"{LAYER}.per_channel_shifts", lambda x: with_value(x, 32), "has a value outside 0..31"),
        (f"{LAYER}.per_channel_shifts", lambda x: with_value(x, -1), "has a value outside 0..31"),
        (f"{LAYER}.per_channel_shifts", lambda x: x.ravel(), "has shape (160,), not (1, 160, 1, 1)"),
    ],
)
def test_what_breaks_the_rules_is_named(
    files: tuple[CheckpointFile, CheckpointFile], name: str, change: Any, reason: str
) -> None:
    luma, chroma = files
    broken = CheckpointFile(luma.name, luma.sha256, luma.tensors | {name: change(luma.tensors[name])})
    with pytest.raises(BundleError) as caught:
        entropy_model(broken, chroma)
    assert str(caught.value).startswith(f"{luma.name}: tensor {name!r} ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", TENSOR_NAMES)
def test_every_tensor_is_needed(files: tuple[CheckpointFile, CheckpointFile], name: str) -> None:
    luma, chroma = files
    rest = {key: tensor for key, tensor in chroma.tensors.items() if key != name}
    with pytest.raises(BundleError) as caught:
        entropy_model(luma, CheckpointFile(chroma.name, chroma.sha256, rest))
    assert str(caught.value) == f"{chroma.name}: tensor {name!r} is missing"


def test_the_largest_values_are_accepted(files: tuple[CheckpointFile, CheckpointFile]) -> None:
    luma, chroma = files
    changes = {
        f"{LAYER}.bias": with_value(luma.tensors[f"{LAYER}.bias"], -(2**30)),
        f"{LAYER}.per_channel_shifts": with_value(luma.tensors[f"{LAYER}.per_channel_shifts"], 31),
    }
    extreme = CheckpointFile(luma.name, luma.sha256, luma.tensors | changes)
    layer = entropy_model(extreme, chroma).components[0].hyper_scale_decoder[1]
    assert (layer.bias[3], layer.shift[3]) == (-(2**30), 31)
