"""What a decoder makes of a stream that was just written: for choices that only the result can decide."""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.stream import read_code_stream, write_code_stream
from ..codestream.tool_header import ToolHeader
from ..filters.eicci import EicciNetwork
from ..filters.lef import SMALLEST
from ..filters.pipeline import apply_filters
from ..image.planes import Planes
from ..runtime.bundle import Bundle
from ..runtime.decoder import DecodeOptions, Decoder
from ..runtime.entropy_engine import EntropyOptions, run_entropy_stage
from .coded_planes import Picture
from .header import LEVEL_AREAS
from .options import EncodeOptions
from .post_filters import efe_linear_headers, efe_nonlinear_headers, lef_channel
from .quality import DECIBELS_PER_DOUBLING


@dataclass(frozen=True, eq=False)
class _Attempt:
    """A stream with some post-filters."""

    worth: float
    """PSNR in dB, less what the bits of the filters would add to it elsewhere."""
    tools: ToolHeader
    planes: Planes
    """What a decoder makes of it."""
    stream: bytes


@dataclass(eq=False)
class Verification:
    """Decodes streams of one source picture with the networks of a bundle."""

    source: Picture
    bundle: Bundle
    options: EncodeOptions

    def __post_init__(self) -> None:
        self._decoder = Decoder(self.bundle)

    def psnr(self, data: bytes) -> float:
        """Of the samples that a decoder gives, over all of them, in dB."""
        return self._psnr(self._decoded(data))

    def filtered(self, data: bytes) -> bytes:
        """The stream with the post-filters that give more than their bits would elsewhere; itself where none does.

        One filter after the other, in the order in which decoders apply them.
        """
        stream = read_code_stream(data, max_samples=LEVEL_AREAS[-1])
        picture, decoded, wanted = stream.picture, self._decoded(data), self._source_planes()
        options = EntropyOptions(self.options.engine, max_samples=LEVEL_AREAS[-1])
        tables = self.bundle.entropy_model_bytes(picture.model_id)
        sigma = run_entropy_stage(data, tables, options).components[Component.LUMA].sigma

        def attempt(tools: ToolHeader) -> _Attempt:
            lef_sigma = None if tools.LEF_chIdx is None else sigma[tools.LEF_chIdx]
            point = self.options.operating_point
            planes = apply_filters(decoded, tools, picture, lef_sigma, _no_eicci, point)
            coded = write_code_stream(replace(stream, tools=deepcopy(tools)))
            worth = self._psnr(planes) - DECIBELS_PER_DOUBLING * math.log2(len(coded) / len(data))
            return _Attempt(worth, tools, planes, coded)

        def efe_linear(best: _Attempt) -> Iterable[ToolHeader]:
            headers = efe_linear_headers(best.planes, wanted, picture)
            return (replace(best.tools, efe_linear=header) for header in headers)

        def efe_nonlinear(best: _Attempt) -> Iterable[ToolHeader]:
            headers = efe_nonlinear_headers(best.planes, wanted, picture)
            return (replace(best.tools, efe_nonlinear=header) for header in headers)

        def lef(best: _Attempt) -> Iterable[ToolHeader]:
            if min(best.planes.size) >= SMALLEST:
                channel = lef_channel(best.planes.y, wanted.y, sigma, picture.model_id)
                yield replace(best.tools, LEF_chIdx=channel)

        best = attempt(stream.tools)
        for tools_with in (efe_linear, efe_nonlinear, lef):
            best = max([best, *map(attempt, tools_with(best))], key=lambda result: result.worth)
        return best.stream

    def _decoded(self, data: bytes) -> Planes:
        options = DecodeOptions(
            precision=self.options.precision,
            num_threads=self.options.num_threads,
            max_samples=LEVEL_AREAS[-1],
            engine=self.options.engine,
        )
        return self._decoder.decode(data, options).planes

    def _source_planes(self) -> Planes:
        """The source in its own chroma format."""
        rows, columns = (np.arange(length) for length in self.source.size)
        planes = self.source.planes(rows, columns)
        vertical, horizontal = self.source.subsampling
        return Planes(planes.y, planes.u[::vertical, ::horizontal], planes.v[::vertical, ::horizontal])

    def _psnr(self, planes: Planes) -> float:
        error = self.source.squared_error(planes)
        return 10 * math.log10(((1 << self.source.bit_depth) - 1) ** 2 / error) if error else math.inf


def _no_eicci(network: EicciNetwork, bands: NDArray[np.float32]) -> NDArray[np.float32]:
    raise AssertionError("the encoder writes no eICCI")
