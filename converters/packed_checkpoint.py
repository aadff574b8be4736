"""One small file with what a codec needs of a checkpoint tree: the form in which weights travel with code.

A zip with `index.json` and one deflated entry `FILE/TENSOR` for every tensor. Floats that float16 holds
exactly are stored as float16, little endian. Of every tensor the lowest bytes of all elements come first,
then the next bytes, and so on: sign and exponent of weights are much alike and compress well side by side.

    index.json: {"format", "version", "licence",
                 "files": {FILE: {"sha256", "tensors": {TENSOR: {"type", "shape"}}}}}

`sha256` is that of the checkpoint file that the tensors came from.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.errors import BundleError
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.zip_damage import ZIP_DAMAGE

from .checkpoint import COMPONENTS, CheckpointFile, Checkpoints, common_name
from .entropy_model import TENSOR_NAMES as ENTROPY_TENSORS
from .source_networks import checkpoint_name, topologies
from .state_dict import read_file

FORMAT = "jpegai-mobile packed checkpoint"
VERSION = 1
INDEX_NAME = "index.json"
MAX_INDEX_BYTES = 4 << 20
MAX_TOTAL_BYTES = 256 << 20
MAX_DIMENSIONS = 8

WANTED = "a folder of checkpoints is wanted, or a file that `jpegai-convert pack` wrote"
"""Said of a file that is something else, a single checkpoint perhaps."""

_STORED_TYPES = {"float16": "<f2", "float32": "<f4", "int8": "i1", "int32": "<i4", "bool": "?"}
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class PackedCheckpoint(Checkpoints):
    """A packed file, or several that were made from the same checkpoints."""

    def __init__(self, path: Path, *more: Path) -> None:
        """Read everything. Raises BundleError, naming file and tensor, when a file is not sound."""
        self.root = path
        self.licence = ""
        self._digests: dict[str, str] = {}
        self._files: dict[str, CheckpointFile] = {}
        paths = [each.absolute() for each in (path, *more)]
        folder = os.path.commonpath([each.parent for each in paths])
        for each, whole in zip((path, *more), paths, strict=True):
            self._add(each, whole.relative_to(folder).as_posix())

    def _add(self, path: Path, name: str) -> None:
        data = read_file(path)
        try:
            licence, files = _Unpacker(data).unpack()
        except ValueError as error:
            raise BundleError(f"{path}: {error}") from error
        self._digests[name] = hashlib.sha256(data).hexdigest()
        self.licence = self.licence or licence
        for key, file in files.items():
            known = self._files.setdefault(key, file)
            if known.sha256 != file.sha256:
                raise BundleError(f"{path}: its {key} is not the one that {self.root} was made from")
            self._files[key] = CheckpointFile(key, file.sha256, {**known.tensors, **file.tensors})

    @property
    def sources(self) -> dict[str, str]:
        """The packed files themselves, by their path in the folder that holds all of them -> SHA-256."""
        return self._digests

    def holds(self, name: str) -> bool:
        """Whether tensors of the checkpoint file `name` are in the pack."""
        return name in self._files

    def read(self, name: str) -> CheckpointFile:
        """The tensors of the checkpoint file `name`. Raises BundleError when there are none."""
        if name not in self._files:
            raise BundleError(f"{self.root}: holds nothing of {name}; it has {', '.join(self._files)}")
        return self._files[name]


def pack(
    source: Checkpoints,
    models: Sequence[int],
    operating_points: Sequence[str],
    licence: str,
    parts: Sequence[str] = ("decoder",),
) -> bytes:
    """The packed file of the networks of some models and, with those of the decoder, their integer tables.

    eICCI networks, which belong to no model, are left out. Raises BundleError, naming file and tensor, when one is
    missing or holds numbers that no type of a packed file holds exactly.
    """
    index: dict[str, Any] = {"format": FORMAT, "version": VERSION, "licence": licence, "files": {}}
    entries: dict[str, bytes] = {}
    for name, tensor_names in _needed_tensors(models, operating_points, parts).items():
        file = source.read(name)
        described = {}
        for tensor_name in tensor_names:
            if tensor_name not in file.tensors:
                raise BundleError(f"{file.where(tensor_name)} is missing")
            stored = _stored(file.tensors[tensor_name], file.where(tensor_name))
            described[tensor_name] = {"type": stored.dtype.name, "shape": stored.shape}
            entries[f"{name}/{tensor_name}"] = _by_significance(stored)
        index["files"][name] = {"sha256": file.sha256, "tensors": described}
    index_bytes = json.dumps(index, indent=1, sort_keys=True).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in {INDEX_NAME: index_bytes, **entries}.items():
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


def _needed_tensors(
    models: Sequence[int], operating_points: Sequence[str], parts: Sequence[str]
) -> dict[str, dict[str, None]]:
    """Checkpoint file -> the names of the tensors that these parts of the codec take from it, in order."""
    needed: dict[str, dict[str, None]] = {}
    for model in models:
        if "decoder" in parts:
            for component in COMPONENTS:
                needed.setdefault(common_name(component, model), {}).update(dict.fromkeys(ENTROPY_TENSORS))
        for topology in topologies(parts, operating_points):
            names = build(*topology).parameter_names()
            needed.setdefault(checkpoint_name(topology, model), {}).update(dict.fromkeys(names))
    return needed


def _stored(tensor: NDArray[Any], where: str) -> NDArray[Any]:
    """In the first type of a packed file that loses nothing. Raises BundleError, saying `where`, if there is none."""
    types = ("float16", "float32") if tensor.dtype.kind == "f" else (tensor.dtype.name, "int32")
    for name in types:
        if name in _STORED_TYPES:
            with np.errstate(over="ignore"):
                stored = tensor.astype(name)
            if np.array_equal(stored, tensor):
                return stored
    raise BundleError(f"{where} holds {tensor.dtype} numbers that {types[-1]} does not hold")


def _by_significance(tensor: NDArray[Any]) -> bytes:
    little = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
    return np.frombuffer(little.tobytes(), np.uint8).reshape(-1, tensor.itemsize).T.tobytes()


def _from_significance(data: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Inverse of `_by_significance`, float16 widened to float32."""
    stored = np.dtype(_STORED_TYPES[dtype])
    elements = np.frombuffer(data, np.uint8).reshape(stored.itemsize, -1).T.tobytes()
    tensor = np.frombuffer(elements, stored).reshape(shape)
    return tensor.astype(np.float32 if stored.kind == "f" else stored.newbyteorder("="))


