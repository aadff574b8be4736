"""The two entropy engines behind one function."""

from __future__ import annotations

from .. import native
from ..codestream.stream import DEFAULT_MAX_SAMPLES, read_code_stream
from ..latent.entropy_stage import EntropyArrays, decode_entropy_stage
from ..latent.model_tables import EntropyModel

ENGINES = ("native", "python")


def run_entropy_stage(
    data: bytes,
    model: bytes,
    engine: str,
    *,
    max_channels: tuple[int, int] | None = None,
    max_samples: int = DEFAULT_MAX_SAMPLES,
    allow_missing_regions: bool = False,
) -> EntropyArrays:
    """Arrays of the entropy stage of a code stream, from the bytes of `entropy_<model>.bin`.

    Both engines give the same arrays or raise the same class of error: InvalidStream, Unsupported,
    LimitExceeded or BundleError.
    """
    if engine == "native":
        return native.decode_entropy_stage(
            data,
            model,
            max_channels=max_channels,
            max_samples=max_samples,
            allow_missing_regions=allow_missing_regions,
        )
    stream = read_code_stream(data, max_samples=max_samples, allow_missing_regions=allow_missing_regions)
    return decode_entropy_stage(stream, EntropyModel.from_bytes(model), max_channels)
