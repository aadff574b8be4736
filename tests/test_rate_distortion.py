"""The rate-distortion evaluation: metrics against recorded values, curves, the table and the report made of it."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from benchmarks.line_chart import Line, Panel, line_chart
from benchmarks.rate_distortion import __main__ as command
from benchmarks.rate_distortion import table
from benchmarks.rate_distortion.codecs import LABELS, OURS, RATES, RIVALS, Rival, measure_ours, measure_rival
from benchmarks.rate_distortion.graphics import PICTURES, write_pictures
from benchmarks.rate_distortion.plots import STYLES, rate_distortion_plot
from benchmarks.rate_distortion.summary import BEST, Curves, report
from benchmarks.rate_distortion.table import Measurement
from picture_quality import metrics
from picture_quality.curves import bd_rate, decibels, quality_at, similarity

from .encoding import own_bundle_path, photo
from .vectors import ROOT

KODAK = ROOT.parent / "shared" / "data" / "kodak"
JPEG = RIVALS[0]

MS_SSIM, VIF, PSNR_HVS_M = 0.9795647076228254, 0.4534898731449661, 36.5298576
"""Of `noisy_pair`, by `training.quality` (PyTorch, float64), sewar 0.4.10 and psnr-hvsm 0.3.0."""
PCHIP = {0.12: 21.47001004369957, 0.25: 24.213201209396274, 0.5: 27.50146137382742, 1.0: 29.863748459316128}
"""Rate to quality between `PCHIP_POINTS`, by scipy.interpolate.PchipInterpolator over log(rate)."""
PCHIP_POINTS = [(0.1, 20.0), (0.2, 24.0), (0.35, 24.5), (0.7, 30.0), (1.4, 29.0)]


def noisy_pair() -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture of 179 x 182 pixels and one with noise, made without a random generator."""
    y, x, channel = np.mgrid[:179, :182, :3]
    picture = 127 + 90 * np.sin(x / 9 + channel) * np.cos(y / 13) + 30 * np.sin(x * y / 200)
    noise = 25 * np.sin(12.9898 * x + 78.233 * y + 37.719 * channel * x)
    return tuple(np.clip(np.round(each), 0, 255).astype(np.uint8) for each in (picture, picture + noise))


def test_metrics_equal_recorded_values_of_other_implementations() -> None:
    original, decoded = noisy_pair()
    assert metrics.ms_ssim(original, decoded) == pytest.approx(MS_SSIM, abs=1e-9)
    assert metrics.vif(metrics.luma(original), metrics.luma(decoded)) == pytest.approx(VIF, abs=1e-9)


def test_psnr_hvs_m_equals_the_recorded_value() -> None:
    if metrics.hvs_package() is None:
        pytest.skip("psnr-hvsm is not installed: pip install .[rivals]")
    original, decoded = map(metrics.luma, noisy_pair())
    assert metrics.psnr_hvs_m(original, decoded) == pytest.approx(PSNR_HVS_M, abs=1e-4)


def test_metrics_of_equal_and_of_unfit_pictures() -> None:
    picture, _ = noisy_pair()
    equal = metrics.compare(picture, picture)
    assert equal.psnr_rgb == equal.psnr_y == math.inf
    assert equal.ms_ssim == pytest.approx(1) == equal.vif
    assert metrics.psnr(np.zeros(4), np.full(4, 2.55)) == pytest.approx(40)
    with pytest.raises(ValueError, match="176"):
        metrics.ms_ssim(picture[:175], picture[:175])
    with pytest.raises(ValueError, match="cannot be compared"):
        metrics.compare(picture, picture[:, :180])


def test_ms_ssim_is_that_of_the_training() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install .[train]")
    from training.quality import MsSsim

    pair = noisy_pair()
    original, decoded = (torch.from_numpy(each).permute(2, 0, 1)[None].double() for each in pair)
    assert metrics.ms_ssim(*pair) == pytest.approx(float(MsSsim(original)(decoded)), abs=1e-9)


