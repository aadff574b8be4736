"""Training runs: the loss, resuming, data, export, and the measurement of a checkpoint."""

from __future__ import annotations

import csv
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch (the `train` extra) is absent")

from PIL import Image  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from converters.checkpoint import CheckpointTree  # noqa: E402
from converters.entropy_model import entropy_model  # noqa: E402
from converters.open_checkpoints import open_checkpoints  # noqa: E402
from converters.packed_checkpoint import pack as pack_checkpoints  # noqa: E402
from tests.vectors import ROOT  # noqa: E402
from training import evaluate, speed  # noqa: E402
from training.blend import blend  # noqa: E402
from training.checkpoints import MODEL, load_checkpoints, save_tree  # noqa: E402
from training.codec import Codec  # noqa: E402
from training.colour import rgb_to_yuv, yuv_to_rgb  # noqa: E402
from training.gradients import Gradients, RecordedGradients  # noqa: E402
from training.loss import batch_loss  # noqa: E402
from training.quality import MsSsim, psnr  # noqa: E402
from training.recipe import Recipe  # noqa: E402
from training.revival import revive_hyper_latents  # noqa: E402
from training.shard import Batch, Shard, pack, photos  # noqa: E402
from training.train import Length, Run, train  # noqa: E402
from training.train import main as train_command  # noqa: E402

TREE = ROOT.parent / "shared" / "weights" / "models"
KODAK = ROOT.parent / "shared" / "data" / "kodak"
CPU = torch.device("cpu")
SMALL = Recipe(batch=2, side=64, warm_up_steps=1)


@pytest.fixture(scope="module")
def shard() -> Shard:
    """Smooth random pictures."""
    generator = np.random.default_rng(1)
    coarse = generator.integers(0, 256, (6, 12, 12, 3)).astype(np.uint8)
    pictures = [np.asarray(Image.fromarray(picture).resize((96, 96), Image.Resampling.BICUBIC)) for picture in coarse]
    return Shard(torch.from_numpy(np.stack(pictures)))


@pytest.fixture(scope="module")
def picture(shard: Shard) -> torch.Tensor:
    """YUV [1, 3, 75, 90]."""
    return rgb_to_yuv(shard.crops[:1, :75, :90].permute(0, 3, 1, 2).float())


def _steps(run: Run, shard: Shard, count: int) -> None:
    for _ in range(count):
        run.train_step(shard)


def _same(a: Codec, b: Codec) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_a_resumed_run_continues_to_the_bit(shard: Shard, tmp_path: Path) -> None:
    whole = Run.start(SMALL, CPU, None, shard)
    _steps(whole, shard, 6)
    first = Run.start(SMALL, CPU, None, shard)
    _steps(first, shard, 3)
    first.save(tmp_path / "run.pt")
    second = Run.resume(tmp_path / "run.pt", CPU)
    assert not _same(second.codec, whole.codec)
    _steps(second, shard, 3)
    assert second.step == whole.step
    assert second.norms == whole.norms
    assert _same(second.codec, whole.codec)
    assert _same(second.average.module, whole.average.module)


@pytest.mark.parametrize(("z_model", "hyper"), [(10.0, 1.0), (10.0, 0.5), (1.0, 1.0)])
def test_a_resumed_run_takes_the_speeds_that_are_set(
    z_model: float, hyper: float, shard: Shard, tmp_path: Path
) -> None:
    first = Run.start(SMALL, CPU, None, shard)
    _steps(first, shard, 1)
    first.save(tmp_path / "first.pt")
    second = Run.resume(tmp_path / "first.pt", CPU, [f"z_model_speed={z_model}", f"hyper_speed={hyper}"])
    second.save(tmp_path / "second.pt")
    for run in (second, Run.resume(tmp_path / "second.pt", CPU)):
        assert {group["speed"] for group in run.optimiser.param_groups} == {1.0, z_model, hyper}
        for mine, others in zip(run.codec.parameters(), first.codec.parameters(), strict=True):
            torch.testing.assert_close(run.optimiser.state[mine], first.optimiser.state[others], rtol=0, atol=0)


def test_seeds_differ(shard: Shard) -> None:
    assert not _same(Codec(1), Codec(2))
    assert _same(Codec(1), Codec(1))


