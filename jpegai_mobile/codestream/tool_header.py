"""The tool header (TON): latent scaling (LSBS) and the post-filters EFE linear, eICCI, EFE non-linear and LEF."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import repeat

from ..errors import InvalidStream
from .bits import BitReader, BitWriter, bits_for_largest
from .fields import Field, FieldReader, Fields, FieldWriter
from .picture_header import TILE_UNIT, PictureHeader
from .tiling import overlapping_spans

PLACE = "tool header"
EFE_SPLIT_REGIONS = (1, 2, 2, 3, 3, 4, 6, 6)
"""Regions of each way to split the picture for EFE linear, by split number (best_cand_idx - 1)."""
PHASES = 4
MASK_NAMES = ("mask1_enabled_flag", "mask2_enabled_flag")


@dataclass
class EfeLinearPlane:
    """The coded kernels of one chroma plane (U or V) of EFE linear."""

    best_cand_idx: int = 0
    """0: the plane has no coded filter; else split number + 1."""
    fL: int = 0
    """Side of the kernels."""
    weights: list[list[int]] = field(default_factory=list)
    """weightsU/V: per region the kernels of all phases, fL * fL codes each."""
    weights2: list[list[int]] = field(default_factory=list)
    """weightsU2/V2: per region one luma kernel."""

    @property
    def regions(self) -> int:
        """Regions of the split; 0 when the plane is not filtered."""
        return EFE_SPLIT_REGIONS[self.best_cand_idx - 1] if self.best_cand_idx else 0


@dataclass
class EfeLinearSet:
    """One filter set of EFE linear: U and V."""

    planes: tuple[EfeLinearPlane, EfeLinearPlane] = field(default_factory=lambda: (EfeLinearPlane(), EfeLinearPlane()))
    minSymbol: int = 0
    maxSymbol: int = 0


@dataclass
class EfeLinearHeader:
    """EFE linear: chroma means and the filter sets A (alternative picture) and B (the filter)."""

    B1: list[int] = field(default_factory=lambda: [0, 0])
    """Chroma means times 100 (U, V)."""
    set_a: EfeLinearSet = field(default_factory=EfeLinearSet)
    set_b: EfeLinearSet = field(default_factory=EfeLinearSet)


@dataclass
class EicciTile:
    """The choices of eICCI for one tile."""

    icci_use: list[int] = field(default_factory=lambda: [0, 0, 0])
    """Y, U, V."""
    icci_use_shortList: int = 0
    icci_model_signalled_idx: list[int] = field(default_factory=lambda: [0, 0])
    """Y and UV."""


@dataclass
class EicciHeader:
    """eICCI: tiling and per-tile choices."""

    tile_manager_enabled: int = 0
    tile_size: int = 0
    tile_overlap: int = 0
    tiles: list[EicciTile] = field(default_factory=list)


@dataclass
class EfeNonlinearPlane:
    """Weights of one chroma plane of EFE non-linear."""

    enabled_flag: int = 0
    candNum: int = 0
    A1: list[int] = field(default_factory=list)


@dataclass
class EfeNonlinearHeader:
    """EFE non-linear: block switch masks and per-tile curves."""

    minSymbol: int = 0
    maxSymbol: int = 0
    mask_enabled_flag: list[int] = field(default_factory=lambda: [0, 0])
    bS: int = 0
    len_mask_y: int = 0
    len_mask_x: int = 0
    W5: list[list[int]] = field(default_factory=lambda: [[], []])
    """Per mask (U, V) len_mask_y * len_mask_x values 0..2 in raster order."""
    planes: tuple[EfeNonlinearPlane, EfeNonlinearPlane] = field(
        default_factory=lambda: (EfeNonlinearPlane(), EfeNonlinearPlane())
    )
    nonlinearW: int = 0
    nonlinearH: int = 0
    numTiles: int = 0
    minLuma: list[int] = field(default_factory=list)
    maxLuma: list[int] = field(default_factory=list)


@dataclass
class ToolHeader:
    """The tool header; a filter's part is None when its enabled flag is 0."""

    lsbs_enable_flag: list[int] = field(default_factory=lambda: [0, 0])
    efe_linear: EfeLinearHeader | None = None
    eicci: EicciHeader | None = None
    efe_nonlinear: EfeNonlinearHeader | None = None
    LEF_chIdx: int | None = None

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the post-filters in use, in the order they are applied."""
        present = {
            "EFE linear": self.efe_linear,
            "eICCI": self.eicci,
            "EFE non-linear": self.efe_nonlinear,
            "LEF": self.LEF_chIdx,
        }
        return tuple(name for name, part in present.items() if part is not None)


def read_tool_header(payload: bytes, picture: PictureHeader) -> tuple[ToolHeader, list[Field]]:
    """Parse the payload of TON; returns the header and its fields in coding order. Raises InvalidStream."""
    reader = BitReader(payload, PLACE)
    header, fields = ToolHeader(), FieldReader(reader, PLACE)
    _tool_syntax(fields, header, picture)
    reader.finish()
    return header, fields.record


def write_tool_header(header: ToolHeader, picture: PictureHeader) -> bytes:
    """The payload of TON; raises ValueError when a value does not fit its field."""
    writer = BitWriter()
    _tool_syntax(FieldWriter(writer), header, picture)
    return writer.to_bytes()


def _tool_syntax(f: Fields, h: ToolHeader, picture: PictureHeader) -> None:
    for i in range(2):
        h.lsbs_enable_flag[i] = f.u(f"lsbs_enable_flag[{i}]", 1, h.lsbs_enable_flag[i])
    if f.u("EFE_linear_filter_enabled_flag", 1, int(h.efe_linear is not None)):
        h.efe_linear = h.efe_linear or EfeLinearHeader()
        _efe_linear_syntax(f, h.efe_linear, picture)
    if picture.source_subsampling != (2, 2) and f.u("icci_enable_flag", 1, int(h.eicci is not None)):
        h.eicci = h.eicci or EicciHeader()
        _eicci_syntax(f, h.eicci, picture)
    if f.u("EFE_nonlinear_filter_enabled_flag", 1, int(h.efe_nonlinear is not None)):
        h.efe_nonlinear = h.efe_nonlinear or EfeNonlinearHeader()
        _efe_nonlinear_syntax(f, h.efe_nonlinear)
    if f.u("LEF_enabled_flag", 1, int(h.LEF_chIdx is not None)):
        h.LEF_chIdx = f.u("LEF_chIdx", 8, h.LEF_chIdx or 0)


def _efe_linear_syntax(f: Fields, h: EfeLinearHeader, picture: PictureHeader) -> None:
    for i in range(2):
        h.B1[i] = f.u(f"B1[{i}]", 15, h.B1[i])
    coded_at_source_resolution = picture.coded_subsampling == picture.source_subsampling
    kernels = 1 if coded_at_source_resolution else PHASES
    for filter_set in (h.set_a, h.set_b):
        _efe_linear_set_syntax(f, filter_set, kernels)


def _efe_linear_set_syntax(f: Fields, h: EfeLinearSet, kernels: int) -> None:
    for i, plane in enumerate(h.planes):
        plane.best_cand_idx = f.u(f"best_cand_idx[{i}]", 4, plane.best_cand_idx)
        if plane.best_cand_idx > len(EFE_SPLIT_REGIONS):
            raise InvalidStream(f"{PLACE}: best_cand_idx[{i}] is {plane.best_cand_idx}, at most 8")
    for i, plane in enumerate(h.planes):
        if plane.best_cand_idx:
            plane.fL = f.u(f"fL[{i}]", 4, plane.fL)
    h.minSymbol = f.u("minSymbol", 16, h.minSymbol)
    h.maxSymbol = f.u("maxSymbol", 16, h.maxSymbol)
    bits = bits_for_largest(h.maxSymbol)
    for name, plane in zip("UV", h.planes, strict=True):
        area = plane.fL * plane.fL
        plane.weights = _per_region(f, f"weights{name}", bits, kernels * area, plane.regions, plane.weights)
        plane.weights2 = _per_region(f, f"weights{name}2", bits, area, plane.regions, plane.weights2)


def _per_region(f: Fields, name: str, bits: int, count: int, regions: int, values: list[list[int]]) -> list[list[int]]:
    return [f.array(name, bits, count, values[r] if values else ()) for r in range(regions)]


def _eicci_syntax(f: Fields, h: EicciHeader, picture: PictureHeader) -> None:
    h.tile_manager_enabled = f.u("tile_manager_enabled", 1, h.tile_manager_enabled)
    count = 1
    if h.tile_manager_enabled:
        h.tile_size = f.u("tile_size", 8, h.tile_size)
        h.tile_overlap = f.u("tile_overlap", 5, h.tile_overlap)
        if h.tile_size <= h.tile_overlap:
            raise InvalidStream(f"{PLACE}: eICCI tile size {h.tile_size} is not above the overlap {h.tile_overlap}")
        size, overlap = h.tile_size * TILE_UNIT, h.tile_overlap * TILE_UNIT
        # The tile grid is that of the coded picture, although filters see the displayed part only.
        rows, columns = (len(overlapping_spans(n, size, overlap)) for n in (picture.height, picture.width))
        count = rows * columns
    if h.tiles and len(h.tiles) != count:
        raise ValueError(f"eICCI: {count} tiles expected, {len(h.tiles)} given")
    # Not a list of `count` before the first bit of it is read: a header may announce millions of tiles.
    tiles = h.tiles or repeat(EicciTile(), count)
    h.tiles = [_eicci_tile_syntax(f, index, tile) for index, tile in enumerate(tiles)]


def _eicci_tile_syntax(f: Fields, index: int, written: EicciTile) -> EicciTile:
    tile = EicciTile()
    for i in range(3):
        tile.icci_use[i] = f.u(f"icci_use[{i}]", 1, written.icci_use[i])
    if not any(tile.icci_use):
        return tile
    tile.icci_use_shortList = f.u("icci_use_shortList", 1, written.icci_use_shortList)
    bits = 2 if tile.icci_use_shortList else 4
    for i, (name, used) in enumerate((("Y", tile.icci_use[0]), ("UV", any(tile.icci_use[1:])))):
        if used:
            tile.icci_model_signalled_idx[i] = f.u(
                f"icci_model_signalled_idx[{index}][{name}]", bits, written.icci_model_signalled_idx[i]
            )
    return tile


def _efe_nonlinear_syntax(f: Fields, h: EfeNonlinearHeader) -> None:
    h.minSymbol = f.u("minSymbol", 16, h.minSymbol)
    h.maxSymbol = f.u("maxSymbol", 16, h.maxSymbol)
    for i, name in enumerate(MASK_NAMES):
        h.mask_enabled_flag[i] = f.u(name, 1, h.mask_enabled_flag[i])
    if any(h.mask_enabled_flag):
        _switch_mask_syntax(f, h)
    for name, plane in zip("UV", h.planes, strict=True):
        plane.enabled_flag = f.u(f"nonLinear_enabled_{name}_flag", 1, plane.enabled_flag)
    if not any(plane.enabled_flag for plane in h.planes):
        return
    h.nonlinearW = f.u("nonlinearW", 16, h.nonlinearW)
    h.nonlinearH = f.u("nonlinearH", 16, h.nonlinearH)
    h.numTiles = f.u("numTiles", 16, h.numTiles)
    h.minLuma = f.array("minLuma", 16, h.numTiles, h.minLuma)
    h.maxLuma = f.array("maxLuma", 16, h.numTiles, h.maxLuma)
    bits = bits_for_largest(h.maxSymbol)
    for plane in h.planes:
        if plane.enabled_flag:
            plane.candNum = f.u("candNum", 16, plane.candNum)
            plane.A1 = f.array("A1", bits, plane.candNum, plane.A1)


def _switch_mask_syntax(f: Fields, h: EfeNonlinearHeader) -> None:
    h.bS = f.u("bS", 10, h.bS)
    h.len_mask_y = f.u("len_mask_y", 10, h.len_mask_y)
    h.len_mask_x = f.u("len_mask_x", 10, h.len_mask_x)
    for i in range(2):
        if h.mask_enabled_flag[i]:
            h.W5[i] = f.array(f"W5[i,j,{i}]", 2, h.len_mask_y * h.len_mask_x, h.W5[i])
