"""What a caller may choose about an encode."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import Judge, flag, number, one_of, pair_of_whole_numbers, settle, whole_number
from ..codestream.picture_header import MAX_INDEPENDENT_REGIONS
from ..image.chroma import SUPPORTED_FORMATS
from ..image.planes import Subsampling
from ..native.rows import THREADS as CODER_THREADS
from ..runtime.decoder import DEFAULT_THREADS, NUM_THREADS
from ..runtime.entropy_engine import ENGINES
from ..runtime.manifest import PRECISIONS

OPERATING_POINTS = {"sop": (0, (0,)), "bop": (1, (1, 0)), "hop": (2, (2, 1, 0))}
"""First operating point of a stream -> its profile and the synthesis transforms that it lists."""
BPP_RANGE = 0.0001, 10000.0
"""What is below or above is no size of any picture."""
PSNR_RANGE = 1.0, 100.0
"""In dB."""
BETAS = range(-2048, 2048)
MIN_BETA, MAX_BETA = BETAS[0], BETAS[-1]
QUALITIES = range(1, 101)
DEFAULT_QUALITY = 50
MODELS = range(4)
EFFORTS = range(1, 4)
PLAIN_EFFORT, DEFAULT_EFFORT, SLOW_EFFORT = EFFORTS
REGION_COUNTS = range(1, 129)
"""Rows, or columns, of regions: the header has 7 bits for each."""
REGION_OVERLAPS = range(4)
ROI_STRENGTHS = range(1, 9)
DEFAULT_ROI_STRENGTH = 4


@dataclass(frozen=True)
class EncodeOptions:
    """Choices of an encode. Rate: `bpp`, or `quality`, or `model` with `beta_displacement`; default quality 50."""

    bpp: float | None = None
    """Wanted size of the whole stream in bits per displayed pixel."""
    quality: int | None = None
    """1..100, see `encoder.quality`."""
    model: int | None = None
    """Model to code with; None lets the rate choose."""
    beta_displacement: int | None = None
    """-2048..2047: finer steps when it grows; 400 about double the bits."""
    chroma_beta_displacement: int | None = None
    """A displacement of chroma's own: as it is beside `beta_displacement`, else relative to that of luma."""
    operating_point: str = "bop"
    """What decoders synthesise with unless they choose a simpler one: `sop`, `bop` or `hop`."""
    regions: tuple[int, int] = (1, 1)
    """Rows and columns of regions that can be decoded without each other; each costs some bytes."""
    region_overlap: int = 0
    """0, or hyper latents 1..3 that regions see of their neighbours: then none is decoded without the others."""
    roi_strength: int = DEFAULT_ROI_STRENGTH
    """How much finer a region of interest is coded, and the rest coarser: 1..8, every 4 are a factor of 2."""
    rvs: bool | None = None
    """Whether steps are adapted to the local variance; None does so where the encoder is free to choose."""
    grfs: bool = False
    """Whether channels with many symbols are coded with finer steps than the others; no gain was measured."""
    lsbs: bool = False
    """Whether decoders are to scale the latents by their local variance; worth 0.01 dB at most."""
    target_psnr: float | None = None
    """Wanted PSNR of the decoded samples in dB, in place of `bpp` and `quality`; up to 5 decodes measure it."""
    post_filters: bool | None = None
    """Whether EFE linear, EFE non-linear and LEF are written where they are worth their bits; decoders then hold the
    whole picture.

    None does so at effort 3 where the encoder is free to choose, for pictures without synthesis tiles.
    """
    effort: int = DEFAULT_EFFORT
    """1..3: how much time goes into smaller streams (docs/encoding.md); of no effect with a model or displacement."""
    chroma: Subsampling | None = None
    """Chroma format (vertical, horizontal subsampling) that is coded; None takes the source's."""
    cube_flags: bool = True
    """Whether blocks may be coded in full where skipping would hurt."""
    coder_threads: int = 1
    """me-tANS threads in every sub-stream: 1, 2, 4, 8 or 16; more make larger streams that decode in parallel."""
    num_threads: int = DEFAULT_THREADS
    """Threads of this process; the stream does not depend on them."""
    precision: str | None = None
    """Precision of the networks; None takes the most exact one in the bundle."""
    engine: str = ENGINES[0]
    """Which entropy engine: `native` or `python`; the stream does not depend on it."""
    level: int | None = None
    """level_idc; None takes the lowest that the size and the model allow."""
    model_mark: bool = True
    """Whether the stream names the weights that it was made with, in a user data segment."""

    @property
    def is_plain(self) -> bool:
        """Whether a given model or displacement asks for exactly what the networks give."""
        return self.model is not None or self.beta_displacement is not None

    @property
    def weighs_rate(self) -> bool:
        """Whether latents are refined and symbols weighed against their bits."""
        return self.effort > PLAIN_EFFORT and not self.is_plain

    @property
    def adapts_steps(self) -> bool:
        """Whether RVS is on."""
        return self.weighs_rate if self.rvs is None else self.rvs

    def __post_init__(self) -> None:
        """Raises ValueError that names a choice which makes no sense."""
        settle(self, _JUDGES)
        if sum(x is not None for x in (self.bpp, self.quality, self.beta_displacement, self.target_psnr)) > 1:
            raise ValueError("choose one of bpp, quality, target_psnr and beta_displacement")
        if self.regions[0] * self.regions[1] > MAX_INDEPENDENT_REGIONS:
            raise ValueError(f"{self.regions[0]} x {self.regions[1]} regions: 1 to {MAX_INDEPENDENT_REGIONS} in all")
        if self.region_overlap and self.regions == (1, 1):
            raise ValueError("a region overlap needs regions")


_JUDGES: dict[str, Judge] = {
    "bpp": number(*BPP_RANGE),
    "quality": whole_number(QUALITIES),
    "model": whole_number(MODELS),
    "beta_displacement": whole_number(BETAS),
    "chroma_beta_displacement": whole_number(BETAS),
    "operating_point": one_of(OPERATING_POINTS),
    "regions": pair_of_whole_numbers(REGION_COUNTS),
    "region_overlap": whole_number(REGION_OVERLAPS),
    "roi_strength": whole_number(ROI_STRENGTHS),
    "rvs": flag,
    "grfs": flag,
    "lsbs": flag,
    "target_psnr": number(*PSNR_RANGE),
    "post_filters": flag,
    "effort": whole_number(EFFORTS),
    "chroma": one_of(SUPPORTED_FORMATS),
    "cube_flags": flag,
    "coder_threads": one_of(CODER_THREADS),
    "num_threads": whole_number(NUM_THREADS),
    "precision": one_of(PRECISIONS),
    "engine": one_of(ENGINES),
    "level": whole_number(range(256)),
    "model_mark": flag,
}
