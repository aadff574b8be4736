"""The trainings that the shipped weights come from, and doing them again."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch (the `train` extra) is absent")

from PIL import Image  # noqa: E402

from converters.open_checkpoints import open_checkpoints  # noqa: E402
from tests.vectors import ROOT  # noqa: E402
from training import reproduce, train  # noqa: E402
from training.checkpoints import MODEL  # noqa: E402
from training.lineage import read_lineage  # noqa: E402
from training.recipe import Recipe  # noqa: E402
from training.shard import sha256_of  # noqa: E402

WEIGHTS = [str(ROOT / "weights" / name) for name in reproduce.PACKED]
SMALL_LINEAGE = """
photos = "photos.tsv"
[[trainings]]
name = "known"
shard = { crops = 4, side = 128, seed = 1 }
hours = 0.1
hardware = "a test"
[[trainings.runs]]
set = "batch=1 side=64 average_every=1 known_latents=true bfloat16=false"
parts = [{ steps = 2 }]
[[trainings]]
name = "joint"
shard = { crops = 4, side = 128, seed = 2 }
hours = 0.1
hardware = "a test"
[[trainings.runs]]
set = "batch=1 side=64 average_every=1 bfloat16=false warm_up_steps=1"
share = 0.5
parts = [{ steps = 4, pause = 1 }, { steps = 2, set = "learning_rate=1e-5" }]
[[trainings.runs]]
set = "batch=1 side=64 average_every=1 bfloat16=false seed=2"
share = 0.25
parts = [{ steps = 1 }]
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Photographs, and a lineage of two trainings on them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(3)
    for name in ("a.png", "b.png"):
        Image.fromarray(generator.integers(0, 256, (130, 140, 3)).astype(np.uint8)).save(folder / name)
    rows = "".join(f"{path.name}\t{sha256_of(path)}\n" for path in sorted(folder.iterdir()))
    (tmp_path / "photos.tsv").write_text(f"file\tsha256\n{rows}")
    (tmp_path / "lineage.toml").write_text(SMALL_LINEAGE)
    return [str(folder), str(tmp_path / "out"), "--start", *WEIGHTS, "--lineage", str(tmp_path / "lineage.toml")]


def test_every_training_is_done_again(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reproduce.main(arguments)
    last = tmp_path / "out" / "2_joint"
    assert capsys.readouterr().out.splitlines()[-2:] == [str(last / name) for name in reproduce.PACKED]
    states = [torch.load(last / run / train.CHECKPOINT, weights_only=True) for run in ("run1", "run2")]
    assert [state["step"] for state in states] == [2, 1]
    assert Recipe(**states[0]["recipe"]) == Recipe(
        batch=1, side=64, average_every=1, bfloat16=False, warm_up_steps=1, learning_rate=1e-5
    )
    before, between, after = (
        open_checkpoints(*(folder / name for name in reproduce.PACKED)).common("y", MODEL).tensors
        for folder in (ROOT / "weights", tmp_path / "out" / "1_known", last)
    )
    name = next(name for name in before if name.endswith(".weight") and before[name].dtype.kind == "f")
    assert not np.array_equal(before[name], between[name])
    assert not np.array_equal(between[name], after[name])
    assert not list((tmp_path / "out").glob("*/shard"))


def test_what_is_done_is_not_done_again(arguments: list[str], tmp_path: Path) -> None:
    reproduce.main(arguments)
    last = tmp_path / "out" / "2_joint"
    files = [last / name for name in reproduce.PACKED]
    expected = [path.read_bytes() for path in files]
    with patch.object(train, "main") as again:
        reproduce.main(arguments)
        assert not again.called
    # As if it had been stopped in the second run of the second training, before the weights were written.
    for path in files:
        path.unlink()
    shutil.rmtree(last / "run2")
    with patch.object(train, "main", wraps=train.main) as again:
        reproduce.main(arguments)
        assert again.call_count == 1
    assert [path.read_bytes() for path in files] == expected


def test_photographs_are_checked_first(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    photo = Path(arguments[0]) / "b.png"
    photo.write_bytes(b"another")
    with pytest.raises(SystemExit):
        reproduce.main(arguments)
    assert "b.png is not the photograph that photos.tsv lists" in capsys.readouterr().err
    photo.unlink()
    with pytest.raises(SystemExit):
        reproduce.main(arguments)
    assert "b.png is missing, which photos.tsv lists" in capsys.readouterr().err


def test_the_lineage_of_the_shipped_weights_is_sound() -> None:
    lineage = read_lineage(reproduce.LINEAGE)
    assert lineage.photos.is_file()
    for training in lineage.trainings:
        assert training.hours > 0
        for run in training.runs:
            recipe = Recipe().with_settings(run.set.split())
            for part in run.parts:
                recipe = recipe.with_settings(part.set.split())
            ends = [part.end for part in run.parts]
            assert ends == sorted(set(ends))
            assert run.parts[-1].pause is None
            assert 0 < run.share <= 1