@pytest.mark.skipif(not KODAK.exists(), reason="../shared/data is absent")
def test_a_rival_gives_the_numbers_that_others_measured() -> None:
    """Rows of a table made elsewhere with the same settings and definitions."""
    with Image.open(KODAK / "kodim01.png") as image:
        picture = np.asarray(image.convert("RGB"))
    rows = {row.setting: row for row in measure_rival("kodim01.png", picture, replace(JPEG, qualities=(8, 85)))}
    for quality, size, rgb, y, ms_ssim in ((8, 15289, 24.065, 24.611, 0.89568), (85, 117406, 34.752, 35.551, 0.99416)):
        row = rows[quality]
        assert row.bytes == pytest.approx(size, rel=0.002)  # libjpeg versions differ by some bytes
        assert (row.psnr_rgb, row.psnr_y) == pytest.approx((rgb, y), abs=0.002)
        assert row.ms_ssim == pytest.approx(ms_ssim, abs=2e-5)


def test_interpolation_equals_recorded_values() -> None:
    points = PCHIP_POINTS
    for rate, expected in PCHIP.items():
        assert quality_at(points, rate) == pytest.approx(expected, abs=1e-9)
    assert quality_at(points, 1.4) == 29
    assert math.isnan(quality_at(points, 0.09)) and math.isnan(quality_at(points, 1.5))
    assert similarity(decibels(0.987)) == pytest.approx(0.987)


def test_bd_rate_of_known_curves() -> None:
    base = [(rate, 30 + 5 * math.log(rate)) for rate in (0.1, 0.3, 0.5, 1)]
    assert bd_rate(base, [(0.9 * rate, quality) for rate, quality in base]) == pytest.approx(-0.1)
    assert bd_rate(base, base[::-1]) == pytest.approx(0)
    # A point that costs more and is worse changes nothing.
    assert bd_rate(base, [*((1.2 * rate, q) for rate, q in base), (2.0, 20.0)]) == pytest.approx(0.2)
    # Only the shared qualities count.
    assert bd_rate(base[:2], [(2 * rate, quality) for rate, quality in base]) == pytest.approx(1)
    assert math.isnan(bd_rate(base, [(rate, quality + 100) for rate, quality in base]))
    assert math.isnan(bd_rate(base, base[:1]))


def made_up_rows() -> list[Measurement]:
    """Two pictures; ours needs 0.8 of JPEG's bits and is between WebP and AVIF; int8 loses 0.1 dB."""
    factors = {"jpeg": 1.25, "webp": 1.1, "avif": 0.9, "jpegai-bop-float32": 1.0, "jpegai-bop-int8": 1.0}
    return [
        Measurement(picture, codec, "1", rate, 100, rate * factor * hard, db, db + 1, similarity(db / 2), math.nan, 0.5)
        for picture, hard in (("easy.png", 1.0), ("hard.png", 1.02))
        for codec, factor in factors.items()
        for rate in (0.08, *RATES, 1.3)
        for db in [30 + 6 * math.log(rate) - 0.1 * (codec == "jpegai-bop-int8")]
    ]


def test_report_says_what_the_rows_say() -> None:
    rows = made_up_rows()
    text = report(rows)
    assert text.startswith(
        "Measured on 2 pictures; not all of them yet: SOP float32 (0), SOP int8 (0), JPEG 4:4:4 (0), "
    )
    assert ", WebP (1), " in report([r for r in rows if (r.codec, r.picture) != ("webp", "hard.png")])
    assert report([replace(rows[0], codec=name) for name in LABELS]).startswith("Measured on 1 pictures.\n")
    assert "| better than JPEG at every rate | yes |" in text
    assert "| better than WebP | yes |" in text
    assert "| better than AVIF in MS-SSIM | no |" in text
    assert "Highest step with all steps below it: **better than WebP**." in text
    assert "| BOP float32 | JPEG 4:2:0 | -20.0 % (2; " in text
    assert "+11.1 %" in text
    assert "| BOP | 0.100 (" in text
    assert "| decoder | metric | 0.12 to 0.25 | " in text
    assert "| BOP float32 | PSNR-RGB | 4.16 (easy 4.16) | " in text
    assert "PSNR-HVS-M" not in text, "a metric without values has no table"
    assert "| easy | " in text


def test_plot_has_a_panel_for_every_metric_with_values() -> None:
    rows = made_up_rows()
    assert {codec.name for codec in (*OURS, *RIVALS)} == set(STYLES)
    texts = [each.text for each in ElementTree.fromstring(rate_distortion_plot("a & b", Curves(rows))).iter()]
    assert "a & b: mean of 2 pictures" in texts and "MS-SSIM, dB" in texts and "BOP float32" in texts
    assert "PSNR-HVS-M, dB" not in texts


