"""Progress and cancellation: what a listener is told, and that a decoder survives being stopped."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jpegai_mobile
from jpegai_mobile import Cancelled, DecodeOptions, Decoder, EncodeOptions, open_bundle
from jpegai_mobile.cli import progress_bar
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.runtime.memory_budget import DecodePlan, plan_decode
from jpegai_mobile.runtime.view import View

from .encoding import own_bundle_path, own_decoder, own_encoder, photo, random_picture
from .vectors import ROOT

PHOTO = ROOT / "examples" / "kodim07.jai"
WEIGHTS = str(ROOT / "weights" / "own_model1.zip")
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


def test_progress_ends_at_the_total() -> None:
    """Also where bands reach out of the region, and out of the displayed picture."""
    stream = read_code_stream(PHOTO.read_bytes())
    stream.picture.diff_display_img_width, stream.picture.diff_display_img_height = 40, 27
    displayed = stream.picture.display_size
    reconstruction = own_decoder().reconstruct(write_code_stream(stream), PATCHES)
    for region, size in ((None, displayed), (Rectangle(5, 7, 105, 107), (100, 100))):
        heard: list[tuple[int, int]] = []
        View(region).rgb(reconstruction, listener=lambda *told, heard=heard: heard.append(told))
        assert heard == sorted(heard) and heard[-1] == (size[0] * size[1],) * 2


@pytest.mark.parametrize("function", ["runtime.synthesis.from_raw", "runtime.model_networks.merge_phases"])
def test_a_decoder_that_was_interrupted_decodes_again(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the traceback lives on, as in an interactive session, and with it what was computed from."""

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    decoder, data = own_decoder(), PHOTO.read_bytes()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt) as held:
        patched.setattr(f"jpegai_mobile.{function}", interrupted)
        decoder.decode(data, PATCHES)
    assert decoder.decode(data, PATCHES).planes.size == (512, 768)
    assert held.tb


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 40},
        {"effort": 1, "chroma": (2, 2)},
        {"effort": 3, "quality": 60},
        {"bpp": 0.6},
        {"target_psnr": 28.0},
        {"regions": (2, 2), "region_overlap": 1},
    ],
)
def test_a_listener_hears_of_every_window_of_an_encode(options: dict[str, Any]) -> None:
    picture, heard = random_picture(500, 520, 3), list[tuple[int, int]]()
    choices = EncodeOptions(**options)
    encoded = own_encoder().encode(picture, choices, progress=lambda *told: heard.append(told))
    assert heard == sorted(heard) and len({total for _, total in heard}) == 1
    assert len({done for done, _ in heard}) > 8 and heard[-1][0] == heard[-1][1]
    if encoded.passes == 1:  # as many as there may be: nothing is left over to the end
        assert heard[-1][0] - heard[-2][0] < heard[-1][1] / 2
    assert own_encoder().encode(picture, choices).data == encoded.data


def test_an_encoder_that_was_stopped_encodes_again() -> None:
    expected = own_encoder().encode(photo()).data
    for calls in (1, 4, 7):
        told: list[int] = []

        def stop(done: int, total: int, told: list[int] = told, calls: int = calls) -> bool:
            told.append(done)
            return len(told) == calls

        with pytest.raises(Cancelled):
            jpegai_mobile.encode(photo().samples, own_bundle_path(), progress=stop)
        with pytest.raises(Cancelled):
            told.clear()
            own_encoder().encode(photo(), progress=stop)
        assert len(told) == calls
    assert own_encoder().encode(photo()).data == expected


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


def _errors(arguments: list[str], program: str = "jpegai_mobile.cli.main") -> bytes:
    """What a command writes to stderr where that is no terminal."""
    return _run(arguments, program, subprocess.PIPE).stderr


def _drawn(arguments: list[str], program: str = "jpegai_mobile.cli.main") -> bytes:
    """What a command writes to stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    _run(arguments, program, theirs)
    os.close(theirs)
    drawn = os.read(ours, 1 << 16)
    os.close(ours)
    return drawn


def _run(arguments: list[str], program: str, stderr: int) -> subprocess.CompletedProcess[bytes]:
    code = f"import sys; from {program} import main; from jpegai_mobile.cli import progress_bar; "
    code += "progress_bar.PATIENCE = progress_bar.INTERVAL = 0; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=stderr, check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["decode", str(PHOTO), "OUT.ppm", "--patch", "320"], b"decoding"),
        (["encode", str(ROOT / "examples" / "kodim07.jpg"), "OUT.jai", "--effort", "1"], b"encoding"),
    ],
)
def test_the_bar_is_for_terminals_only(arguments: list[str], title: bytes, tmp_path: Path) -> None:
    outputs = [tmp_path / f"{name}{Path(arguments[2]).suffix}" for name in "ab"]
    bundle = ["--bundle", str(own_bundle_path())]
    quiet, shown = ([*arguments[:2], str(output), *arguments[3:], *bundle] for output in outputs)
    assert _errors(quiet) == b""
    drawn = _drawn(shown)
    assert title + b" [####" in drawn and b"100 %" in drawn
    assert drawn.endswith(b"\r") and progress_bar.WIDTH > 10
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


@pytest.mark.parametrize(
    ("program", "arguments", "title"),
    [
        ("converters.cli", [WEIGHTS, "-o", "FOLDER/a.bundle", "--operating-points", "sop"], b"converting"),
        ("converters.cli", ["report", "BUNDLE"], b"looking into the bundle"),
        (
            "jpegai_mobile.cli.main",
            ["bench", str(PHOTO), "--bundle", "BUNDLE", "--operating-point", "sop", "--rounds", "1"],
            b"measuring",
        ),
    ],
)
def test_long_work_without_pictures_shows_a_bar_too(
    program: str, arguments: list[str], title: bytes, tmp_path: Path
) -> None:
    places = {"BUNDLE": str(own_bundle_path()), "FOLDER/a.bundle": str(tmp_path / "a.bundle")}
    words = [places.get(word, word) for word in arguments]
    assert _errors(words, program) == b""
    drawn = _drawn(words, program)
    assert title + b" [####" in drawn and b"100 %" in drawn and drawn.endswith(b"\r")
