"""The decoder: from the bytes of a code stream to a picture, with the networks and tables of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..choices import Judge, flag, one_of, pair_of_whole_numbers, settle, whole_number
from ..codestream.description import operating_points
from ..codestream.heif import code_stream_of
from ..codestream.model_mark import names_other_model
from ..codestream.picture_header import SYNTHESIS_TRANSFORMS
from ..codestream.stream import DEFAULT_MAX_SAMPLES, CodeStream, read_code_stream
from ..codestream.tiling import Rectangle
from ..errors import BundleError, Unsupported
from ..image.planes import Planes, join_bands
from ..latent.model_tables import EntropyModel
from .bundle import Bundle
from .entropy_engine import ENGINES, EntropyOptions, run_symbol_decoding
from .manifest import PRECISIONS
from .memory_budget import NO_LIMIT, plan_decode
from .model_networks import LastNetworks
from .progress import Listener
from .reconstruction import Reconstruction, samples_are_independent, skipped_regions
from .symbols import Symbols

NUM_THREADS = range(1, 257)
"""How many threads a caller may ask for."""
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
    """Whether independent regions may be missing, those that the end of a cut stream lacks among them."""
    max_samples: int = DEFAULT_MAX_SAMPLES
    patch: tuple[int, int] | None = None
    """Largest (rows, columns) of latents in one run of the synthesis; None lets the memory limit decide."""
    memory_limit: int | None = None
    """Most bytes above the idle interpreter, NO_LIMIT for the fastest way.

    None stays below DEFAULT_LIMIT where that is possible, takes little where it is not, and refuses nothing. A
    picture that is given back as arrays is not counted: 3 bytes a pixel as RGB samples, 6 with 10 bit, 12 as planes.
    """
    engine: str = ENGINES[0]
    """Which entropy engine: `native` or `python`."""

    def __post_init__(self) -> None:
        """Raises ValueError that names a choice which makes no sense."""
        settle(self, _JUDGES)


_COUNT = range(1 << 63)
_JUDGES: dict[str, Judge] = {
    "operating_point": one_of(SYNTHESIS_TRANSFORMS),
    "precision": one_of(PRECISIONS),
    "num_threads": whole_number(NUM_THREADS),
    "max_channels": pair_of_whole_numbers(_COUNT),
    "filters": flag,
    "allow_partial": flag,
    "max_samples": whole_number(_COUNT),
    "patch": pair_of_whole_numbers(_COUNT[1:]),
    "memory_limit": whole_number(range(NO_LIMIT + 1)),
    "engine": one_of(ENGINES),
}


@dataclass(frozen=True)
class Output:
    """What becomes of the rows of a picture, as far as it takes memory."""

    as_rgb: bool = True
    """Whether rows are asked for as RGB samples where `Reconstruction.streams_rgb`, else as planes."""
    held_bytes: float = 0
    """What is held of them until the end, per luma sample that is shown."""


RGB_ROWS = Output()
"""RGB samples, nothing of which is held."""
PLANES = Output(as_rgb=False)
"""Planes, of which nothing is counted."""


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """A decoded picture and its headers."""

    planes: Planes
    """Planes of the displayed size in the source's chroma format, 0..255."""
    stream: CodeStream
    notes: tuple[str, ...]
    """Remarks for the caller: one line each."""


@dataclass(eq=False)
class Decoder:
    """Decodes streams with one bundle, one thread at a time.

    Prepared networks are kept for the next picture of the same model, operating point, precision and threads.
    """

    bundle: Bundle
    _entropy_models: dict[int, tuple[bytes, EntropyModel]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._networks = LastNetworks(self.bundle)

    def decode(
        self, data: bytes, options: DecodeOptions | None = None, progress: Listener | None = None
    ) -> DecodedPicture:
        """Decode a code stream; raises InvalidStream, Unsupported, LimitExceeded, BundleError or Cancelled.

        `progress` is called with (done, total) samples after every patch; a true result asks to stop.
        """
        options = options or DecodeOptions()
        reconstruction = self.reconstruct(data, options, output=PLANES)
        planes = join_bands(reconstruction.bands(options.filters, None, progress))
        return DecodedPicture(planes, reconstruction.stream, self.notes(reconstruction, options))

    def reconstruct(
        self, data: bytes, options: DecodeOptions, region: Rectangle | None = None, output: Output = RGB_ROWS
    ) -> Reconstruction:
        """Run the entropy stage; the returned object gives the rows of the picture as they are asked for.

        `data` is a code stream, or a HEIF file with one. With `region` (displayed luma samples), nothing outside
        of it may be asked for, and symbols of independent regions that it does not need are not decoded. `output` is
        counted in the memory that is needed.
        Raises InvalidStream, Unsupported, LimitExceeded or BundleError, as reading the rows does.
        """
        data = code_stream_of(data)
        stream = read_code_stream(
            data,
            max_samples=options.max_samples,
            allow_missing_regions=options.allow_partial,
            allow_cut=options.allow_partial,
        )
        displayed = Rectangle(0, 0, *stream.picture.display_size)
        shown = displayed if region is None else region.intersection(displayed)
        if shown.empty:
            shown = displayed
        needed = shown if region is not None and samples_are_independent(stream, options.filters) else None
        point = _choose_operating_point(stream, self.bundle, options.operating_point)
        precision = choose_precision(self.bundle, options.precision)
        model_id = stream.picture.model_id
        plan = plan_decode(
            stream,
            len(data),
            point,
            precision,
            self.bundle.prepared_bytes(model_id, point, precision),
            options.memory_limit,
            options.patch,
            options.filters,
            needed,
            output.as_rgb,
            output.held_bytes * shown.height * shown.width,
        )
        tables, model = self._entropy_model(model_id)
        if names_other_model(stream.user_data, tables):
            raise BundleError(f"the stream was made with other weights than model {model_id} of the bundle")
        skipped = skipped_regions(stream, point, plan.patch, needed)
        entropy = EntropyOptions(
            options.engine, options.max_channels, options.max_samples, options.allow_partial, skipped
        )
        decoded = run_symbol_decoding(data, stream, tables, entropy)
        symbols = Symbols(stream.picture, model, decoded)
        networks = self._networks.of(model_id, point, precision, options.num_threads, plan.lean)
        return Reconstruction(stream, symbols, networks, plan.patch, plan.parts, needed, skipped)

    def notes(self, reconstruction: Reconstruction, options: DecodeOptions) -> tuple[str, ...]:
        """Remarks about a decode for the caller: one line each."""
        used = reconstruction.operating_point
        first = operating_points(reconstruction.stream.picture)[0]
        if options.operating_point is None and used != first:
            note = f"decoded at operating point {used}; the model bundle does not hold {first}, which comes first"
            return (note, *reconstruction.notes)
        return reconstruction.notes

    def _entropy_model(self, model_id: int) -> tuple[bytes, EntropyModel]:
        """The integer tables of a model, as they are stored and parsed."""
        if model_id not in self._entropy_models:
            tables = self.bundle.entropy_model_bytes(model_id)
            self._entropy_models[model_id] = tables, EntropyModel.from_bytes(tables)
        return self._entropy_models[model_id]


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


def choose_precision(bundle: Bundle, wanted: str | None) -> str:
    """The precision to run networks in: the wanted one, or the most exact; raises BundleError when it is absent."""
    held = bundle.precisions()
    if wanted is not None and wanted not in held:
        raise BundleError(f"the model bundle has no precision {wanted}; it has {', '.join(held) or 'none'}")
    if not held:
        raise BundleError("the model bundle holds no networks")
    return wanted or held[0]