def test_lines_go_through_their_points() -> None:
    chart = line_chart("t", [Panel("p", "x", [Line("l", [(0, 0), (1, 10), (2, 20)], "#000", marks=True)])])
    marks = [each for each in ElementTree.fromstring(chart).iter() if each.tag.endswith("circle")]
    x, y = ([float(mark.attrib[key]) for mark in marks] for key in ("cx", "cy"))
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.11) and x[0] < x[1]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.11) and y[0] > y[1]


def test_table_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    rows = made_up_rows()
    table.write(path, rows)
    assert len(table.read(path)) == len(rows)
    first = table.read(path)[0]
    assert (first.picture, first.codec, first.setting, first.bytes) == ("easy.png", "avif", 0.08, 100)
    assert math.isnan(first.psnr_hvs_m)
    with path.open("a") as file:
        file.write("hard.png\tjpeg\t1\t0.5")
    assert len(table.read(path)) == len(rows), "a row that was cut off is left out"
    path.write_text("picture\tcodec\n")
    with pytest.raises(ValueError, match="columns"):
        table.read(path)


def test_graphics_are_the_same_every_time_and_large_enough(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == len(PICTURES) == 6
    for name, draw in PICTURES.items():
        with Image.open(tmp_path / f"{name}.png") as image:
            assert np.array_equal(np.asarray(image), np.asarray(draw()))
            assert min(image.size) >= metrics.SMALLEST_SIDE


def test_command_measures_what_is_missing_and_writes_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures, document = tmp_path / "set", tmp_path / "doc.md"
    pictures.mkdir()
    Image.fromarray(photo().samples[:176, :176]).save(pictures / "crop.png")
    document.write_text("Before.\n<!-- generated: set -->\nold\n<!-- end of set -->\nAfter.\n")
    arguments = [str(pictures), "--results", str(tmp_path), "--document", str(document), "--only", "jpeg"]
    command.main(arguments)
    rows = table.read(tmp_path / "rate_distortion_set.tsv")
    assert rows[-1].bpp > 1 > rows[-2].bpp and all(row.bytes > 0 and row.codec == "jpeg" for row in rows)
    text = document.read_text()
    assert text.startswith("Before.\n") and text.endswith("After.\n") and "old" not in text and "JPEG 4:2:0" in text
    assert ElementTree.parse(tmp_path / "rate_distortion_set.svg")
    assert "measured: jpeg\n" in (tmp_path / "rate_distortion_set.meta").read_text()
    assert "1 of 1" in capsys.readouterr().err
    command.main(arguments)
    assert "1 of 1" not in capsys.readouterr().err, "nothing is measured twice"
    notes = tmp_path / "rate_distortion_set.meta"
    before = "measured: webp, jpeg\ndate: 2026-11-24\ncommand: both"
    notes.write_text(f"{before}\n\nmeasured: jpeg\ndate: 2026-11-25\ncommand: one\n")
    command.main([*arguments, "--again"])
    first, last = notes.read_text().split("\n\n")
    assert first == before.replace(", jpeg", ""), "notes name the codecs whose rows are still of that run"
    assert last.startswith("measured: jpeg\n") and "command: one" not in last
    with pytest.raises(SystemExit):
        command.main([*arguments[:-1], "ours"])
    assert "--bundle" in capsys.readouterr().err
    Image.new("RGB", (175, 200)).save(pictures / "small.png")
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert "small.png jpeg: MS-SSIM needs 176 rows" in capsys.readouterr().err


def test_our_streams_through_the_public_interface() -> None:
    picture = photo().samples[:176, :192]
    rows = list(measure_ours("crop.png", picture, own_bundle_path(), 1, (0.5,), OURS[::2]))
    assert [row.codec for row in rows] == [BEST, "jpegai-sop-float32"]
    assert len({row.bytes for row in rows}) == 1 and rows[0].bpp == pytest.approx(0.5, rel=0.05)
    assert rows[0].psnr_rgb > 20 and rows[0].version.startswith("bundle ")


@pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: rival.name)
def test_a_rival_decodes_to_a_picture_of_the_same_size(rival: Rival) -> None:
    try:
        assert rival.version
    except ValueError as error:
        assert "[rivals]" in str(error)
        pytest.skip(str(error))
    picture = photo().samples[:50, :60]
    data = rival.encode(picture, rival.qualities[len(rival.qualities) // 2])
    assert rival.decode(data).shape == picture.shape
    assert isinstance(Image.open(io.BytesIO(data)).format, str)
