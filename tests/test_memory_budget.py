"""Memory: the estimate holds what the operating system counts, and a limit is refused before anything is allocated."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.big_streams import enlarge
from jpegai_mobile import DecodeOptions, Decoder, LimitExceeded, open_bundle
from jpegai_mobile.cli.main import main
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.tool_header import EicciHeader, EicciTile
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.runtime.bundle import PreparedBytes
from jpegai_mobile.runtime.memory_budget import DEFAULT_LIMIT, MEBI, NO_LIMIT, DecodePlan, plan_decode

from .encoding import conformance_bundle_path
from .vectors import CONFORMANCE, ROOT, needs_conformance

PHOTO = ROOT / "examples" / "kodim07.jai"
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from /proc, which is not there"
)
MEASURE = """
import sys
from pathlib import Path
import jpegai_mobile.runtime.decoder as runtime
from benchmarks.cold_start import resident
from jpegai_mobile.cli.decode import output_of
from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.image.output import open_writer
from jpegai_mobile.runtime.view import View

plans = []
plan_decode = runtime.plan_decode
runtime.plan_decode = lambda *arguments: plans.append(plan_decode(*arguments)) or plans[-1]
stream, bundle, point, precision, threads, limit, file_format, factor, *region = sys.argv[1:]
view = View(Rectangle(*map(int, region)) if region else None, int(factor))
data = Path(stream).read_bytes()
idle = resident("VmRSS")
choices = {"operating_point": point, "precision": precision, "num_threads": int(threads)}
options = DecodeOptions(**choices, memory_limit=int(limit) or None)
output = output_of(file_format, view.factor)
reconstruction = Decoder(open_bundle(bundle)).reconstruct(data, options, view.region, output)
with open("/dev/null", "wb") as nowhere, open_writer(
    nowhere, view.layout(reconstruction.stream.picture), file_format
) as writer:
    view.write(reconstruction, writer)
print(plans[0].bytes_needed, round((resident("VmHWM") - idle) * 2**20))
"""


@pytest.fixture(scope="module")
def files(quantised_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A code stream of 1400 x 1100 samples and its bundle."""
    return _file(tmp_path_factory, quantised_bundle, 1400, 1100), quantised_bundle


