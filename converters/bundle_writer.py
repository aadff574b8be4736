"""Writes a model bundle: collects files, stores equal ones once, and puts everything in place when it is complete."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jpegai_mobile.errors import BundleError
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.manifest import MANIFEST_NAME, Calibration, FileRecord, Manifest, NetworkKey

from .errors import ConversionError

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip entry can have: the same input gives the same zip."""
_SUFFIXES = {"tflite": "tflite", "coreml": "mlpackage"}


class BundleWriter:
    """The files of a bundle in the making; the result depends on what is added in which order only."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._names: dict[str, str] = {}
        """SHA-256 -> file name."""
        self._networks: dict[NetworkKey, str] = {}
        self._entropy: dict[int, str] = {}
        self._recipes: dict[str, str] = {}
        self._calibration: dict[int, Calibration] = {}
        self._tile_sizes: dict[str, tuple[int, ...]] = {}

    def add_network(self, key: NetworkKey, data: bytes, recipe: str) -> None:
        """Add the file of a network that was made by a recipe."""
        name = self._add(network_file_name(key), data)
        self._networks[key] = name
        self._recipes.setdefault(name, recipe)

    def add_package(self, key: NetworkKey, files: Mapping[str, bytes], tiles: Sequence[int], recipe: str) -> None:
        """Add the folder of files, made by a recipe, of a network that accepts tiles of these sizes in luma samples."""
        folder = network_file_name(key)
        whole = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
        stored = self._names.setdefault(whole, folder)
        if stored == folder:
            self._files |= {f"{folder}/{name}": data for name, data in files.items()}
        self._networks[key] = stored
        self._recipes.setdefault(stored, recipe)
        self._tile_sizes[key.target] = tuple(tiles)

    def add_calibration(self, model: int, calibration: Calibration) -> None:
        """Say with which data a model was calibrated."""
        self._calibration[model] = calibration

    def add_entropy_model(self, model: int, data: bytes) -> None:
        """Add the integer tables of a model, `EntropyModel.to_bytes`."""
        self._entropy[model] = self._add(f"entropy_{model}.bin", data)

    @staticmethod
    def check_target(path: Path) -> None:
        """Raise ConversionError where `write` would: something else is in the way, or nothing can be made there."""
        if os.path.exists(path):
            _check_replaceable(path)
        folder = next(each for each in Path(os.path.realpath(path)).parents if os.path.exists(each))
        if not os.path.isdir(folder):
            raise ConversionError(f"{path}: {os.strerror(errno.ENOTDIR)}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConversionError(f"{path}: {os.strerror(errno.EACCES)}")

    def write(self, path: Path, source: Mapping[str, str], licence: str) -> dict[str, int]:
        """Write a folder, or a zip when `path` ends in .zip; file name -> bytes of what was written.

        An existing bundle at `path`, or where a link leads, is replaced; until the new one is complete nothing changes
        there. A zip is replaced in one step; a folder takes two renames, between which there is none. Raises
        ConversionError when something else is in the way, a file of the user's in the old bundle's folder included.
        """
        self.check_target(path)
        files = {MANIFEST_NAME: self._manifest(source, licence).to_json(), **self._files}
        target = Path(os.path.realpath(path))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".bundle.", dir=target.parent) as scratch:
                new = Path(scratch) / "new"
                if path.suffix == ".zip":
                    _write_zip(new, files)
                else:
                    _write_folder(new, files)
                _put_in_place(new, target, Path(scratch) / "old")
        except OSError as error:
            raise ConversionError(f"{path}: {error.strerror or error}") from error
        return {name: len(data) for name, data in files.items()}

    def in_memory(self) -> Bundle:
        """A bundle of what was added so far, without writing it."""
        return Bundle(_Memory(dict(self._files)), self._manifest({}, ""))

    def _manifest(self, source: Mapping[str, str], licence: str) -> Manifest:
        return Manifest(
            source=source,
            licence=licence,
            tile_sizes={key.target: self._tile_sizes.get(key.target, ()) for key in self._networks},
            networks=dict(self._networks),
            entropy=dict(self._entropy),
            files={name: FileRecord(len(data), hashlib.sha256(data).hexdigest()) for name, data in self._files.items()},
            recipes=dict(self._recipes),
            calibration=dict(self._calibration),
        )

    def _add(self, name: str, data: bytes) -> str:
        """Keep `data` as `name`; gives the name of the file that holds it, an earlier one if equal."""
        stored = self._names.setdefault(hashlib.sha256(data).hexdigest(), name)
        self._files.setdefault(stored, data)
        return stored


class _Memory:
    """Files of a bundle that is not on disk."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        yield self._files[name][: size + 1]

    def path(self, name: str) -> Path | None:
        return None

    def where(self, name: str) -> str:
        return name

    def close(self) -> None:
        pass


def network_file_name(key: NetworkKey) -> str:
    """`<network>_<component>_<model>[_<operating point>].<precision>.<tflite or mlpackage>`."""
    point = f"_{key.operating_point}" if key.operating_point else ""
    suffix = _SUFFIXES[key.target]
    return f"{key.network}_{key.component}_{key.model}{point}.{key.precision}.{suffix}"


def _check_replaceable(path: Path) -> None:
    """Raise ConversionError unless `path` is an empty folder, or a model bundle and nothing else."""
    if path.samefile(os.curdir):
        raise ConversionError(f"{path}: is the current folder, which cannot be replaced")
    if path.is_dir() and not any(path.iterdir()):
        return
    try:
        with Bundle.open(path) as bundle:
            own = {MANIFEST_NAME, *bundle.manifest.files}
    except BundleError as error:
        raise ConversionError(f"{path}: exists and is no model bundle; not replaced") from error
    for file in sorted(path.rglob("*")) if path.is_dir() else []:
        if (file.is_symlink() or not file.is_dir()) and file.relative_to(path).as_posix() not in own:
            raise ConversionError(f"{file}: is no file of the model bundle in that folder; not replaced")


def _put_in_place(new: Path, path: Path, old: Path) -> None:
    """Move `new` to `path`; where one of them is a folder what is there goes to `old`, and comes back if that fails."""
    try:
        if os.path.lexists(path) and (path.is_dir() or new.is_dir()):
            os.replace(path, old)
        os.replace(new, path)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(path):
            os.replace(old, path)
        raise


def _write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    path.mkdir()
    for name, data in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), data)