def test_training_lowers_the_loss(shard: Shard) -> None:
    run = Run.start(SMALL, CPU, None, shard)
    losses = [run.train_step(shard)[0].total.item() for _ in range(24)]
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])


def test_a_run_ends_and_leaves_log_and_checkpoint(shard: Shard, tmp_path: Path) -> None:
    run = Run.start(SMALL, CPU, None, shard)
    run.step = 47
    train(run, shard, tmp_path, Length(50, None), 1e9)
    assert (run.step, run.progress) == (50, 1.0)
    with (tmp_path / "log.tsv").open(newline="") as file:
        row = list(csv.DictReader(file, delimiter="\t"))[-1]
    assert row["step"] == "50"
    assert float(row["bpp"]) > 0
    assert Run.resume(tmp_path / "run.pt", CPU).step == 50


def test_a_deadline_in_the_past_ends_a_run_after_one_step(shard: Shard, tmp_path: Path) -> None:
    run = Run.start(SMALL, CPU, None, shard)
    train(run, shard, tmp_path, Length(None, 0.0), 1e9)
    assert (run.step, run.progress) == (1, 1.0)


def test_wild_gradients_are_skipped(shard: Shard) -> None:
    run = Run.start(SMALL, CPU, None, shard)
    run.norms = [1e-9] * 101
    before = [parameter.clone() for parameter in run.codec.parameters()]
    run.train_step(shard)
    assert run.skipped == 1
    assert all(torch.equal(a, b) for a, b in zip(before, run.codec.parameters(), strict=True))


def test_sop_decoders_do_not_pull_at_the_encoder(picture: torch.Tensor) -> None:
    codec = Codec(3)
    loss = batch_loss(codec, Recipe(), picture, torch.zeros(1, 1, 1, 1), 1.0)
    luma, chroma = loss.errors["sop"]
    (luma + chroma).backward()
    touched = {name for name, parameter in codec.named_parameters() if parameter.grad is not None}
    assert touched
    assert all("syntheses.sop" in name for name in touched)


def test_similarity_changes_the_gradient_and_not_the_value() -> None:
    codec = Codec(3)
    picture = rgb_to_yuv(255 * torch.rand(2, 3, 176, 176, generator=torch.Generator().manual_seed(1)))

    def value_and_gradient(recipe: Recipe) -> tuple[float, torch.Tensor]:
        torch.manual_seed(1)
        codec.zero_grad()
        loss = batch_loss(codec, recipe, picture, torch.zeros(2, 1, 1, 1), 1.0).total
        loss.backward()
        gradient = codec.component("y").synthesis("bop").parameter("conv4.weight").grad
        assert gradient is not None
        return loss.item(), gradient.clone()

    value, gradient = value_and_gradient(Recipe())
    same_value, mixed = value_and_gradient(Recipe(similarity_share=0.5))
    assert same_value == pytest.approx(value, rel=1e-5)
    assert (mixed - gradient).norm() > 0.01 * gradient.norm()