@pytest.fixture(scope="module")
def wide_files(quantised_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same with 2000 x 1500 samples, whose latents are made in more parts side by side."""
    return _file(tmp_path_factory, quantised_bundle, 2000, 1500), quantised_bundle


def _enlarged(small: Path, bundle: Path, width: int, height: int) -> bytes:
    with open_bundle(bundle) as opened:
        model = EntropyModel.from_bytes(opened.entropy_model_bytes(1))
    return enlarge(read_code_stream(small.read_bytes()), model, width, height)


def _file(tmp_path_factory: pytest.TempPathFactory, bundle: Path, width: int, height: int) -> Path:
    path = tmp_path_factory.mktemp("memory") / "large.jai"
    path.write_bytes(_enlarged(PHOTO, bundle, width, height))
    return path


@needs_proc
@pytest.mark.parametrize(
    ("point", "precision", "threads", "mebibytes"),
    [
        ("bop", "float32", 1, 0),
        ("sop", "float32", 1, 0),
        ("bop", "float32", 2, 200),
        ("bop", "float32", 1, 64),
        ("bop", "int8", 1, 0),
        ("sop", "int8", 2, 0),
        ("bop", "int8", 1, 96),
        ("bop", "int8", 1, 64),
        ("bop", "int8mixed", 2, 180),
    ],
)
def test_the_estimate_is_near_the_measured_peak(
    files: tuple[Path, Path], point: str, precision: str, threads: int, mebibytes: int
) -> None:
    estimate, measured = _estimate_and_peak(files, point, precision, threads, mebibytes)
    assert 1.0 <= estimate / measured <= 1.5
    assert measured <= (mebibytes << 20 or DEFAULT_LIMIT)


@needs_proc
@pytest.mark.parametrize(("width", "height"), [(64, 64), (256, 192)])
@pytest.mark.parametrize(("point", "precision"), [("bop", "float32"), ("sop", "float32"), ("bop", "int8")])
def test_the_estimate_of_a_small_picture_is_near_the_measured_peak(
    quantised_bundle: Path, tmp_path: Path, point: str, precision: str, width: int, height: int
) -> None:
    """Networks and libraries are nearly all of it."""
    path = tmp_path / "small.jai"
    path.write_bytes(_enlarged(PHOTO, quantised_bundle, width, height))
    estimate, measured = _estimate_and_peak((path, quantised_bundle), point, precision, 1, 0)
    assert 1.0 <= estimate / measured <= 1.5


@needs_proc
@pytest.mark.parametrize(
    ("precision", "mebibytes", "region"),
    [
        ("float32", 0, (294, 444, 806, 956)),
        ("int8", 0, (294, 444, 806, 956)),
        ("float32", 200, (0, 0, 1100, 256)),
        ("int8", 64, (900, 0, 1100, 1400)),
        ("int8", 0, (450, 600, 850, 1000)),
    ],
)
def test_the_estimate_of_a_region_is_near_the_measured_peak(
    files: tuple[Path, Path], precision: str, mebibytes: int, region: tuple[int, int, int, int]
) -> None:
    estimate, measured = _estimate_and_peak(files, "bop", precision, 1, mebibytes, region)
    assert 1.0 <= estimate / measured <= 1.5
    assert measured <= (mebibytes << 20 or DEFAULT_LIMIT)


@needs_proc
@pytest.mark.parametrize(("point", "precision", "mebibytes"), [("sop", "int8", 76), ("bop", "int8mixed", 145)])
def test_the_estimate_holds_where_parts_of_latents_differ_in_width(
    wide_files: tuple[Path, Path], point: str, precision: str, mebibytes: int
) -> None:
    """125 latents in parts of 31 and 32: networks do not grow from part to part."""
    estimate, measured = _estimate_and_peak(wide_files, point, precision, 1, mebibytes)
    assert 1.0 <= estimate / measured <= 1.5
    assert measured <= mebibytes << 20


@needs_proc
@pytest.mark.parametrize(
    ("subsampling", "file_format", "factor", "region"),
    [
        ((1, 1), "ppm", 8, ()),
        ((1, 1), "jpg", 1, ()),
        ((2, 2), "ppm", 8, ()),
        ((2, 2), "ppm", 1, (100, 100, 164, 164)),
        ((1, 2), "ppm", 4, ()),
    ],
)
def test_the_estimate_counts_what_becomes_of_the_rows(
    wide_files: tuple[Path, Path],
    subsampling: tuple[int, int],
    file_format: str,
    factor: int,
    region: tuple[int, ...],
    tmp_path: Path,
) -> None:
    stream = read_code_stream(wide_files[0].read_bytes())
    picture = stream.picture
    picture.s_ver_minus1 = picture.c_ver_minus1 = subsampling[0] - 1
    picture.s_hor_minus1 = picture.c_hor_minus1 = subsampling[1] - 1
    path = tmp_path / "stream.jai"
    path.write_bytes(write_code_stream(stream))
    estimate, measured = _estimate_and_peak((path, wide_files[1]), "sop", "int8", 1, 64, region, file_format, factor)
    assert 1.0 <= estimate / measured <= 1.5
    assert measured <= 64 << 20


@needs_conformance
@needs_proc
@pytest.mark.parametrize(("name", "mebibytes"), [("bop_1024x1024", 160), ("bop_512x384", 1000)])
def test_the_estimate_counts_eicci(name: str, mebibytes: int, tmp_path: Path) -> None:
    """Of a tile as large as the picture, and of its networks where those of other stages stay."""
    stream = read_code_stream((CONFORMANCE / "streams" / name / "stream.jai").read_bytes())
    stream.tools.eicci = EicciHeader(tiles=[EicciTile([1, 1, 1])])
    path = tmp_path / "stream.jai"
    path.write_bytes(write_code_stream(stream))
    estimate, measured = _estimate_and_peak((path, conformance_bundle_path()), "bop", "float32", 1, mebibytes)
    assert 1.0 <= estimate / measured <= 1.5
    assert measured <= mebibytes << 20


@needs_conformance
@needs_proc
def test_the_estimate_of_hop_is_near_the_measured_peak(tmp_path: Path) -> None:
    bundle, path = conformance_bundle_path(), tmp_path / "stream.jai"
    path.write_bytes(_enlarged(CONFORMANCE / "streams" / "hop_128x96" / "stream.jai", bundle, 400, 320))
    estimate, measured = _estimate_and_peak((path, bundle), "hop", "float32", 1, 1000)
    assert 1.0 <= estimate / measured <= 1.5


def _estimate_and_peak(
    files: tuple[Path, Path],
    point: str,
    precision: str,
    threads: int,
    mebibytes: int,
    region: tuple[int, ...] = (),
    file_format: str = "ppm",
    factor: int = 1,
) -> tuple[int, int]:
    """Bytes above the idle interpreter: what the plan says, and the most that a fresh process had resident."""
    arguments = (*files, point, precision, threads, mebibytes << 20, file_format, factor, *region)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    estimate, measured = map(int, result.stdout.split())
    print(f"estimate {estimate / MEBI:.1f} MiB, peak {measured / MEBI:.1f} MiB")
    return estimate, measured


def test_decoding_does_not_import_openssl() -> None:
    """4 MB that nothing but its SHA-256 would need: see `hashing`."""
    code = "import sys, jpegai_mobile.bench.decode_once, jpegai_mobile.cli.decode; sys.exit('_hashlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_without_a_limit_nothing_is_refused(files: tuple[Path, Path]) -> None:
    stream, _ = files
    large = read_code_stream(stream.read_bytes())
    large.picture.img_width_minus64 = large.picture.img_height_minus64 = 10_000 - 64
    networks = PreparedBytes(20 << 20, 8 << 20)

    def plan(limit: int | None) -> DecodePlan:
        return plan_decode(large, 6_000_000, "bop", "float32", networks, limit)

    least = plan(None).bytes_needed
    assert DEFAULT_LIMIT < least < plan(NO_LIMIT).bytes_needed
    with pytest.raises(LimitExceeded):
        plan(DEFAULT_LIMIT)


@pytest.mark.parametrize(("size", "overlap"), [(1, 0), (32, 31)])
@pytest.mark.parametrize("height", [11584, 65535])
def test_planning_costs_little_for_tiles_of_any_size(height: int, size: int, overlap: int) -> None:
    """Half a million tiles, or tiles that overlap by most of their size, in a header of some bytes."""
    stream = read_code_stream(PHOTO.read_bytes())
    picture = stream.picture
    picture.img_height_minus64, picture.img_width_minus64 = height - 64, (1 << 27) // height - 64
    for component in picture.components:
        component.synthesis_tile_enable, component.synthesis_tile_size, component.synthesis_tile_overlap = (
            1,
            size,
            overlap,
        )
    start = time.process_time()
    plan_decode(stream, 1000, "bop", "float32", PreparedBytes(20 << 20, 8 << 20), None)
    assert time.process_time() - start < 2


def test_a_limit_that_is_too_small_is_refused(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    stream, bundle = files
    with pytest.raises(LimitExceeded, match=r"needs about \d+ MiB above the idle interpreter, the limit is 20 MiB"):
        Decoder(open_bundle(bundle)).reconstruct(stream.read_bytes(), DecodeOptions(memory_limit=20 << 20))
    output = str(stream.with_suffix(".png"))
    assert main(["decode", str(stream), output, "--bundle", str(bundle), "--memory-limit", "20MiB"]) == 1
    assert "the limit is 20 MiB" in capsys.readouterr().err
    assert not Path(output).exists()


@pytest.mark.parametrize(("text", "code"), [("64MiB", 0), ("0.5GB", 0), ("12parsecs", 2), ("", 2), ("MiB", 2)])
def test_sizes_on_the_command_line(text: str, code: int) -> None:
    from jpegai_mobile.cli.main import build_parser

    arguments = ["decode", "a.jai", "a.png", "--memory-limit", text]
    if code == 0:
        assert build_parser().parse_args(arguments).memory_limit in (64 << 20, 500_000_000)
    else:
        with pytest.raises(SystemExit):
            build_parser().parse_args(arguments)
