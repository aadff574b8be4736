"""The two entropy engines behind one function."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .. import native
from ..codestream.stream import DEFAULT_MAX_SAMPLES, CodeStream, read_code_stream
from ..latent.decoded_symbols import DecodedSymbols, decoded_symbols
from ..latent.entropy_stage import EntropyArrays, decode_entropy_stage
from ..latent.model_tables import EntropyModel

ENGINES = ("native", "python")


@dataclass(frozen=True)
class EntropyOptions:
    """What may be chosen about the entropy stage."""

    engine: str = ENGINES[0]
    max_channels: tuple[int, int] | None = None
    """Largest number of luma and chroma residual channels to keep."""
    max_samples: int = DEFAULT_MAX_SAMPLES
    """Ceiling on coded luma samples."""
    allow_missing_regions: bool = False
    """Whether independent regions may be absent, those that the end of data cuts off among them."""
    skipped_regions: frozenset[int] = frozenset()
    """Independent regions that nobody will ask for: their residuals are not looked at, and are zero."""


DEFAULTS = EntropyOptions()


def run_entropy_stage(data: bytes, model: bytes, options: EntropyOptions = DEFAULTS) -> EntropyArrays:
    """All arrays of the entropy stage of a code stream, from the bytes of `entropy_<model>.bin`.

    Both engines give the same arrays or raise the same class of error: InvalidStream, Unsupported,
    LimitExceeded or BundleError.
    """
    if options.engine == "native":
        return native.decode_entropy_stage(
            data,
            model,
            max_channels=options.max_channels,
            max_samples=options.max_samples,
            allow_missing_regions=options.allow_missing_regions,
        )
    stream = read_code_stream(
        data,
        max_samples=options.max_samples,
        allow_missing_regions=options.allow_missing_regions,
        allow_cut=options.allow_missing_regions,
    )
    return decode_entropy_stage(stream, EntropyModel.from_bytes(model), options.max_channels)


def run_symbol_decoding(
    data: bytes, stream: CodeStream, model: bytes, options: EntropyOptions = DEFAULTS
) -> DecodedSymbols:
    """The part of the entropy stage's results that the reconstruction reads; `stream` are the headers of `data`.

    Raises what `run_entropy_stage` raises.
    """
    if options.engine == "native":
        return native.decode_symbols(
            data,
            stream,
            model,
            max_channels=options.max_channels,
            max_samples=options.max_samples,
            allow_missing_regions=options.allow_missing_regions,
            skipped_regions=options.skipped_regions,
        )
    luma, chroma = (
        [None if number in options.skipped_regions else part for number, part in enumerate(regions)]
        for regions in stream.residuals
    )
    wanted = replace(stream, residuals=(luma, chroma))
    return decoded_symbols(stream, decode_entropy_stage(wanted, EntropyModel.from_bytes(model), options.max_channels))
