"""The encoder: from a picture to the bytes of a code stream, with the networks and tables of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..codestream.components import Component
from ..codestream.model_mark import model_mark
from ..codestream.picture_header import PictureHeader
from ..codestream.stream import CodeStream, write_code_stream
from ..codestream.substreams import SubStream
from ..codestream.tool_header import ToolHeader
from ..latent.hyper_scale_decoder import hyper_scale_decoder
from ..latent.model_tables import EntropyModel
from ..runtime.bundle import Bundle
from ..runtime.decoder import choose_precision
from ..runtime.model_networks import ModelNetworks
from .analysis import ComponentAnalysis, analyse
from .cube_flags import set_cube_flags
from .header import coded_size, picture_header, set_beta_displacement
from .networks import EncoderNetworks, check_encodable, encodable_models
from .options import DEFAULT_QUALITY, EncodeOptions
from .pictures import SourcePicture
from .quality import displacement, nearest_model, position_of_bpp, position_of_quality
from .quantisation import QuantisedComponent, quantise_component
from .rate_control import TOLERANCE, search
from .substreams import encode_hyper_latents, encode_residuals


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """A code stream and how it came about."""

    data: bytes
    model: int
    beta_displacement: int
    passes: int
    """How often the picture was quantised and coded."""
    bits_per_sample: float
    """Of the whole stream, per displayed sample."""
    notes: tuple[str, ...] = ()
    """Remarks for the caller: one line each."""


@dataclass(eq=False)
class Encoder:
    """Encodes pictures with one bundle; prepared networks are kept from one picture to the next."""

    bundle: Bundle
    _networks: dict[tuple[int, str, int], tuple[EncoderNetworks, ModelNetworks]] = field(default_factory=dict)

    def encode(self, picture: SourcePicture, options: EncodeOptions | None = None) -> EncodedPicture:
        """Encode a picture; raises PictureError or BundleError."""
        options = options or EncodeOptions()
        check_encodable(self.bundle, options.model)
        model, beta = self._start(options)
        samples = picture.size[0] * picture.size[1]
        coding = self.prepare(picture, model, options)
        if options.bpp is None:
            data = coding.code(beta)
            return EncodedPicture(data, model, beta, 1, 8 * len(data) / samples)
        attempt, passes = search(options.bpp * samples / 8, beta, coding.code)
        bpp = 8 * len(attempt.stream) / samples
        missed = abs(bpp / options.bpp - 1) > TOLERANCE
        notes = (f"{bpp:.4f} bit per pixel is as near to {options.bpp:g} as was found",) if missed else ()
        return EncodedPicture(attempt.stream, model, attempt.beta, passes, bpp, notes)

    def _start(self, options: EncodeOptions) -> tuple[int, int]:
        """The model, and the beta displacement or the first one to try."""
        models = encodable_models(self.bundle) if options.model is None else (options.model,)
        if options.beta_displacement is not None:
            return nearest_model(0, models), options.beta_displacement
        if options.bpp is not None:
            position = position_of_bpp(options.bpp)
        else:
            position = position_of_quality(DEFAULT_QUALITY if options.quality is None else options.quality)
        model = nearest_model(position, models)
        return model, displacement(position, model)

    def prepare(self, picture: SourcePicture, model: int, options: EncodeOptions) -> Coding:
        """Run the networks that do not depend on the rate; raises PictureError or BundleError."""
        encoder, decoder = self._networks_for(model, options)
        header = picture_header(picture, model, options)
        tables = self.bundle.entropy_model_bytes(model)
        analysis = analyse(picture, coded_size(picture), encoder)
        return Coding(header, options, tables, EntropyModel.from_bytes(tables), analysis, decoder)

    def _networks_for(self, model: int, options: EncodeOptions) -> tuple[EncoderNetworks, ModelNetworks]:
        precision = choose_precision(self.bundle, options.precision)
        key = (model, precision, options.num_threads)
        if key not in self._networks:
            self._networks[key] = (
                EncoderNetworks(self.bundle, *key),
                ModelNetworks(self.bundle, model, options.operating_point, precision, options.num_threads),
            )
        return self._networks[key]


@dataclass(eq=False)
class Coding:
    """A picture that was analysed, to be coded at any rate."""

    header: PictureHeader
    options: EncodeOptions
    tables: bytes
    model: EntropyModel
    analysis: tuple[ComponentAnalysis, ComponentAnalysis]
    networks: ModelNetworks

    def __post_init__(self) -> None:
        self._hyper_scales = tuple(
            hyper_scale_decoder(analysis.z, tables, self.header.sizes.latent).astype(np.int16)
            for analysis, tables in zip(self.analysis, self.model.components, strict=True)
        )
        z = [analysis.z for analysis in self.analysis]
        self._z = encode_hyper_latents(z, self.header.z_threads, self.model, self.options.engine)

    def code(self, beta: int) -> bytes:
        """The code stream at a beta displacement."""
        set_beta_displacement(self.header, beta, self.options)
        luma, chroma = (self._residual_stream(i) for i in Component)
        stream = CodeStream(
            self.header,
            ToolHeader(),
            SubStream(self._z, "SOZ"),
            ([SubStream(luma, "SORP")], [SubStream(chroma, "SORS")]),
            user_data=model_mark(self.tables) if self.options.model_mark else None,
        )
        return write_code_stream(stream)

    def quantise(self, component: Component) -> QuantisedComponent:
        """The symbols of a component with the header as it is."""
        return quantise_component(
            component,
            self.header,
            self.model.components[component],
            self.analysis[component],
            self._hyper_scales[component],
            self.networks,
        )

    def _residual_stream(self, component: Component) -> bytes:
        set_cube_flags(self.header, component, None)
        quantised = self.quantise(component)
        if self.options.cube_flags and set_cube_flags(self.header, component, quantised.worth_of_skipped):
            quantised = self.quantise(component)
        threads = self.header.components[component].residual_threads
        coded = slice(0, self.header.components[component].num_chs)
        return encode_residuals(
            quantised.residual[coded], quantised.sigma[coded], quantised.skip_mask[coded], threads, self.options.engine
        )
