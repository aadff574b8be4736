"""The encoder: from a picture to the bytes of a code stream, with the networks and tables of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, Component
from ..codestream.model_mark import model_mark
from ..codestream.picture_header import SYNTHESIS_TRANSFORMS, PictureHeader
from ..codestream.stream import CodeStream, read_code_stream, write_code_stream
from ..codestream.substreams import SubStream
from ..codestream.tool_header import ToolHeader
from ..errors import BundleError, PictureError
from ..latent.entropy_stage import latent_regions
from ..latent.model_tables import ComponentTables, EntropyModel
from ..runtime.bundle import Bundle
from ..runtime.decoder import choose_precision
from ..runtime.dequantise import channel_scalers
from ..runtime.entropy_engine import EntropyOptions, run_symbol_decoding
from ..runtime.latent_source import LatentSource, latent_source
from ..runtime.model_networks import LastNetworks, ModelNetworks
from ..runtime.progress import Advance, Listener, Progress, unheard
from ..runtime.symbols import Symbols
from .analysis import ComponentAnalysis, analyse
from .channel_groups import set_channel_groups
from .coded_planes import CodedPlanes, Picture
from .cube_flags import set_cube_flags
from .header import LEVEL_AREAS, chroma_displacement, picture_header, set_beta_displacement, set_quality_map
from .hyper_scales import hyper_scales
from .known_hyper_latents import known_hyper_latents
from .networks import EncoderNetworks, check_encodable, encodable_models
from .options import DEFAULT_EFFORT, DEFAULT_QUALITY, OPERATING_POINTS, SLOW_EFFORT, EncodeOptions
from .quality import displacement, nearest_model, position_of_bpp, position_of_psnr, position_of_quality
from .quality_map import encode_quality_map, quality_map_of
from .quantisation import QuantisedComponent, quantise_component
from .rate_control import (
    MAX_PASSES,
    MAX_PSNR_PASSES,
    PSNR_TOLERANCE,
    TOLERANCE,
    Attempt,
    ScaleHistogram,
    TargetPsnr,
    TargetSize,
    next_displacement,
)
from .refinement import Refinement
from .substreams import encode_hyper_latents, encode_residuals
from .verification import Verification

REFINEMENT_ROUNDS = {DEFAULT_EFFORT: 1, SLOW_EFFORT: 2}
"""By effort."""
BITS_OF_REFINEMENT = 0.06
"""Doublings of the size that the first round about costs."""


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """A code stream and how it came about."""

    data: bytes
    model: int
    beta_displacement: int
    passes: int
    """How often the picture was quantised and coded, for refining its latents and for finding its rate."""
    bits_per_sample: float
    """Of the whole stream, per displayed sample."""
    notes: tuple[str, ...] = ()
    """Remarks for the caller: one line each."""


@dataclass(eq=False)
class Encoder:
    """Encodes pictures with one bundle, one thread at a time; prepared networks are kept for the next picture."""

    bundle: Bundle

    def __post_init__(self) -> None:
        self._decoder_networks = LastNetworks(self.bundle)

    def encode(
        self,
        picture: Picture,
        options: EncodeOptions | None = None,
        roi: NDArray[np.uint8] | None = None,
        progress: Listener | None = None,
    ) -> EncodedPicture:
        """Encode a picture; `roi` [row, column] is white where it matters.

        Raises PictureError, BundleError, or Cancelled when `progress` asks to stop.
        """
        return self.prepare(picture, options or EncodeOptions(), roi, progress).encode()

    def prepare(
        self,
        picture: Picture,
        options: EncodeOptions,
        roi: NDArray[np.uint8] | None = None,
        listener: Listener | None = None,
    ) -> Coding:
        """Run the networks that do not depend on the rate; raises PictureError, BundleError or Cancelled.

        The picture itself is not needed any more for coding it.
        """
        if roi is not None and roi.shape != picture.size:
            raise PictureError(f"the mask is {roi.shape[::-1]} samples large, the picture {picture.size[::-1]}")
        check_encodable(self.bundle, options.model)
        model, beta = self._model_and_displacement(options)
        header = picture_header(picture, model, options)
        options = replace(options, post_filters=_writes_filters(options, header))
        tables = self.bundle.entropy_model_bytes(model)
        precision = choose_precision(self.bundle, options.precision)
        networks = EncoderNetworks(self.bundle, model, precision, options.num_threads)
        verification = Verification(picture, self.bundle, options) if _needs_decoding(options) else None
        coded = CodedPlanes(picture, (header.height, header.width), header.coded_subsampling)
        progress = Progress(_samples_to_go(header, options), listener)
        analysis = analyse(coded, networks, on_window=progress.advance)
        del picture, coded  # what follows takes its memory again
        refinement = None
        if options.weighs_rate:
            refinement = Refinement(networks, self._synthesis(options.operating_point), progress)
        quality_map = None if roi is None else quality_map_of(roi, header.sizes.latent, options.roi_strength)
        decoder = self._decoder_networks.of(model, options.operating_point, precision, options.num_threads, True)
        return Coding(header, options, beta, tables, analysis, decoder, progress, quality_map, verification, refinement)

    def _synthesis(self, operating_point: str) -> str:
        """The synthesis that decoders with this bundle use first; raises BundleError when it has none."""
        listed = [SYNTHESIS_TRANSFORMS[i] for i in OPERATING_POINTS[operating_point][1]]
        held = self.bundle.operating_points()
        for point in listed:
            if point in held:
                return point
        raise BundleError(f"the model bundle has no synthesis of {' or '.join(listed)}, which refining latents needs")

    def _model_and_displacement(self, options: EncodeOptions) -> tuple[int, int]:
        """By the rate that is asked for; the displacement for a size or a PSNR is about right."""
        models = encodable_models(self.bundle) if options.model is None else (options.model,)
        if options.beta_displacement is not None:
            return nearest_model(0, models), options.beta_displacement
        if options.bpp is not None:
            position = position_of_bpp(options.bpp)
        elif options.target_psnr is not None:
            position = position_of_psnr(options.target_psnr)
        else:
            position = position_of_quality(DEFAULT_QUALITY if options.quality is None else options.quality)
        model = nearest_model(position, models)
        return model, displacement(position, model)


def _writes_filters(options: EncodeOptions, header: PictureHeader) -> bool:
    """Whether post-filters are tried: by default not where decoders would have to hold a large picture for them."""
    if options.post_filters is not None:
        return options.post_filters
    tiled = header.components[Component.LUMA].synthesis_tile_enable
    return options.weighs_rate and options.effort >= SLOW_EFFORT and not tiled


def _needs_decoding(options: EncodeOptions) -> bool:
    return bool(options.post_filters) or options.target_psnr is not None


def _with_known_z(analysis: ComponentAnalysis, tables: ComponentTables) -> ComponentAnalysis:
    return replace(analysis, z=known_hyper_latents(analysis.z, tables.z_cumulative))


def _rounds(options: EncodeOptions) -> int:
    """How often latents are refined."""
    return REFINEMENT_ROUNDS[options.effort] if options.weighs_rate else 0


def _most_attempts(options: EncodeOptions) -> int:
    """How many displacements are tried at most once the latents are refined."""
    if options.bpp is not None:
        return MAX_PASSES - options.weighs_rate
    return 1 if options.target_psnr is None else MAX_PSNR_PASSES - options.weighs_rate


def _samples_to_go(header: PictureHeader, options: EncodeOptions) -> int:
    """Luma samples that networks see at most: in the analyses, the syntheses and the passes of the coder."""
    rows, columns = header.sizes.latent
    rounds = _rounds(options)
    passes = rounds + (rounds > 0 and options.target_psnr is not None) + _most_attempts(options)
    return rows * columns * LATENT_GRID**2 * (1 + rounds + passes) + header.height * header.width * rounds


@dataclass(eq=False)
class Coding:
    """A picture that was analysed, to be coded at any rate. What was cancelled is of no use any more."""

    header: PictureHeader
    options: EncodeOptions
    beta: int
    """Displacement for the options where they ask for no size or PSNR, and the first one that is tried for a PSNR."""
    tables: bytes
    analysis: tuple[ComponentAnalysis, ComponentAnalysis]
    networks: ModelNetworks
    progress: Progress
    quality_map: NDArray[np.int8] | None = None
    verification: Verification | None = None
    """Where the options ask for what only a decoded picture tells; it holds the source."""
    refinement: Refinement | None = None
    """Where the encoder is free to choose what it codes."""

    def __post_init__(self) -> None:
        header, engine = self.header, self.options.engine
        self.model = EntropyModel.from_bytes(self.tables)
        if not self.options.is_plain:
            luma, chroma = map(_with_known_z, self.analysis, self.model.components)
            self.analysis = luma, chroma
        z = [analysis.z for analysis in self.analysis]
        self._z = encode_hyper_latents(z, header.z_threads, self.model, engine)
        self._quality_map = None
        if self.quality_map is not None:
            index, self._quality_map = encode_quality_map(self.quality_map, self.options.coder_threads, engine)
            set_quality_map(header, index, self.options)

    @cached_property
    def _hyper_scales(self) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Output of the hyper scale decoder; dropped while its memory is needed, as it is soon made again."""
        header, z = self.header, [analysis.z for analysis in self.analysis]
        size = header.height, header.width
        return hyper_scales(z, self.tables, size, header.sizes.latent, self.options.engine)

    def encode(self) -> EncodedPicture:
        """The picture at the rate of the options; its latents are refined for that, once and for all.

        Raises Cancelled.
        """
        return self._encoded

    @cached_property
    def _encoded(self) -> EncodedPicture:
        height, width = self.header.display_size
        bpp, notes = self.options.bpp, []
        target_size, target_psnr = self._target_size(), self._target_psnr()
        beta, passes = self._refine(target_size, target_psnr)
        if target_size is not None:
            attempt, more = target_size.search(beta, _most_attempts(self.options), self._finished)
        elif target_psnr is not None:
            attempt, more, psnr = target_psnr.search(beta, _most_attempts(self.options), self._finished)
            if abs(psnr - target_psnr.decibels) > PSNR_TOLERANCE:
                notes.append(f"{psnr:.2f} dB is as near to {target_psnr.decibels:g} as was found")
        else:
            attempt, more = Attempt(beta, self._finished(beta)), 1
        if rest := self.progress.total - self.progress.done:
            self.progress.advance(rest)
        coded_bpp = 8 * len(attempt.stream) / (height * width)
        if bpp is not None and abs(coded_bpp / bpp - 1) > TOLERANCE:
            notes.append(f"{coded_bpp:.4f} bit per pixel is as near to {bpp:g} as was found")
        return EncodedPicture(
            attempt.stream, self.header.model_id, attempt.beta, passes + more, coded_bpp, tuple(notes)
        )

    def _target_size(self) -> TargetSize | None:
        if self.options.bpp is None:
            return None
        height, width = self.header.display_size
        nothing: list[SubStream | None] = [SubStream(b"", "no residuals")] * len(latent_regions(self.header))
        return TargetSize(self.options.bpp * height * width / 8, len(self._stream(nothing, nothing)))

    def _target_psnr(self) -> TargetPsnr | None:
        if self.options.target_psnr is None:
            return None
        assert self.verification is not None
        return TargetPsnr(self.options.target_psnr, self.verification.psnr)

    def _refine(self, target_size: TargetSize | None, target_psnr: TargetPsnr | None) -> tuple[int, int]:
        """Refine the latents at about the wanted rate: the displacement of that, and the number of passes it took."""
        beta = self.beta if target_size is None else target_size.first_displacement(self._expectation())
        if self.refinement is None:
            return beta, 0
        if target_psnr is not None:
            beta = target_psnr.nearer(beta, self.code)
        rounds = _rounds(self.options)
        latents = self.analysis[0].latent, self.analysis[1].latent
        analysed = latents if rounds == 1 else (latents[0].copy(), latents[1].copy())
        growth = BITS_OF_REFINEMENT
        for _ in range(rounds):
            data = self.code(beta)
            # The networks of a stage give their memory back before those of the next one are prepared.
            self.networks.release()
            del self._hyper_scales
            decoded = self.refinement.decoded(latents, analysed, self._coded_latents(data), self.header)
            self.networks.release()
            self.refinement.subtract(latents, decoded, self._steps())
            if target_size is not None:
                beta = next_displacement([beta], [target_size.error(len(data)) + growth])
                growth = 0.0
        return beta, rounds + (target_psnr is not None)

    def _steps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How wide the quantiser's steps are at the displacement of the header, by channel, without local changes."""
        luma, chroma = (
            np.reciprocal(channel_scalers(self.model.components[i].gain, self.header.beta_displacement_log(i)))
            for i in Component
        )
        return luma, chroma

    def _coded_latents(self, data: bytes) -> LatentSource:
        """What a decoder synthesises a stream from."""
        stream = read_code_stream(data, max_samples=LEVEL_AREAS[-1])
        options = EntropyOptions(self.options.engine, max_samples=LEVEL_AREAS[-1])
        symbols = Symbols(stream.picture, self.model, run_symbol_decoding(data, stream, self.tables, options))
        return latent_source(symbols, stream.tools, self.networks)

    def _finished(self, beta: int) -> bytes:
        """The code stream at a beta displacement, with post-filters where they are wanted."""
        data = self.code(beta)
        if self.options.post_filters:
            assert self.verification is not None
            data = self.verification.filtered(data)
        return data

    def _expectation(self) -> Callable[[int], float]:
        """Bytes of the residuals as the scales foretell them, by displacement."""
        luma, chroma = (
            ScaleHistogram.of(self._hyper_scales[i], self.model.components[i], self.quality_map) for i in Component
        )

        def expected_bytes(beta: int) -> float:
            chroma_beta = chroma_displacement(beta, self.options)
            return (luma.expected_bits(beta) + chroma.expected_bits(chroma_beta)) / 8

        return expected_bytes

    def code(self, beta: int) -> bytes:
        """The code stream at a beta displacement."""
        set_beta_displacement(self.header, beta, self.options)
        luma, chroma = (self._residual_streams(i) for i in Component)
        return self._stream(luma, chroma)

    def _stream(self, luma: list[SubStream | None], chroma: list[SubStream | None]) -> bytes:
        """The code stream with these residuals, region by region."""
        stream = CodeStream(
            self.header,
            ToolHeader([int(self.options.lsbs)] * 2),
            SubStream(self._z, "SOZ"),
            (luma, chroma),
            quality_map=None if self._quality_map is None else SubStream(self._quality_map, "SOQ"),
            user_data=model_mark(self.tables) if self.options.model_mark else None,
        )
        return write_code_stream(stream)

    def quantise(self, component: Component, on_window: Advance = unheard) -> QuantisedComponent:
        """The symbols of a component with the header as it is."""
        return quantise_component(
            component,
            self.header,
            self.model.components[component],
            self.analysis[component],
            self._hyper_scales[component],
            self.networks,
            self.quality_map,
            self.options.weighs_rate,
            on_window,
        )

    def _residual_streams(self, component: Component) -> list[SubStream | None]:
        """The sub-stream of every region."""
        if self.options.cube_flags:
            set_cube_flags(self.header, component, None)
        if self.options.grfs:
            set_channel_groups(self.header, component, None)
            set_channel_groups(self.header, component, self.quantise(component).residual)
        quantised = self.quantise(component, self.progress.advance)
        if self.options.cube_flags and set_cube_flags(self.header, component, quantised.worth_of_skipped):
            quantised = self.quantise(component)
        header = self.header.components[component]
        streams: list[SubStream | None] = []
        for number, region in enumerate(latent_regions(self.header)):
            part = slice(0, header.num_chs), *region.slices
            payload = encode_residuals(
                quantised.residual[part],
                quantised.table_index[part],
                quantised.skip_mask[part],
                header.residual_threads,
                self.options.engine,
            )
            streams.append(SubStream(payload, f"region {number}"))
        return streams
