"""Every post-filter against its definition, written out sample by sample, and against small vectors."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from jpegai_mobile.codestream.picture_header import PictureHeader
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.codestream.tool_header import (
    EfeLinearHeader,
    EfeLinearPlane,
    EfeLinearSet,
    EfeNonlinearHeader,
    EfeNonlinearPlane,
    EicciHeader,
    EicciTile,
    ToolHeader,
    read_tool_header,
    write_tool_header,
)
from jpegai_mobile.errors import InvalidStream
from jpegai_mobile.filters.efe_linear import SPLITS, efe_linear, split_regions
from jpegai_mobile.filters.efe_nonlinear import efe_nonlinear
from jpegai_mobile.filters.eicci import EicciNetwork, eicci, eicci_tiles, largest_tile, networks_at_most
from jpegai_mobile.filters.haar import haar, inverse_haar
from jpegai_mobile.filters.lef import lef
from jpegai_mobile.filters.pipeline import apply_filters
from jpegai_mobile.image.chroma import from_synthesis, to_444
from jpegai_mobile.image.colour import quantise, yuv_to_rgb
from jpegai_mobile.image.planes import Plane, Planes, Subsampling

from .filter_vectors import assert_samples_agree, small_vector
from .test_image import random_planes

STORAGE_ERROR = 0.0025
"""Of planes that are stored with 16 bits; it makes one of a few hundred samples round to its neighbour."""


def no_network(network: EicciNetwork, bands: np.ndarray) -> np.ndarray:
    raise AssertionError(f"{network} is not wanted")


def picture_header(
    size: tuple[int, int], source: Subsampling = (1, 1), coded: Subsampling | None = None, model_id: int = 1
) -> PictureHeader:
    """A picture without hidden border; `size` may be below the least coded size."""
    coded = coded or source
    return PictureHeader(
        img_height_minus64=size[0] - 64,
        img_width_minus64=size[1] - 64,
        s_ver_minus1=source[0] - 1,
        s_hor_minus1=source[1] - 1,
        c_ver_minus1=coded[0] - 1,
        c_hor_minus1=coded[1] - 1,
        model_id=model_id,
    )


# EFE linear


def weight_code(weight: float, min_symbol: int) -> int:
    return round(weight * 2048) + 32767 - min_symbol


def coded_plane(rng: np.random.Generator, best_cand_idx: int, taps: int, kernels: int, low: int) -> EfeLinearPlane:
    plane = EfeLinearPlane(best_cand_idx, taps)

    def codes(count: int) -> list[int]:
        return [weight_code(w, low) for w in rng.uniform(-0.2, 0.2, count)]

    plane.weights = [codes(kernels * taps * taps) for _ in range(plane.regions)]
    plane.weights2 = [codes(taps * taps) for _ in range(plane.regions)]
    return plane


def defined_efe_linear(
    planes: Planes, chroma: Plane, coded: EfeLinearPlane, low: int, mean: float, picture: PictureHeader
) -> np.ndarray:
    """One filtered plane, one sample after the other, for a picture that is one region."""
    vertical, horizontal = (3 - s for s in picture.source_subsampling)
    filtered = np.zeros(chroma.shape)
    interpolated = picture.coded_subsampling != picture.source_subsampling
    half = np.array([-1, 9, 9, -1]) / 16
    whole = np.array([0.0, 1, 0, 0])

    def phase_of(plane: Plane, row: int, column: int, steps: tuple[int, int]) -> np.ndarray:
        even = [[0, -n % step] for n, step in zip(plane.shape, steps, strict=True)]
        phase = np.pad(plane, even, mode="edge")[row :: steps[0], column :: steps[1]]
        return np.pad(phase.astype(float), 2, mode="edge")

    for y, x in np.ndindex(chroma.shape):
        row, column = y % vertical, x % horizontal
        uv = phase_of(chroma, row, column, (vertical, horizontal)) - mean
        luma = phase_of(planes.y, row, column, (2, 2))
        centre_y, centre_x = y // vertical + 2, x // horizontal + 2
        kernel = np.outer(half if interpolated and row else whole, half if interpolated and column else whole)
        luma_kernel = np.zeros((4, 4))
        area, start = coded.fL**2, 1 - (coded.fL - 1) // 2
        for i, (dy, dx) in enumerate(product(range(coded.fL), repeat=2)):
            number = (2 * row + column) * area if interpolated else 0
            kernel[start + dy, start + dx] += (coded.weights[0][number + i] + low - 32767) / 2048
            luma_kernel[start + dy, start + dx] += (coded.weights2[0][i] + low - 32767) / 2048
        window = slice(centre_y - 1, centre_y + 3), slice(centre_x - 1, centre_x + 3)
        filtered[y, x] = mean + (kernel * uv[window]).sum() + (luma_kernel * luma[window]).sum()
    return filtered


@pytest.mark.parametrize("taps", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("source", "coded"),
    [((1, 1), (1, 1)), ((1, 1), (2, 2)), ((1, 1), (1, 2)), ((1, 2), (1, 2)), ((2, 2), (2, 2))],
    ids=["4:4:4", "4:4:4 as 4:2:0", "4:4:4 as 4:2:2", "4:2:2", "4:2:0"],
)
def test_efe_linear_is_what_it_is_defined_to_be(taps: int, source: Subsampling, coded: Subsampling) -> None:
    rng = np.random.default_rng(taps)
    size, low, means = (13, 10), 32000, [12345, 9876]
    planes, picture = random_planes(size, source), picture_header(size, source, coded)
    kernels = 1 if source == coded else 4
    u, v = (coded_plane(rng, 1, taps, kernels, low) for _ in "uv")
    filtered = efe_linear(planes, EfeLinearHeader(means), EfeLinearSet((u, v), low, 2000), picture)
    assert filtered.y is planes.y
    for ours, chroma, plane, mean in zip((filtered.u, filtered.v), (planes.u, planes.v), (u, v), means, strict=True):
        assert ours.dtype == np.float32
        assert np.allclose(ours, defined_efe_linear(planes, chroma, plane, low, mean / 100, picture), atol=1e-3)


def test_efe_linear_without_coded_kernels() -> None:
    planes, nothing = random_planes((70, 66)), EfeLinearSet()
    unchanged = efe_linear(planes, EfeLinearHeader(), nothing, picture_header((70, 66)))
    assert unchanged.u is planes.u
    interpolated = efe_linear(planes, EfeLinearHeader([3000, 3000]), nothing, picture_header((70, 66), (1, 1), (2, 2)))
    assert np.allclose(interpolated.u[::2, ::2], planes.u[::2, ::2], atol=1e-4)
    odd = [planes.u[10, 2 * i + 1] for i in range(1, 5)]
    assert interpolated.u[10, 5] == pytest.approx((9 * (odd[1] + odd[2]) - odd[0] - odd[3]) / 16, abs=1e-3)


def test_efe_linear_uses_the_kernel_of_the_region() -> None:
    size = (200, 260)
    planes, picture = random_planes(size), picture_header(size)
    plane = EfeLinearPlane(8, 1)
    plane.weights = [[weight_code(0, 0)] for _ in range(6)]
    plane.weights2 = [[weight_code(region, 0)] for region in range(6)]
    filtered = efe_linear(planes, EfeLinearHeader(), EfeLinearSet((plane, EfeLinearPlane())), picture)
    region_of = np.zeros((100, 130), int)
    for number, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2))):
        rows = slice(0, 64) if row == 0 else slice(64, 100)
        region_of[rows, (slice(0, 64), slice(64, 96), slice(96, 130))[column]] = number
    factors = region_of.repeat(2, axis=0).repeat(2, axis=1)
    assert np.allclose(filtered.u, planes.u + factors * planes.y, atol=1e-2)
    assert filtered.v is planes.v


@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from(SPLITS))
def test_split_regions_partition_the_picture(
    rows: int, columns: int, split: tuple[tuple[float, ...], tuple[float, ...], bool]
) -> None:
    covered = np.zeros((rows, columns), int)
    for region in split_regions((rows, columns), split):
        covered[region.slices] += 1
        assert region.bottom % 32 == 0 or region.bottom == rows
        assert region.right % 32 == 0 or region.right == columns
    assert (covered == 1).all()


WHOLE, HALVES, THIRDS = (0, 320), (0, 160, 320), (0, 128, 224, 320)


@pytest.mark.parametrize(
    ("split", "rows", "columns"),
    [
        (0, WHOLE, WHOLE),
        (1, HALVES, WHOLE),
        (2, WHOLE, HALVES),
        (3, WHOLE, THIRDS),
        (4, THIRDS, WHOLE),
        (5, HALVES, HALVES),
        (6, THIRDS, HALVES),
    ],
)
def test_regions_of_splits_are_in_raster_order(split: int, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
    """The last split has another order: see `test_efe_linear_uses_the_kernel_of_the_region`."""
    assert split_regions((320, 320), SPLITS[split]) == [
        Rectangle(top, left, bottom, right) for top, bottom in pairwise(rows) for left, right in pairwise(columns)
    ]


@pytest.mark.parametrize("taps", [0, 5])
def test_efe_linear_kernels_must_fit_the_support(taps: int) -> None:
    plane = EfeLinearPlane(1, taps, [[0] * taps**2], [[0] * taps**2])
    with pytest.raises(InvalidStream, match=f"EFE linear: fL is {taps}"):
        efe_linear(
            random_planes((64, 64)),
            EfeLinearHeader(),
            EfeLinearSet((EfeLinearPlane(), plane)),
            picture_header((64, 64)),
        )


# EFE non-linear


def nonlinear_header(tiles: int, width: int, height: int, seed: int = 2) -> EfeNonlinearHeader:
    rng = np.random.default_rng(seed)
    planes = tuple(EfeNonlinearPlane(1, 8 * tiles, rng.integers(0, 4000, 8 * tiles).tolist()) for _ in "uv")
    return EfeNonlinearHeader(
        minSymbol=31000,
        maxSymbol=4000,
        planes=(planes[0], planes[1]),
        nonlinearW=width,
        nonlinearH=height,
        numTiles=tiles,
        minLuma=rng.integers(0, 9000, tiles).tolist(),
        maxLuma=rng.integers(15000, 25500, tiles).tolist(),
    )


@pytest.mark.parametrize("subsampling", [(1, 1), (1, 2), (2, 2)])
def test_efe_nonlinear_is_what_it_is_defined_to_be(subsampling: Subsampling) -> None:
    size = (61, 75)
    planes = random_planes(size, subsampling)
    rows, columns = planes.u.shape
    header = nonlinear_header(-(-rows // 24) * -(-columns // 32), 32, 24)
    filtered = efe_nonlinear(planes, header, picture_header(size, subsampling), None)
    for ours, chroma, coded in zip((filtered.u, filtered.v), (planes.u, planes.v), header.planes, strict=True):
        for y, x in np.ndindex(rows, columns):
            tile = y // 24 * -(-columns // 32) + x // 32
            w = [(code + 31000 - 32767) / 2048 for code in coded.A1[8 * tile : 8 * tile + 8]]
            low = header.minLuma[tile] / 100
            step = (header.maxLuma[tile] / 100 - low) / 8
            luma = float(planes.y[y * subsampling[0], x * subsampling[1]])
            expected = max(0, chroma[y, x] + w[0] * (luma - low))
            expected += sum(w[k] * max(0, luma - low - k * step) for k in range(1, 8))
            assert ours[y, x] == pytest.approx(expected, abs=2e-3)


def test_efe_nonlinear_leaves_planes_alone_that_are_not_enabled() -> None:
    planes, header = random_planes((64, 64)), nonlinear_header(1, 64, 64)
    header.planes[0].enabled_flag = 0
    filtered = efe_nonlinear(planes, header, picture_header((64, 64)), None)
    assert filtered.u is planes.u
    assert not np.array_equal(filtered.v, planes.v)


def switch_header(u: list[int], v: list[int], grid: tuple[int, int], block: int) -> EfeNonlinearHeader:
    return EfeNonlinearHeader(
        mask_enabled_flag=[int(bool(u)), int(bool(v))],
        bS=block,
        len_mask_y=grid[0],
        len_mask_x=grid[1],
        W5=[u, v],
    )


def test_switch_blends_blocks() -> None:
    size = (70, 90)
    planes, alternative = random_planes(size), random_planes(size, seed=7)
    header = switch_header([0, 1, 2, 2, 1, 0], [2] * 6, (2, 3), 40)
    switched = efe_nonlinear(planes, header, picture_header(size), alternative)
    assert np.array_equal(switched.u[:40, :40], planes.u[:40, :40])
    assert np.allclose(switched.u[:40, 40:80], (planes.u + alternative.u)[:40, 40:80] / 2, atol=1e-4)
    assert np.array_equal(switched.u[40:, :40], alternative.u[40:, :40])
    assert np.array_equal(switched.v, alternative.v)


def test_switch_mask_of_v_alone_has_no_effect() -> None:
    planes = random_planes((64, 64))
    filtered = efe_nonlinear(planes, switch_header([], [2], (1, 1), 64), picture_header((64, 64)), None)
    assert filtered.v is planes.v


NONLINEAR_FAULTS = {
    "numTiles is 2, the picture has 1": {"numTiles": 2},
    "candNum is 7, 1 tiles need 8": {"planes": (EfeNonlinearPlane(1, 7, [0] * 7), EfeNonlinearPlane())},
    "tiles of 0 x 64": {"nonlinearW": 0},
    "tiles of 64 x 0": {"nonlinearH": 0},
    "1 x 1 mask blocks of 40 samples do not cover": {"bS": 40},
    "1 x 1 mask blocks of 0 samples": {"bS": 0},
    "2 x 1 mask blocks of 64 samples": {"len_mask_y": 2},
    "W5 has the value 3, at most 2": {"W5": [[3], []]},
}


@pytest.mark.parametrize("message", NONLINEAR_FAULTS)
def test_efe_nonlinear_headers_that_do_not_fit(message: str) -> None:
    header = nonlinear_header(1, 64, 64)
    header.mask_enabled_flag, header.bS, header.len_mask_y, header.len_mask_x = [1, 0], 64, 1, 1
    header.W5 = [[1], []]
    planes, picture = random_planes((64, 64)), picture_header((64, 64))
    efe_nonlinear(planes, header, picture, planes)
    for name, value in NONLINEAR_FAULTS[message].items():
        setattr(header, name, value)
    with pytest.raises(InvalidStream, match=f"tool header: EFE non-linear: {message}"):
        efe_nonlinear(planes, header, picture, planes)


def test_switch_without_efe_linear_is_an_error() -> None:
    with pytest.raises(InvalidStream, match="switch mask without EFE linear"):
        efe_nonlinear(random_planes((64, 64)), switch_header([1], [], (1, 1), 64), picture_header((64, 64)), None)


def test_many_tiny_tiles_are_refused_at_once() -> None:
    planes, header = random_planes((2000, 2000)), nonlinear_header(1, 1, 1)
    with pytest.raises(InvalidStream, match="the picture has 4000000"):
        efe_nonlinear(planes, header, picture_header((2000, 2000)), None)


# LEF


def test_lef_is_what_it_is_defined_to_be() -> None:
    luma = random_planes((50, 70)).y
    sigma = np.array([[0, 799, 800, 1399, 1400], [2399, 2400, 3967, 1000, 1500]] * 2)
    gains = {0: 1, 800: 1.07, 1400: 1.09, 2400: 1.11}
    sharpened = lef(luma, sigma, 1)
    kernel = np.array([[5, 5, 5], [5, 24, 5], [5, 5, 5]]) / 64
    for y, x in np.ndindex(luma.shape):
        expected = luma[y, x]
        if 0 < y < 49 and 0 < x < 69:
            here = sigma[int(y * 4 / 50), x * 5 // 70]
            gain = gains[max(threshold for threshold in gains if here >= threshold)]
            blur = (kernel * luma[y - 1 : y + 2, x - 1 : x + 2]).sum()
            expected = min(max(blur + gain * (luma[y, x] - blur), 0), 255)
        assert sharpened[y, x] == pytest.approx(expected, abs=1e-3)


def test_lef_keeps_a_picture_without_inside() -> None:
    luma = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    assert np.array_equal(lef(luma, np.full((1, 1), 4000, np.int32), 0), luma)


def test_lef_channel_must_exist() -> None:
    tools = ToolHeader(LEF_chIdx=160)
    with pytest.raises(InvalidStream, match="tool header: LEF_chIdx is 160"):
        apply_filters(random_planes((64, 64)), tools, picture_header((64, 64)), None, no_network, "bop")


# eICCI


def test_haar_of_a_cell() -> None:
    cell = np.array([[[1.0], [2.0]], [[5.0], [9.0]]], np.float32)
    assert haar(cell).ravel().tolist() == [8.5, 2.5, 5.5, 1.5]


def test_haar_is_orthonormal_and_inverted() -> None:
    samples = np.random.default_rng(1).uniform(0, 1, (12, 20, 3)).astype(np.float32)
    bands = haar(haar(samples))
    assert bands.shape == (3, 5, 48)
    assert np.square(bands).sum() == pytest.approx(np.square(samples).sum(), rel=1e-5)
    assert np.allclose(inverse_haar(inverse_haar(bands)), samples, atol=1e-6)
    assert np.allclose(bands[..., 16], samples[..., 1].reshape(3, 4, 5, 4).sum(axis=(1, 3)) / 4, atol=1e-5)


@given(st.integers(64, 1200), st.integers(64, 1200), st.integers(2, 60), st.integers(0, 31))
@example(64, 265, 16, 10)
@example(64, 177, 11, 0)
@settings(max_examples=100)
def test_eicci_cores_cover_the_picture(rows: int, columns: int, size: int, overlap: int) -> None:
    assume(overlap < size)
    covered = np.zeros((rows, columns), int)
    header, picture = EicciHeader(1, size, overlap), picture_header((rows, columns))
    largest = largest_tile(header, picture)
    try:
        tiles = eicci_tiles(header, picture)
    except InvalidStream:
        assert 16 * size <= 176 + 16 * overlap
        return
    for place in tiles:
        tile, core = place.tile, place.core
        covered[core.slices] += 1
        assert tile.top <= core.top <= core.bottom <= tile.bottom
        assert tile.left <= core.left <= core.right <= tile.right
        assert 0 <= tile.top < tile.bottom <= rows
        assert 0 <= tile.left < tile.right <= columns
        assert tile.height <= largest[0] and tile.width <= largest[1]
    # A last tile that grows to the border of the picture covers the one before it once more.
    assert covered.min() == 1
    assert covered.max() == 1 or 16 * size <= 176 + 16 * overlap


def test_narrow_last_tile_takes_samples_from_the_one_before() -> None:
    tiles = eicci_tiles(EicciHeader(1, 512 // 16, 64 // 16), picture_header((512, 1000)))
    spans = [(place.tile.left, place.tile.right, place.core.left, place.core.right) for place in tiles]
    assert spans == [(0, 512, 0, 480), (448, 784, 480, 752), (720, 1000, 752, 1000)]


def test_tiles_that_cannot_give_are_refused() -> None:
    with pytest.raises(InvalidStream, match="tiles of 160 samples cannot give 176"):
        eicci_tiles(EicciHeader(1, 10, 0), picture_header((64, 400)))


def test_eicci_runs_the_chosen_networks_in_place() -> None:
    """A network that adds to the low band raises all samples; the second tile sees that in its margin."""
    size = (64, 400)
    planes, picture = random_planes(size), picture_header(size, model_id=2)
    planes = Planes(*(plane * np.float32(0.5) for plane in (planes.y, planes.u, planes.v)))
    header = EicciHeader(1, 256 // 16, 32 // 16, [EicciTile([1, 0, 1], 1, [1, 0]), EicciTile([0, 1, 0], 0, [9, 9])])
    asked: list[tuple[EicciNetwork, np.ndarray]] = []

    def brighter(network: EicciNetwork, bands: np.ndarray) -> np.ndarray:
        asked.append((network, bands))
        corrected = bands[..., :16].copy() if network.component == "y" else bands[..., 16:].copy()
        corrected[..., ::16] += 4 * 25.5 / 255
        return corrected

    filtered = eicci(planes, header, picture, "sop", brighter)
    wanted = [EicciNetwork("y", "bop", 7), EicciNetwork("uv", "bop", 1), EicciNetwork("uv", "bop", 9)]
    assert [network for network, _ in asked] == wanted
    raised = {"y": slice(0, 240), "u": slice(240, 400), "v": slice(0, 240)}
    for name, columns in raised.items():
        expected = getattr(planes, name).copy()
        expected[:, columns] += 25.5
        assert np.allclose(getattr(filtered, name), expected, atol=1e-3)
    margin = inverse_haar(inverse_haar(asked[2][1]))[:, :16]
    assert np.allclose(margin[..., 0] * 255, planes.y[:, 224:240] + 25.5, atol=1e-3)


@pytest.mark.parametrize("model_id", range(4))
@pytest.mark.parametrize(
    ("operating_point", "bank", "luma", "chroma"),
    [
        ("sop", "bop", ("56", "26", "27", "38"), ("01", "01", "12", "12")),
        ("bop", "bop", ("56", "36", "27", "38"), ("01", "12", "23", "23")),
        ("hop", "hop", ("56", "68", "27", "39"), ("02", "13", "23", "23")),
    ],
)
def test_short_lists(
    operating_point: str, bank: str, luma: tuple[str, ...], chroma: tuple[str, ...], model_id: int
) -> None:
    asked: list[EicciNetwork] = []

    def recorded(network: EicciNetwork, bands: np.ndarray) -> np.ndarray:
        asked.append(network)
        return bands[..., :32]

    picture = picture_header((64, 64), model_id=model_id)
    for index in range(2):
        header = EicciHeader(tiles=[EicciTile([1, 1, 1], 1, [index, index])])
        eicci(random_planes((64, 64)), header, picture, operating_point, recorded)
    assert asked == [
        EicciNetwork(component, bank, int(number))
        for pair in zip(luma[model_id], chroma[model_id], strict=True)
        for component, number in zip(("y", "uv"), pair, strict=True)
    ]


def test_networks_of_eicci_are_counted_once() -> None:
    tiles = [EicciTile([1, 0, 1], 1, [1, 0]), EicciTile([0, 1, 0], 1, [1, 0]), EicciTile([1, 0, 0], 0, [1, 0])]
    assert networks_at_most(EicciHeader(tiles=[*tiles, EicciTile()])) == 3


def test_eicci_of_odd_sizes_sees_repeated_borders() -> None:
    planes = random_planes((65, 67))

    def unchanged(network: EicciNetwork, bands: np.ndarray) -> np.ndarray:
        samples = inverse_haar(inverse_haar(bands))
        assert samples.shape == (68, 68, 3)
        assert np.allclose(samples[65:, :67], samples[64:65, :67], atol=1e-6)
        return bands[..., :16]

    header = EicciHeader(tiles=[EicciTile([1, 0, 0])])
    assert np.allclose(eicci(planes, header, picture_header((65, 67)), "bop", unchanged).y, planes.y, atol=1e-3)


def test_eicci_clips_even_when_nothing_is_chosen() -> None:
    planes = Planes(*(plane * np.float32(2) - np.float32(100) for plane in vars(random_planes((64, 64))).values()))
    filtered = eicci(planes, EicciHeader(tiles=[EicciTile()]), picture_header((64, 64)), "bop", no_network)
    assert np.allclose(filtered.u, np.clip(planes.u, 0, 255), atol=1e-4)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (EicciHeader(tiles=[EicciTile([1, 0, 0], 1, [2, 0])]), "tile 0: network 2 of 2"),
        (EicciHeader(tiles=[EicciTile([0, 0, 1], 0, [0, 10])]), "tile 0: network 10 of 10"),
        (EicciHeader(tiles=[EicciTile()] * 2), "2 tiles are coded, the picture has 1"),
    ],
)
def test_eicci_headers_that_do_not_fit(header: EicciHeader, message: str) -> None:
    with pytest.raises(InvalidStream, match=f"tool header: eICCI: {message}"):
        eicci(random_planes((64, 64)), header, picture_header((64, 64)), "bop", no_network)


# All together


def test_no_filters() -> None:
    planes, picture, sigma = (
        random_planes((64, 64)),
        picture_header((64, 64)),
        np.zeros((4, 4), np.int32),
    )
    assert apply_filters(planes, ToolHeader(), picture, sigma, no_network, "bop") is planes
    tools = ToolHeader(LEF_chIdx=0)
    assert apply_filters(planes, tools, picture, sigma, no_network, "bop", filters_enabled=False) is planes
    assert apply_filters(planes, tools, picture, sigma, no_network, "bop") is not planes


def test_eicci_on_422_goes_through_444() -> None:
    planes, picture = random_planes((64, 65), (1, 2)), picture_header((64, 65), (1, 2))
    tools = ToolHeader(eicci=EicciHeader(tiles=[EicciTile([0, 1, 0])]))

    def black(network: EicciNetwork, bands: np.ndarray) -> np.ndarray:
        means = to_444(planes).v[:, :64].reshape(16, 4, 16, 4).mean(axis=(1, 3))
        assert np.allclose(bands[:, :16, 32] * 255 / 4, means, atol=0.01)
        return np.zeros((*bands.shape[:2], 32), np.float32)

    filtered = apply_filters(planes, tools, picture, None, black, "bop")
    assert filtered.u.shape == filtered.v.shape == (64, 33)
    assert not filtered.u.any()
    assert np.allclose(filtered.v, np.clip(planes.v, 0, 255), atol=20)


@pytest.mark.parametrize("name", ["efelin_187x133", "efe_rgb420_m3_300x220"])
def test_efe_of_a_stream(name: str) -> None:
    stream, arrays = small_vector(name)
    picture = stream.picture
    coded = Planes(arrays["plane_Y"], arrays["coded_U"], arrays["coded_V"])
    planes = to_444(coded)
    filtered = apply_filters(planes, stream.tools, picture, None, no_network, "bop")
    assert_samples_agree(yuv_to_rgb(filtered, 8), arrays["decoded"], one_of=100)
    unfiltered = np.abs(yuv_to_rgb(planes, 8).astype(int) - arrays["decoded"])
    assert np.count_nonzero(unfiltered) > unfiltered.size // 10


def test_lef_of_a_stream() -> None:
    stream, arrays = small_vector("lef_10b_yuv444_200x136")
    sharpened = lef(arrays["plane_Y"], arrays["sigma"], stream.picture.model_id)
    assert np.abs(sharpened - arrays["after_LEF_Y"]).max() < 2 * STORAGE_ERROR
    assert np.abs(arrays["plane_Y"] - arrays["after_LEF_Y"]).max() > 1
    assert_samples_agree(quantise(sharpened, 10), arrays["decoded_Y"], one_of=50)


def test_rgb_picture_coded_420_is_upsampled_before_filters() -> None:
    stream, arrays = small_vector("efe_rgb420_m3_300x220")
    full = [plane.repeat(2, axis=0).repeat(2, axis=1) for plane in (arrays["coded_U"], arrays["coded_V"])]
    planes = from_synthesis(arrays["plane_Y"], *full, stream.picture)
    assert np.array_equal(planes.u, to_444(Planes(arrays["plane_Y"], arrays["coded_U"], arrays["coded_V"])).u)


@given(
    st.binary(min_size=1, max_size=12),
    st.integers(0, 10**6),
    st.sampled_from(["efelin_187x133", "efe_rgb420_m3_300x220"]),
)
@settings(max_examples=120, deadline=None)
def test_damaged_headers_give_planes_or_invalid_stream(damage: bytes, position: int, name: str) -> None:
    stream, arrays = small_vector(name)
    picture = stream.picture
    payload = bytearray(write_tool_header(stream.tools, picture))
    for i, byte in enumerate(damage):
        payload[(position + i) % len(payload)] ^= byte
    planes = to_444(Planes(arrays["plane_Y"], arrays["coded_U"], arrays["coded_V"]))
    sigma = np.zeros(picture.sizes.latent, np.int32)
    try:
        tools, _ = read_tool_header(bytes(payload), picture)
        filtered = apply_filters(planes, tools, picture, sigma, lambda network, bands: bands[..., :32], "bop")
    except InvalidStream as error:
        assert str(error).startswith("tool header")
    else:
        assert filtered.size == planes.size
        assert filtered.u.shape == planes.u.shape
        assert np.isfinite(filtered.v).all()
