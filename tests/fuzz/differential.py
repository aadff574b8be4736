"""Runs both engines on the same bytes and compares what they say."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile import native
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.errors import JpegAiError
from jpegai_mobile.latent.entropy_stage import EntropyArrays, decode_entropy_stage
from jpegai_mobile.latent.model_tables import EntropyModel

from ..vectors import DATA, stream_folder
from .generator import random_stream
from .mutators import mutate, mutate_model

MAX_SAMPLES = 1 << 20
MODEL = (DATA / "entropy_1.bin").read_bytes()
SEED_STREAMS = ("bop_64x64", "sop_64x64", "bop_67x65_bm200", "meta_udi_rdi_64x64")
STREAMS_PER_BASE = 40
"""Mutations that are made of one generated stream."""


@dataclass(frozen=True)
class Case:
    """An input of both engines."""

    name: str
    data: bytes
    model: bytes = MODEL
    partial: bool = False
    """Whether independent regions may be missing."""


Outcome = EntropyArrays | type[JpegAiError]


def plain_outcome(case: Case) -> Outcome:
    """What the plain engine says."""
    try:
        stream = read_code_stream(
            case.data, max_samples=MAX_SAMPLES, allow_missing_regions=case.partial, allow_cut=case.partial
        )
        return decode_entropy_stage(stream, EntropyModel.from_bytes(case.model))
    except JpegAiError as error:
        assert "\n" not in str(error), f"{case.name}: more than one line: {error}"
        return type(error)


def native_outcome(case: Case) -> Outcome:
    """What the native engine says."""
    try:
        return native.decode_entropy_stage(
            case.data, case.model, max_samples=MAX_SAMPLES, allow_missing_regions=case.partial
        )
    except JpegAiError as error:
        text = str(error)
        assert text and "\n" not in text and "%" not in text, f"{case.name}: not one plain line: {text}"
        return type(error)


def disagreement(plain: Outcome, ours: Outcome) -> str | None:
    """How two outcomes differ; None when they agree."""
    if isinstance(plain, type) or isinstance(ours, type):
        if plain is ours:
            return None
        return f"plain engine: {_describe(plain)}, native engine: {_describe(ours)}"
    expected, actual = plain.named(), ours.named()
    if expected.keys() != actual.keys():
        return f"plain engine has {sorted(expected)}, native engine {sorted(actual)}"
    differing = [name for name in expected if not _equal(expected[name], actual[name])]
    return f"arrays differ: {', '.join(differing)}" if differing else None


def _equal(a: NDArray[np.generic], b: NDArray[np.generic]) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b)


def _describe(outcome: Outcome) -> str:
    return outcome.__name__ if isinstance(outcome, type) else "arrays"


def legal_cases(seed: int, count: int) -> list[Case]:
    """Generated legal streams."""
    model = EntropyModel.from_bytes(MODEL)
    return [
        Case(f"generated stream {seed}/{i}", random_stream(random.Random(f"{seed}/{i}"), model)) for i in range(count)
    ]


def mutated_cases(seed: int, count: int) -> list[Case]:
    """Damaged streams, made from generated ones and from small streams of the reference."""
    bases = legal_cases(seed, -(-count // STREAMS_PER_BASE))
    bases += [Case(name, (stream_folder(name) / "stream.jai").read_bytes()) for name in SEED_STREAMS]
    cases = []
    for i in range(count):
        rng = random.Random(f"{seed}/mutation/{i}")
        base = rng.choice(bases)
        cases.append(Case(f"mutation {seed}/{i} of {base.name}", mutate(rng, base.data)))
    return cases


def model_cases(seed: int, count: int) -> list[Case]:
    """A sound stream with damaged models."""
    data = (stream_folder(SEED_STREAMS[0]) / "stream.jai").read_bytes()
    rngs = (random.Random(f"{seed}/model/{i}") for i in range(count))
    return [Case(f"model mutation {seed}/{i}", data, mutate_model(rng, MODEL)) for i, rng in enumerate(rngs)]