class _Operations(TorchDispatchMode):
    """Names of all operations that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):  # type: ignore[no-untyped-def]
        self.names.add(function.name())
        return function(*arguments, **(keywords or {}))


def test_nothing_of_a_step_waits_for_its_own_results_or_brings_in_numbers() -> None:
    """So that it can be recorded as a CUDA graph, which is only there where a GPU is."""
    codec = Codec(3)
    gradients = Gradients(codec, Recipe(batch=1, side=176, similarity_share=0.3))
    rgb = 255 * torch.rand(1, 3, 176, 176)
    with _Operations() as operations:
        gradients(Batch(rgb, None), torch.ones(()), int8=True)
    forbidden = {"aten::_local_scalar_dense", "aten::nonzero", "aten::lift_fresh", "aten::is_nonzero"}
    assert "aten::convolution_backward" in operations.names
    assert not operations.names & forbidden


def test_a_recording_counts_no_hyper_latents_of_its_warm_up(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    """With streams that do not exist and a graph that computes while it is recorded."""
    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name in ("Stream", "current_stream", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, lambda: stream)
    for name in ("stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, lambda it: nullcontext())
    recipe = Recipe(batch=1, side=64)
    batch = shard.batch(1, 64, np.random.default_rng(1))
    plain, recorded = Codec(3), Codec(3)
    Gradients(plain, recipe)(batch, 1.0, int8=False)
    RecordedGradients(recorded, recipe)._record(batch, False)
    for mine, expected in zip(recorded.buffers(), plain.buffers(), strict=True):
        assert torch.equal(mine, expected)


def test_speed_compares_and_times_steps(
    shard: Shard, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "crops.npy", shard.crops.numpy())
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    with patch.object(Gradients, "_compute", autospec=True, side_effect=Gradients._compute) as compute:
        speed.main([str(tmp_path), "--steps", "1", "--set", "batch=1", "side=64", "int8_share=1e-9"])
    kinds = {call.args[-1] for call in compute.call_args_list}
    assert kinds == {False, True}, "a rare kind of step is recorded before steps are timed, not among them"
    lines = capsys.readouterr().out.splitlines()
    compared = [line.split() for line in lines[1 : 1 + speed.COMPARED_STEPS]]
    assert all(line[:2] == line[2:] for line in compared)
    assert [line.partition(":")[0] for line in lines[-2:]] == ["as trained", "plain"]


def test_speed_times_steps_on_known_latents(shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "crops.npy", shard.crops.numpy())
    for name, channels in (("latents_y", 160), ("latents_uv", 96)):
        np.save(tmp_path / f"{name}.npy", np.zeros((len(shard.crops), 6, 6, channels), np.float16))
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    with patch.object(Codec, "analyse", side_effect=AssertionError("latents are known")):
        speed.main([str(tmp_path), "--steps", "1", "--set", "batch=1", "side=64", "known_latents=true"])


def test_coded_and_shown_values_are_not_rounded_to_bfloat16(picture: torch.Tensor) -> None:
    codec = Codec(3).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        latents = codec.analyse(picture)
        shown = codec.decode(latents, "bop", (75, 90))
    for values in (*latents, shown):
        assert (values.bfloat16().float() != values).float().mean() > 0.9


def test_windows_are_what_the_crops_hold() -> None:
    crops = (torch.arange(2 * 8 * 8 * 3) % 251).to(torch.uint8).reshape(2, 8, 8, 3)
    windows = Shard(crops).batch(40, 4, np.random.default_rng(1)).rgb
    assert windows.shape == (40, 3, 4, 4)
    places = [crop[row : row + 4, column : column + 4] for crop in crops for row in range(5) for column in range(5)]
    plain = {tuple(place.permute(2, 0, 1).flatten().tolist()) for place in places}
    mirrored = {tuple(place.flip(1).permute(2, 0, 1).flatten().tolist()) for place in places}
    found = {tuple(window.int().flatten().tolist()) for window in windows}
    assert found <= plain | mirrored
    assert found & plain
    assert found & mirrored


def test_settings_replace_hyperparameters_and_nothing_else() -> None:
    changed = SMALL.with_settings(["bfloat16=false", "learning_rate=1e-3", "side=96"])
    assert changed == Recipe(batch=2, side=96, warm_up_steps=1, bfloat16=False, learning_rate=1e-3)
    for wrong, message in (
        ("sides=96", "sides is no hyperparameter"),
        ("side=wide", "side is a whole number, not 'wide'"),
        ("hold=long", "hold is a number, not 'long'"),
        ("bfloat16=no", "bfloat16 is true or false, not 'no'"),
        ("hold=1", "hold is at least 0 and below 1, not 1.0"),
        ("z_rate_free=0.5", "z_rate_free is at least 0 and below 0.5, not 0.5"),
        ("warm_up_steps=0", "warm_up_steps is at least 1, not 0"),
        ("similarity_share=0.3", "similarity_share needs a side of at least 176, not 64"),
    ):
        with pytest.raises(ValueError) as caught:
            SMALL.with_settings([wrong])
        assert str(caught.value) == message


def test_a_run_goes_on_with_another_recipe_and_length(shard: Shard, tmp_path: Path) -> None:
    train(Run.start(SMALL, CPU, None, shard), shard, tmp_path, Length(5, None, pause=1), 1e9)
    run = Run.resume(tmp_path / "run.pt", CPU, ["similarity_share=0.5", "side=192"])
    with pytest.raises(ValueError):  # the crops of this shard are smaller than that
        train(run, shard, tmp_path, Length(2, None), 1e9)
    run = Run.resume(tmp_path / "run.pt", CPU, ["hold=0.9"])
    train(run, shard, tmp_path, Length(2, None), 1e9)
    assert (run.step, run.progress, run.recipe) == (2, 1.0, SMALL.with_settings(["hold=0.9"]))


def test_a_resumed_run_refuses_what_does_not_go_with_its_recipe(
    shard: Shard, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    Run.start(SMALL, CPU, None, shard).save(tmp_path / "run.pt")
    with pytest.raises(SystemExit):
        train_command(["absent shard", str(tmp_path), "--steps", "2", "--set", "similarity_share=0.3"])
    assert "error: similarity_share needs a side of at least 176, not 64" in capsys.readouterr().err


def test_recipe_schedule() -> None:
    recipe = Recipe(learning_rate=1e-3, final_learning_rate=1e-5, warm_up_steps=10, hold=0.5)
    assert recipe.learning_rate_at(0, 0) == pytest.approx(1e-4)
    assert recipe.learning_rate_at(100, 0.5) == pytest.approx(1e-3)
    assert recipe.learning_rate_at(100, 1) == pytest.approx(1e-5)
    assert Recipe().z_rate_share_at(0) == 1
    shares = [Recipe(z_rate_free=0.1).z_rate_share_at(progress) for progress in (0, 0.1, 0.3, 0.5, 1)]
    assert shares == pytest.approx([0, 0, 0.5, 1, 1])


def test_pack_is_repeatable_and_keeps_held_out_photos_apart(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    generator = np.random.default_rng(1)
    for number in range(60):
        pixels = np.full((40, 50, 3), number, np.uint8)
        Image.fromarray(pixels).save(source / f"{number:02d}.png")
    for name in ("a", "b"):
        pack(source, tmp_path / name, 100, 32, seed=7)
    shard, again = Shard.open(tmp_path / "a"), Shard.open(tmp_path / "b")
    assert torch.equal(shard.crops, again.crops)
    held_out = {int(path.stem) for path in photos(source, held_out=True)}
    assert held_out
    assert not held_out & set(shard.crops.unique().tolist())
    assert len(photos(source, held_out=False)) + len(held_out) == 60
    batch = shard.batch(5, 16, generator)
    assert batch.rgb.shape == (5, 3, 16, 16)
    with (tmp_path / "a" / "photos.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert sum(int(row["crops"]) for row in rows) == 100
    assert {row["role"] for row in rows} == {"trained on", "held out"}


def test_colour_conversions_are_inverse_and_those_of_the_codec() -> None:
    from jpegai_mobile.image.colour import rgb_to_yuv as reference

    rgb = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    tensor = torch.from_numpy(rgb).permute(2, 0, 1).unsqueeze(0).float()
    yuv = rgb_to_yuv(tensor)
    planes = reference(rgb, 8)
    np.testing.assert_allclose(yuv[0].numpy(), np.stack((planes.y, planes.u, planes.v)), atol=1e-3)
    torch.testing.assert_close(yuv_to_rgb(yuv), tensor, rtol=0, atol=1e-3)


def test_quality_of_equal_and_of_different_pictures() -> None:
    picture = torch.rand(1, 3, 176, 176, generator=torch.Generator().manual_seed(1)) * 255
    assert MsSsim(picture)(picture).item() == pytest.approx(1, abs=1e-5)
    assert psnr(picture, picture) == float("inf")
    assert psnr(picture, picture + 255 / 100) == pytest.approx(40, abs=1e-3)
    worse = [MsSsim(picture)(picture + noise * torch.randn_like(picture)).item() for noise in (5, 20, 60)]
    assert 1 > worse[0] > worse[1] > worse[2] > 0
    with pytest.raises(ValueError, match="176"):
        MsSsim(picture[..., :175])


def test_revived_hyper_latents_are_alive_and_change_nothing_else(picture: torch.Tensor) -> None:
    codec = Codec(1).eval()
    with torch.no_grad():
        for component in codec.components.values():
            component.hyper_encoder.parameter("hyper_encoder.conv5.weight")[3:] = 0
    beta = torch.zeros(1, 1, 1, 1)
    with torch.no_grad():
        before = codec.encode(picture, beta)
    count = revive_hyper_latents(codec, picture, 0.7, seed=1)
    assert 93 + 157 <= count <= 96 + 160
    with torch.no_grad():
        after = codec.encode(picture, beta)
    for old, new in zip(before, after, strict=True):
        assert new.z[:, 3:].std((0, 2, 3)) == pytest.approx(0.7, abs=0.01)
        assert new.z[:, 3:].mean((0, 2, 3)) == pytest.approx(0, abs=0.01)
        torch.testing.assert_close(new.index, old.index, rtol=0, atol=0)
        torch.testing.assert_close(new.latent, old.latent, rtol=0, atol=1e-5)


def test_export_reads_back_as_the_same_codec(picture: torch.Tensor, tmp_path: Path) -> None:
    codec = Codec(4).eval()
    codec.component("y").gain_vector[:, 0] = torch.linspace(-1, 1, 160)
    save_tree(codec, tmp_path / "tree", None)
    tree = CheckpointTree(tmp_path / "tree")
    assert tree.models == (MODEL,)
    again = Codec(5).eval()
    load_checkpoints(again, tree)
    packed = tmp_path / "packed.zip"
    packed.write_bytes(pack_checkpoints(tree, [MODEL], ["sop", "bop"], "", ["decoder", "encoder"]))
    from_pack = Codec(6).eval()
    load_checkpoints(from_pack, open_checkpoints(packed))
    assert _same(from_pack, again)
    for key, value in codec.state_dict().items():
        stored = again.state_dict()[key]
        if "z_model" not in key and "scale_decoder" not in key:
            torch.testing.assert_close(stored, value, rtol=1e-3, atol=1e-4, msg=key)
    tables = entropy_model(tree.common("y", MODEL), tree.common("uv", MODEL))
    for name, component in zip(("y", "uv"), tables.components, strict=True):
        for mine, stored in zip(
            codec.component(name).scale_decoder.integers(), component.hyper_scale_decoder, strict=True
        ):
            np.testing.assert_array_equal(mine.weight, stored.weight)
            np.testing.assert_array_equal(mine.bias, stored.bias)
            np.testing.assert_array_equal(mine.shift, stored.shift)
    save_tree(again, tmp_path / "second", tree)
    second = CheckpointTree(tmp_path / "second")
    for name in ("y", "uv"):
        for key, value in tree.common(name, MODEL).tensors.items():
            if "freqs" not in key:
                np.testing.assert_array_equal(second.common(name, MODEL).tensors[key], value)


def test_a_blend_adds_shares_of_what_runs_changed() -> None:
    start, blended, first, second = (Codec(seed) for seed in (1, 1, 2, 3))
    first.component("y").gain_vector[:, 0] = 1
    blend(blended, [(first, 0.5), (second, 0.25)])
    key = "components.y.syntheses.bop.conv4/weight"
    begun, one, other = (codec.state_dict()[key] for codec in (start, first, second))
    torch.testing.assert_close(blended.state_dict()[key], begun + 0.5 * (one - begun) + 0.25 * (other - begun))
    torch.testing.assert_close(blended.component("y").gain_vector[:, 0], torch.full((160,), 2 / 3))


def test_evaluation_takes_packed_files(shard: Shard, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(shard.crops[0].numpy()).resize((176, 176)).save(tmp_path / "picture.png")
    weights = [str(ROOT / "weights" / name) for name in ("own_model1.zip", "own_model1_encoder.zip")]
    evaluate.main([*weights, "--pictures", str(tmp_path), "--betas", "0"])
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines(), delimiter="\t"))
    assert [row["operating_point"] for row in rows] == ["sop", "bop"]
    assert all(float(row["psnr_rgb"]) > 25 for row in rows)


@pytest.mark.skipif(not (TREE.exists() and KODAK.exists()), reason="../shared/weights or ../shared/data is absent")
def test_evaluation_agrees_with_the_reference_software(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main([str(TREE), "--pictures", str(KODAK / "kodim15.png"), "--betas", "0"])
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines(), delimiter="\t"))
    with (TREE.parent / "rd_kodak.tsv").open(newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        (reference,) = (
            line
            for line in table
            if (line["picture"], line["op"], line["beta"]) == ("kodim15", row["operating_point"], "0")
        )
        assert float(row["bpp"]) == pytest.approx(float(reference["bpp"]), abs=0.0015)
        assert float(row["psnr_rgb"]) == pytest.approx(float(reference["psnr_rgb"]), abs=0.01)
        assert float(row["psnr_y"]) == pytest.approx(float(reference["psnr_y"]), abs=0.01)
        assert float(row["ms_ssim"]) == pytest.approx(float(reference["ms_ssim"]), abs=1e-4)
