"""State dict files: sound ones give their numbers, everything else is refused by name and runs nothing."""

from __future__ import annotations

import io
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.state_dict import parse_state_dict, read_file
from jpegai_mobile.errors import BundleError
from tests.torch_archive import STORAGE_NAMES, Archive, Global, OrderedDict, Reduce, Tensor, pickled

WEIGHT = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def parse(archive: Archive) -> dict[str, np.ndarray]:
    return parse_state_dict(bytes(archive), "model.pth")


def refusal(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        parse_state_dict(data, "model.pth")
    message = str(caught.value)
    assert message.startswith("model.pth: ")
    assert "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize("name", STORAGE_NAMES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4, 1)])
def test_every_type_and_shape_comes_back(name: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(name)
    read = parse(Archive({"layer.weight": array}))["layer.weight"]
    assert read.dtype == array.dtype and read.shape == shape
    assert np.array_equal(read, array)


def test_strides_and_offsets_select_from_the_storage() -> None:
    storage = np.arange(40, dtype=np.float32)
    tensor = Tensor(storage, offset=3, size=(2, 3, 4), stride=(12, 1, 3))
    read = parse(Archive({"w": tensor}))["w"]
    expected = [[[3 + 12 * a + b + 3 * c for c in range(4)] for b in range(3)] for a in range(2)]
    assert np.array_equal(read, expected)
    assert read.flags.c_contiguous


def test_the_archive_name_does_not_matter() -> None:
    assert parse(Archive({"w": WEIGHT}, prefix="decoder Y_0.012"))["w"].shape == WEIGHT.shape


def test_ordered_dicts_and_parameters_are_understood_and_other_entries_left_out() -> None:
    described = Tensor(WEIGHT).described("0")
    parameter = Reduce(Global("torch._utils _rebuild_parameter"), (described, True, OrderedDict({}, {})))
    entries = OrderedDict({"w": parameter, "epoch": 3, "loss": [0.5]}, {"_metadata": {"": {"version": 1}}})
    read = parse(Archive({"unused": WEIGHT}, pickle=pickled(entries)))
    assert list(read) == ["w"]
    assert np.array_equal(read["w"], WEIGHT)


class MakesFolder:
    """Its pickle makes a folder when it is executed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", [lambda bomb: bomb, lambda bomb: {"w": bomb}, lambda bomb: {"w": [(bomb,)]}])
def test_a_foreign_pickle_runs_nothing(protocol: int, wrap: Callable[[object], object], tmp_path: Path) -> None:
    folder = tmp_path / "made"
    foreign = pickle.dumps(wrap(MakesFolder(folder)), protocol)
    refusal(bytes(Archive({}, pickle=foreign)))
    refusal(foreign)
    assert not folder.exists()
    pickle.loads(foreign)
    assert folder.exists(), "the pickle of this test must be a live one"


def test_a_call_of_something_else_is_named() -> None:
    call = pickled({"w": Reduce(Global("os system"), ("true",))})
    assert "tensor 'w'" in refusal(bytes(Archive({}, pickle=call)))
    assert "'os system'" in refusal(bytes(Archive({}, pickle=call)))


FORGED_TENSORS = {
    "reaches past its storage of 24 elements": [
        Tensor(WEIGHT, size=(2, 3, 5)),
        Tensor(WEIGHT, offset=1),
        Tensor(WEIGHT, stride=(13, 4, 1)),
        Tensor(WEIGHT, offset=25, size=(0,), stride=(1,)),
        Tensor(WEIGHT, size=(1 << 20, 1 << 20), stride=(0, 0)),
        Tensor(WEIGHT, size=(25,), stride=(0,)),
    ],
    "has an impossible layout": [
        Tensor(WEIGHT, offset=-1),
        Tensor(WEIGHT, size=(-2, 3, 4)),
        Tensor(WEIGHT, stride=(-12, 4, 1)),
        Tensor(WEIGHT, size=(2, 3), stride=(12, 4, 1)),
        Tensor(WEIGHT, size=(1 << 2000,), stride=(1,)),
        Tensor(WEIGHT, size=(1,) * 9, stride=(1,) * 9),
        Tensor(WEIGHT, size=("2", 3, 4)),
    ],
    "its storage has 96 bytes, not": [
        Tensor(WEIGHT, count=25),
        Tensor(WEIGHT, count=1 << 60),
        Tensor(WEIGHT, storage_type="torch DoubleStorage"),
    ],
    "has elements of unknown type": [Tensor(WEIGHT, storage_type="torch QInt8Storage")],
    "holds a NaN or an infinity": [
        Tensor(np.array([1, np.nan, 2], np.float32)),
        Tensor(np.array([-np.inf], np.float16)),
    ],
    "holds truth values other than 0 and 1": [
        Tensor(np.array([0, 2], np.uint8), storage_type="torch BoolStorage"),
    ],
}


@pytest.mark.parametrize(
    ("reason", "tensor"),
    [(reason, tensor) for reason, tensors in FORGED_TENSORS.items() for tensor in tensors],
)
def test_a_forged_tensor_is_named(reason: str, tensor: Tensor) -> None:
    message = refusal(bytes(Archive({"good": WEIGHT, "layer.weight": tensor})))
    assert "tensor 'layer.weight'" in message
    assert reason in message


def test_shared_storages_cannot_multiply_memory() -> None:
    column = np.zeros(1 << 20, np.int8)
    copy = Tensor(column, size=(1 << 10, 1 << 10), stride=(1, 1 << 10)).described("0")
    archive = Archive({"w": column}, pickle=pickled({f"copy{n}": copy for n in range(1000)}))
    data = bytes(archive)
    tracemalloc.start()
    assert "larger than the file" in refusal(data)
    assert tracemalloc.get_traced_memory()[1] < 8 * len(data)
    tracemalloc.stop()


def test_compressed_records_are_refused_before_they_are_unpacked() -> None:
    data = bytes(Archive({"w": np.zeros(1 << 22, np.float32)}, compression=zipfile.ZIP_DEFLATED))
    assert "is compressed" in refusal(data)


def test_overlapping_records_are_refused() -> None:
    archive = bytes(Archive({"w": np.zeros(1000, np.float32)}))
    directory = archive.rindex(b"archive/data/0") - 46
    end = archive.rindex(b"PK\5\6")
    entry = archive[directory:end]
    copies = [entry.replace(b"archive/data/0", b"archive/data/%d" % n) for n in range(1, 10)]
    size = int.from_bytes(archive[end + 12 : end + 16], "little") + sum(map(len, copies))
    count = (int.from_bytes(archive[end + 10 : end + 12], "little") + len(copies)).to_bytes(2, "little")
    tail = archive[end : end + 8] + count + count + size.to_bytes(4, "little") + archive[end + 16 :]
    forged = archive[:end] + b"".join(copies) + tail
    assert "overlap" in refusal(forged)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (Archive({"w": WEIGHT}, records={"byteorder": b"big"}), "little endian"),
        (Archive({"w": WEIGHT}, records={"more/data.pkl": b""}, prefix="a/b"), "data.pkl"),
        (Archive({}, pickle=pickled((1, 2))), "not a state dict"),
        (Archive({}, pickle=pickled({"w": Tensor(WEIGHT).described("7")})), "record 'data/7' is missing"),
        (Archive({}, pickle=b"\x80\x02]"), "damaged pickle"),
        (Archive({}, pickle=b"\x80\x02}(X\x01\x00\x00\x00w]u"), "damaged pickle"),
        (Archive({}, pickle=b"\x80\x02u."), "SETITEMS at byte 2"),
        (Archive({}, pickle=b"\x80\x02(."), "not a state dict"),
        (Archive({}, pickle=b"\x80\x02" + b"N" * (1 << 20) + b"."), "its pickle is larger"),
        (Archive({}, records={f"data/{n}": b"" for n in range(10_000)}), "more than 10000 records"),
        (Archive({}, pickle=b"\x80\x02j\xff\xff\xff\xff."), "LONG_BINGET"),
    ],
)
def test_a_forged_archive_is_refused(archive: Archive, reason: str) -> None:
    assert reason in refusal(bytes(archive))


def test_a_large_memo_index_costs_nothing() -> None:
    harmless = b"\x80\x02}r\xff\xff\xff\xff."
    assert parse(Archive({}, pickle=harmless)) == {}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_record_twice_is_refused() -> None:
    data = io.BytesIO(bytes(Archive({"w": WEIGHT})))
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("archive/data/0", b"other")
    assert "appears twice" in refusal(data.getvalue())


def test_every_truncation_is_refused() -> None:
    data = bytes(Archive({"w": WEIGHT, "b": WEIGHT[0]}))
    for length in range(len(data)):
        refusal(data[:length])


DAMAGED = bytes(Archive({"layer.weight": WEIGHT, "count": np.array(3), "flag": np.array([True])}))


@given(st.lists(st.tuples(st.integers(0, len(DAMAGED) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damage_gives_numbers_or_a_bundle_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(DAMAGED)
    for position, value in changes:
        data[position] = value
    try:
        tensors = parse_state_dict(bytes(data), "model.pth")
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        assert sum(tensor.nbytes for tensor in tensors.values()) <= len(data)


INSTRUCTIONS = [b"N", b"K\x01", b"X\x01\x00\x00\x00w", b"]", b"}", b")", b"(", b"a", b"e", b"s", b"u", b"t"]
INSTRUCTIONS += [b"\x85", b"\x86", b"q\x00", b"h\x00", b"cos\nsystem\n", b"ccollections\nOrderedDict\n"]
INSTRUCTIONS += [b"ctorch._utils\n_rebuild_tensor_v2\n", b"Q", b"R", b"b"]


@given(st.lists(st.sampled_from(INSTRUCTIONS) | st.binary(max_size=3)).map(b"".join))
def test_any_pickle_gives_no_tensor_or_a_bundle_error(body: bytes) -> None:
    data = bytes(Archive({}, pickle=b"\x80\x02" + body + b"."))
    try:
        tensors = parse_state_dict(data, "model.pth")
    except BundleError:
        return
    assert tensors == {}


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(BundleError, match=path.name):
            read_file(path)
    with pytest.raises(BundleError, match=r"text\.pth: not a PyTorch zip archive"):
        parse_state_dict(b"not a checkpoint", "text.pth")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the pipe was opened"))
    with pytest.raises(BundleError, match=r"pipe\.pth: no regular file"):
        read_file(tmp_path / "pipe.pth")
