"""Progress and cancellation: what a listener is told, and that a decoder survives being stopped."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import jpegai_mobile
from jpegai_mobile import Cancelled, DecodeOptions, Decoder, open_bundle
from jpegai_mobile.cli import progress_bar
from jpegai_mobile.runtime.memory_budget import DecodePlan, plan_decode
from jpegai_mobile.runtime.view import View

from .encoding import own_bundle_path
from .vectors import ROOT

PHOTO = ROOT / "examples" / "kodim07.jai"
SAMPLES = 768 * 512
PATCHES = DecodeOptions(operating_point="sop", patch=(20, 20))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_listener_hears_of_every_patch(threads: int) -> None:
    heard: list[tuple[int, int]] = []
    options = DecodeOptions(operating_point="sop", patch=(20, 20), num_threads=threads)
    jpegai_mobile.decode(PHOTO.read_bytes(), own_bundle_path(), options, progress=lambda *told: heard.append(told))
    assert len(heard) > 4 and heard == sorted(heard)
    assert heard[-1] == (SAMPLES, SAMPLES) and {total for _, total in heard} == {SAMPLES}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_decoder_that_was_stopped_decodes_again(threads: int) -> None:
    data = PHOTO.read_bytes()
    options = DecodeOptions(operating_point="sop", patch=(20, 20), num_threads=threads)
    with open_bundle(own_bundle_path()) as bundle:
        decoder, calls = Decoder(bundle), []
        expected = decoder.decode(data, options).planes

        def stop(done: int, total: int) -> bool:
            calls.append(done)
            return len(calls) == 2

        with pytest.raises(Cancelled, match=f"of {SAMPLES} samples"):
            decoder.decode(data, options, stop)
        assert len(calls) == 2
        with pytest.raises(ZeroDivisionError):
            decoder.decode(data, options, lambda done, total: 1 // 0)
        assert np.array_equal(decoder.decode(data, options).planes.v, expected.v)


def test_networks_of_one_stage_at_a_time_give_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    data = PHOTO.read_bytes()
    with open_bundle(own_bundle_path()) as bundle:
        expected = View().rgb(Decoder(bundle).reconstruct(data, PATCHES))

        def lean(*arguments: object) -> DecodePlan:
            plan = plan_decode(*arguments)  # type: ignore[arg-type]
            return replace(plan, lean=True)

        monkeypatch.setattr("jpegai_mobile.runtime.decoder.plan_decode", lean)
        reconstruction = Decoder(bundle).reconstruct(data, PATCHES)
        networks, most = reconstruction.networks, set()
        samples = View().rgb(reconstruction, listener=lambda *_: most.add(frozenset(networks.prepared())))
        assert np.array_equal(samples, expected)
        assert most == {frozenset(["synthesis"])}


def _decode_with_stderr(stderr: int | None, output: Path) -> subprocess.CompletedProcess[bytes]:
    code = "import sys; from jpegai_mobile.cli import main, progress_bar; progress_bar.PATIENCE = 0; "
    code += "progress_bar.INTERVAL = 0; sys.exit(main.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "decode", str(PHOTO), str(output), "--bundle", str(own_bundle_path())]
    return subprocess.run([*command, "--patch", "320"], stderr=stderr or subprocess.PIPE, check=True, cwd=ROOT)


def test_the_bar_is_for_terminals_only(tmp_path: Path) -> None:
    quiet = _decode_with_stderr(None, tmp_path / "a.ppm")
    assert quiet.stderr == b""
    ours, theirs = pty.openpty()
    _decode_with_stderr(theirs, tmp_path / "b.ppm")
    os.close(theirs)
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    assert b"decoding [####" in shown and b"100 %" in shown
    assert shown.endswith(b"\r") and progress_bar.WIDTH > 10
    assert (tmp_path / "a.ppm").read_bytes() == (tmp_path / "b.ppm").read_bytes()