class _Unpacker:
    """Reads a packed file; every size is judged before anything of that size is made. Raises ValueError."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except ZIP_DAMAGE as error:
            raise ValueError(f"not a packed checkpoint, or a truncated one; {WANTED}") from error
        self._left = MAX_TOTAL_BYTES

    def unpack(self) -> tuple[str, dict[str, CheckpointFile]]:
        """The licence text and the files."""
        if INDEX_NAME not in self._zip.namelist():
            raise ValueError(f"not a packed checkpoint: {INDEX_NAME} is missing; {WANTED}")
        try:
            index = json.loads(self._read(INDEX_NAME, MAX_INDEX_BYTES))
        except RecursionError as error:
            raise ValueError(f"{INDEX_NAME} is nested too deeply") from error
        match index:
            case {"format": str(form), "version": int(version)} if (form, version) != (FORMAT, VERSION):
                raise ValueError(f"is a {form[:40]!r} of version {version}; this release reads version {VERSION}")
            case {"licence": str(licence), "files": dict(files)}:
                return licence, {name: self._file(name, description) for name, description in files.items()}
        raise ValueError(f"{INDEX_NAME} is not that of a {FORMAT}")

    def _file(self, name: str, description: object) -> CheckpointFile:
        match description:
            case {"sha256": str(digest), "tensors": dict(tensors)}:
                arrays = {key: self._tensor(f"{name}/{key}", value) for key, value in tensors.items()}
                return CheckpointFile(name, digest, arrays)
        raise ValueError(f"{INDEX_NAME}: the entry of {name[:80]!r} is unsound")

    def _tensor(self, entry: str, description: object) -> NDArray[Any]:
        match description:
            case {"type": str(dtype), "shape": list(shape)} if dtype in _STORED_TYPES and _is_shape(shape):
                size = math.prod(shape) * np.dtype(_STORED_TYPES[dtype]).itemsize
                data = self._read(entry, size)
                if len(data) != size:
                    raise ValueError(f"{entry!r} does not have the {size} bytes of its shape")
                return _from_significance(data, dtype, tuple(shape))
        raise ValueError(f"{INDEX_NAME}: the entry of tensor {entry[:80]!r} is unsound")

    def _read(self, entry: str, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise ValueError(f"its tensors take more than {MAX_TOTAL_BYTES} bytes")
        try:
            with self._zip.open(entry) as file:
                return file.read(size + 1)
        except KeyError as error:
            raise ValueError(f"{entry[:80]!r} is missing") from error
        except ZIP_DAMAGE as error:
            raise ValueError(f"{entry[:80]!r} is damaged") from error


def _is_shape(shape: list[object]) -> bool:
    return len(shape) <= MAX_DIMENSIONS and all(type(size) is int and 0 < size <= MAX_TOTAL_BYTES for size in shape)
