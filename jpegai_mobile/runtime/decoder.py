"""The decoder: from the bytes of a code stream to a picture, with the networks and tables of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..codestream.description import operating_points
from ..codestream.stream import DEFAULT_MAX_SAMPLES, CodeStream, read_code_stream
from ..errors import BundleError, Unsupported
from ..image.planes import Planes
from ..latent.model_tables import EntropyModel
from .bundle import Bundle
from .entropy_engine import ENGINES, run_entropy_stage
from .model_networks import ModelNetworks
from .reconstruction import Reconstruction

DEFAULT_THREADS = 2


@dataclass(frozen=True)
class DecodeOptions:
    """What a caller may choose about a decode."""

    operating_point: str | None = None
    """`sop`, `bop` or `hop`; None takes the first of the stream's list that the bundle holds."""
    precision: str | None = None
    """Precision of the networks; None takes the most exact one in the bundle."""
    num_threads: int = DEFAULT_THREADS
    max_channels: tuple[int, int] | None = None
    """Largest number of luma and chroma residual channels to use."""
    filters: bool = True
    """Whether the post-filters of the stream are applied."""
    allow_partial: bool = False
    """Whether independent regions may be missing."""
    max_samples: int = DEFAULT_MAX_SAMPLES
    engine: str = ENGINES[0]
    """Which entropy engine: `native` or `python`."""


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """A decoded picture and its headers."""

    planes: Planes
    """Planes of the displayed size in the source's chroma format, 0..255."""
    stream: CodeStream
    operating_point: str
    precision: str
    notes: tuple[str, ...]
    """Remarks for the caller: one line each."""


@dataclass(eq=False)
class Decoder:
    """Decodes streams with one bundle; prepared networks are kept from one picture to the next."""

    bundle: Bundle
    _networks: dict[tuple[int, str, str, int], ModelNetworks] = field(default_factory=dict)

    def decode(self, data: bytes, options: DecodeOptions | None = None) -> DecodedPicture:
        """Decode a code stream; raises InvalidStream, Unsupported, LimitExceeded or BundleError."""
        options = options or DecodeOptions()
        reconstruction = self.reconstruct(data, options)
        networks = reconstruction.networks
        planes = reconstruction.picture_planes(options.filters)
        stream = reconstruction.stream
        notes = (*_operating_point_notes(stream, networks.operating_point, options), *reconstruction.notes)
        return DecodedPicture(planes, stream, networks.operating_point, networks.precision, notes)

    def reconstruct(self, data: bytes, options: DecodeOptions) -> Reconstruction:
        """The stages of a decode, each computed when it is asked for; the entropy stage is done.

        Raises InvalidStream, Unsupported, LimitExceeded or BundleError.
        """
        stream = read_code_stream(data, max_samples=options.max_samples, allow_missing_regions=options.allow_partial)
        networks = self._networks_for(stream, options)
        tables = self.bundle.entropy_model_bytes(stream.picture.model_id)
        arrays = run_entropy_stage(
            data,
            tables,
            options.engine,
            max_channels=options.max_channels,
            max_samples=options.max_samples,
            allow_missing_regions=options.allow_partial,
        )
        return Reconstruction(stream, EntropyModel.from_bytes(tables), arrays, networks)

    def _networks_for(self, stream: CodeStream, options: DecodeOptions) -> ModelNetworks:
        point = _choose_operating_point(stream, self.bundle, options.operating_point)
        precision = _choose_precision(self.bundle, options.precision)
        key = (stream.picture.model_id, point, precision, options.num_threads)
        if key not in self._networks:
            self._networks[key] = ModelNetworks(self.bundle, *key)
        return self._networks[key]


def _choose_operating_point(stream: CodeStream, bundle: Bundle, wanted: str | None) -> str:
    listed = operating_points(stream.picture)
    if wanted is not None:
        if wanted not in listed:
            raise Unsupported(f"operating point {wanted}: the stream allows {', '.join(listed)}")
        return wanted
    for point in listed:
        if point in bundle.operating_points():
            return point
    held = ", ".join(bundle.operating_points()) or "none"
    raise BundleError(f"the stream needs operating point {' or '.join(listed)}; the model bundle has {held}")


def _operating_point_notes(stream: CodeStream, used: str, options: DecodeOptions) -> tuple[str, ...]:
    first = operating_points(stream.picture)[0]
    if options.operating_point is None and used != first:
        return (f"decoded at operating point {used}: the model bundle does not hold {first}, which the stream prefers",)
    return ()


def _choose_precision(bundle: Bundle, wanted: str | None) -> str:
    held = bundle.precisions()
    if wanted is not None and wanted not in held:
        raise BundleError(f"the model bundle has no precision {wanted}; it has {', '.join(held) or 'none'}")
    if not held:
        raise BundleError("the model bundle holds no networks")
    return wanted or held[0]
