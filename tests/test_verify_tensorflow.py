"""TensorFlow as an independent reader of our graphs (extra `[verify]`): the same results, and its GPU analyser."""

from __future__ import annotations

import importlib.util
import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

from converters.quantisation.quantise import quantise
from converters.quantisation.recipe import recipe_of
from converters.tflite.emitter import emit_tflite
from jpegai_mobile.networks.catalogue import NetworkKey, build
from jpegai_mobile.runtime.network_runner import NetworkRunner
from tests.converter_support import Array, last_channel, random_inputs, random_parameters

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="tensorflow is not installed: NO SECOND READER CHECKS THE GRAPHS; pip install 'jpegai-mobile[verify]'",
)
TILE = (64, 64)
NETWORKS: list[NetworkKey] = [
    ("hyper_decoder", "y", None),
    ("context_model", "y", None),
    ("synthesis", "y", "sop"),
    ("synthesis", "uv", "sop"),
    ("synthesis", "y", "bop"),
    ("synthesis", "uv", "bop"),
]
PRECISIONS = ("float32", "float16", "int8w", "int8mixed", "int8")


def graph_file(key: NetworkKey, precision: str) -> tuple[bytes, dict[str, Array]]:
    """A network with random parameters and inputs [row, column, channel] for it."""
    graph = build(*key)
    parameters = random_parameters(graph)
    samples = [(random_inputs(graph, TILE), TILE)]
    return emit_tflite(*quantise(graph, parameters, recipe_of(key, precision), samples)), last_channel(samples[0][0])


def interpreter_of(tflite: bytes, **options: Any) -> Any:
    import tensorflow as tf  # type: ignore[import-not-found,unused-ignore]

    return tf.lite.Interpreter(model_content=tflite, **options)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("key", NETWORKS, ids=lambda key: "-".join(filter(None, key)))
def test_tensorflow_gives_what_litert_gives(key: NetworkKey, precision: str) -> None:
    tflite, inputs = graph_file(key, precision)
    ours = NetworkRunner(tflite).run(inputs, TILE)
    interpreter = interpreter_of(tflite)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        value = inputs[detail["name"]][np.newaxis] if detail["name"] in inputs else np.ones(detail["shape"], np.float32)
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    for detail in interpreter.get_output_details():
        theirs, output = interpreter.get_tensor(detail["index"])[0], ours[detail["name"]]
        assert np.abs(theirs[: output.shape[0], : output.shape[1]] - output).max() < 1e-4 * max(1, np.abs(output).max())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("key", NETWORKS, ids=lambda key: "-".join(filter(None, key)))
def test_the_gpu_analyser_has_no_objection(key: NetworkKey, precision: str) -> None:
    import tensorflow as tf

    tflite, _ = graph_file(key, precision)
    with redirect_stdout(io.StringIO()) as said:
        tf.lite.experimental.Analyzer.analyze(model_content=tflite, gpu_compatibility=True)
    assert "GPU COMPATIBILITY WARNING" not in said.getvalue(), said.getvalue()
