"""The scripts in benchmarks: other runtimes decode the same picture, notes name the command, plots are sound SVG."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import compare_runtimes, graph_operators, plot
from benchmarks.rivals.networks import RivalNetworks
from jpegai_mobile import DecodeOptions, Decoder, open_bundle

from .encoding import own_decoder_bundle_path
from .vectors import ROOT

WEIGHTS = ROOT / "weights" / "own_model1.zip"
PHOTO = ROOT / "examples" / "kodim07.jai"


@pytest.mark.parametrize("name", ["pytorch channels_last", "onnxruntime"])
def test_other_runtimes_decode_the_same_picture(name: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install .[bench]")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install .[bench]")
    with open_bundle(own_decoder_bundle_path("bop")) as bundle:
        decoder, data = Decoder(bundle), PHOTO.read_bytes()
        ours = decoder.reconstruct(data, DecodeOptions(num_threads=1)).networks
        make = compare_runtimes.session_of(name)
        compare_runtimes.check_pictures_are_equal(decoder, data, RivalNetworks(ours, WEIGHTS, make, 1), name)
        with pytest.raises(SystemExit, match="another picture"):
            wrong = RivalNetworks(ours, WEIGHTS, lambda *arguments: Doubled(make(*arguments)), 1)
            compare_runtimes.check_pictures_are_equal(decoder, data, wrong, name)


class Doubled:
    """A session that gives twice of what is right."""

    def __init__(self, real: object) -> None:
        self._real = real

    def run(self, inputs: object) -> object:
        return {name: 2 * values for name, values in self._real.run(inputs).items()}


def test_notes_hold_the_command_as_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "the table.tsv"
    arguments = [str(own_decoder_bundle_path()), "--precision", "float32", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["graph_operators.py", *arguments])
    capsys.readouterr()
    graph_operators.main()
    command = f"command: python -m benchmarks.graph_operators {shlex.join(arguments)}\n"
    assert output.with_suffix(".meta").read_text().startswith(command)
    assert capsys.readouterr().out == output.read_text()


@pytest.mark.parametrize("script", ["compare_runtimes", "gemm_share", "plot"])
def test_help_needs_no_other_runtime_and_writes_nothing(script: str) -> None:
    """Modules that are None in `sys.modules` cannot be imported; a plot that is written shows in its time."""
    code = "import runpy, sys; sys.modules.update(dict.fromkeys(['torch', 'onnx', 'onnxruntime'])); "
    code += f"sys.argv = ['-', '--help']; runpy.run_module('benchmarks.{script}', run_name='__main__')"
    written = [path.stat().st_mtime_ns for path in plot.RESULTS.glob("*.svg")]
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"usage: python -m benchmarks.{script}")
    assert [path.stat().st_mtime_ns for path in plot.RESULTS.glob("*.svg")] == written


def test_bars_are_as_long_as_their_values() -> None:
    chart = ElementTree.fromstring(plot.bar_chart("A < B", "ms", [("short & ours", 1.0, True), ("long", 4.0, False)]))
    bars = [each for each in chart.iter() if each.tag.endswith("rect")][1:]
    lengths = [float(bar.attrib["width"]) for bar in bars]
    assert lengths == [plot.LENGTH / 4, plot.LENGTH]
    assert bars[0].attrib["fill"] == plot.OURS != bars[1].attrib["fill"]
    texts = [each.text for each in chart.iter() if each.tag.endswith("text")]
    assert texts == ["A < B", "ms", "short & ours", "1", "long", "4"]
