"""Bundles of several models: every stream is coded and decoded with its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.checkpoint import MODEL_SUFFIXES, CheckpointFile
from converters.convert import Selection, convert
from converters.packed_checkpoint import PackedCheckpoint
from jpegai_mobile import Decoder, EncodeOptions, Encoder
from jpegai_mobile.encoder.pictures import SourcePicture
from jpegai_mobile.runtime.bundle import Bundle

from .encoding import WEIGHTS, photo


class TwoModels(PackedCheckpoint):
    """The project's weights as model 1, and others that are like them as model 3."""

    def read(self, name: str) -> CheckpointFile:
        file = super().read(name.replace(MODEL_SUFFIXES[3], MODEL_SUFFIXES[1]))
        if file.name == name:
            return file
        # Other networks and other tables of z; the hyper scale decoder is made of integers and stays.
        tables = {key: values[::-1] for key, values in file.tensors.items() if key == "hyper_entropy.freqs_int"}
        kernels = {
            key: np.multiply(values, np.float32(1.03))
            for key, values in file.tensors.items()
            if values.ndim == 4 and values.dtype.kind == "f"
        }
        return replace(file, name=name, tensors={**file.tensors, **tables, **kernels})


def bundle_of(*models: int) -> Bundle:
    weights = TwoModels(WEIGHTS / "own_model1.zip", WEIGHTS / "own_model1_encoder.zip")
    return convert(weights, Selection(models, ["sop"], ["float32"], ["decoder", "encoder"])).in_memory()


def test_streams_of_several_models_are_coded_and_decoded_with_their_own() -> None:
    picture = SourcePicture(photo().samples[:96, :128])
    both, alone = bundle_of(1, 3), {model: bundle_of(model) for model in (1, 3)}
    encoder, decoder = Encoder(both), Decoder(both)
    pictures = []
    for model in (1, 3, 1):
        options = EncodeOptions(model=model, beta_displacement=0, operating_point="sop")
        data = encoder.encode(picture, options).data
        assert data == Encoder(alone[model]).encode(picture, options).data
        pictures.append(decoder.decode(data).planes)
        expected = Decoder(alone[model]).decode(data).planes
        assert np.array_equal(pictures[-1].y, expected.y) and np.array_equal(pictures[-1].u, expected.u)
    assert not np.array_equal(pictures[0].y, pictures[1].y)
