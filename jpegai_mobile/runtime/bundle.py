"""The mobile model bundle: one folder, or a zip of it, with the networks and integer tables of some models.

Nothing is believed but the manifest: the size and the SHA-256 of every file are checked when it is read.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol, Self

from ..errors import BundleError
from ..hashing import sha256
from ..sources import opened_file
from ..zip_damage import ZIP_DAMAGE
from .manifest import MANIFEST_NAME, PRECISIONS, Manifest, NetworkKey

MAX_MANIFEST_BYTES = 4 << 20
CHUNK = 1 << 18
"""Bytes of a file that are read at a time."""
SETTLED = 2.0
"""Seconds without a change after which the time of a file tells whether it changes again."""

PREPARED_COPIES = {"float32": 1.3, "float16": 2.6, "int8w": 8.3, "int8mixed": 7.2, "int8": 2.6}
"""Memory of a prepared network relative to its file, which need not stay in memory where it can be mapped. LiteRT keeps
weights packed for the processor, in float32 where it computes in that; int8 weights of such networks are widened
before, and kept so, too."""


@dataclass(frozen=True)
class PreparedBytes:
    """What networks that are ready to run take, without what they compute in."""

    latents: int
    """Of the hyper decoders and the context model."""
    synthesis: int


class Bundle:
    """An open bundle. Files are read when asked for."""

    def __init__(self, files: _Files, manifest: Manifest) -> None:
        self._files = files
        self.manifest = manifest
        self._checked: dict[str, _State] = {}

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder or a zip. Raises BundleError, naming the file, when it is not a sound bundle."""
        path = Path(path)
        if path.is_dir():
            if not (path / MANIFEST_NAME).exists():
                raise BundleError(f"{path}: no model bundle: there is no {MANIFEST_NAME} in this folder")
            files: _Files = _Folder(path)
        elif path.is_file():
            files = _Zip(path)
        else:
            raise BundleError(f"{path}: no such model bundle")
        try:
            return cls(files, _read_manifest(files))
        except BundleError:
            files.close()
            raise

    def models(self) -> tuple[int, ...]:
        """Models whose integer tables are there."""
        return self.manifest.models

    def operating_points(self) -> tuple[str, ...]:
        """Operating points that have networks, simplest first."""
        return self.manifest.operating_points

    def precisions(self) -> tuple[str, ...]:
        """Precisions that there are networks in, most exact first."""
        return self.manifest.precisions

    def entropy_model_bytes(self, model: int) -> bytes:
        """Integer tables of a model, as `EntropyModel.from_bytes` reads them.

        Raises BundleError when the model is absent, saying which are there, or when the file is damaged.
        """
        if model not in self.manifest.entropy:
            raise BundleError(f"the model bundle has no model {model}; it has {_listing(self.models())}")
        return self._read(self.manifest.entropy[model])

    def graph(
        self,
        network: str,
        component: str,
        model: int,
        operating_point: str | None,
        precision: str,
    ) -> bytes:
        """The TFLite file of a network; `operating_point` is None where the network serves all.

        Raises BundleError when the network is absent, saying what is there, or when the file is damaged.
        """
        return self.graph_of(NetworkKey(network, component, model, operating_point, precision, "tflite"))

    def graph_of(self, key: NetworkKey) -> bytes:
        """As `graph`."""
        return self._read(self._stored(key))

    def graph_file(self, key: NetworkKey) -> Path | None:
        """The file of a network, for who would rather map than read it; None where the bundle is a zip.

        A file that has not changed since it was checked is not read again. Raises BundleError as `graph` does.
        """
        name = self._stored(key)
        path = self._files.path(name)
        if path is not None:
            state = _settled_state(path)
            if state is None or self._checked.get(name) != state:
                for _ in self._chunks(name):
                    pass
                if state is not None:
                    self._checked[name] = state
        return path

    def package(self, key: NetworkKey) -> dict[str, bytes]:
        """The files of a network that is a folder, a Core ML package, by their path in that folder.

        Raises BundleError as `graph` does.
        """
        folder = self._stored(key)
        return {name.removeprefix(f"{folder}/"): self._read(name) for name in self.manifest.files_in(folder)}

    def prepared_bytes(self, model: int, operating_point: str, precision: str) -> PreparedBytes:
        """Memory that the networks of a model at an operating point take when they are ready to run, eICCI aside."""
        wanted = [
            key
            for key in self.manifest.networks
            if (key.model, key.precision, key.target) == (model, precision, "tflite")
            and key.operating_point in (None, operating_point)
        ]
        latents = sum(self._prepared(key) for key in wanted if key.network in ("hyper_decoder", "context_model"))
        return PreparedBytes(latents, sum(self._prepared(key) for key in wanted if key.network == "synthesis"))

    def _prepared(self, key: NetworkKey) -> int:
        """Bytes of a network: its file, and what LiteRT makes of its weights."""
        name = self.manifest.networks[key]
        stored = next(
            precision
            for precision in PRECISIONS
            if self.manifest.networks.get(replace(key, precision=precision)) == name
        )
        copies = PREPARED_COPIES[stored] + (self._files.path(name) is None)
        return int(self.manifest.files[name].bytes * copies)

    def close(self) -> None:
        """Release the zip file, if the bundle is one."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _stored(self, key: NetworkKey) -> str:
        """Name of the file or folder of a network."""
        if key not in self.manifest.networks:
            raise BundleError(f"the model bundle has no {key}; it has {self._contents()}")
        return self.manifest.networks[key]

    def _read(self, name: str) -> bytes:
        return b"".join(self._chunks(name))

    def _chunks(self, name: str) -> Iterator[bytes]:
        """A file piece by piece; raises BundleError, at the end at the latest, when it is not as the manifest says."""
        record = self.manifest.files[name]
        digest, size = sha256(), 0
        for chunk in self._files.chunks(name, record.bytes):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
        if size != record.bytes:
            found = "more" if size > record.bytes else f"only {size}"
            raise BundleError(f"{self._files.where(name)}: {found} bytes, the manifest says {record.bytes}")
        if digest.hexdigest() != record.sha256:
            raise BundleError(f"{self._files.where(name)}: SHA-256 is not the one in the manifest")

    def _contents(self) -> str:
        manifest = self.manifest
        networks = {f"{key.network} {key.component}" for key in manifest.networks}
        return (
            f"{_listing(sorted(networks))} for models {_listing(manifest.models)}, "
            f"operating points {_listing(manifest.operating_points)}, "
            f"precisions {_listing(manifest.precisions)}, targets {_listing(manifest.targets)}"
        )


def _read_manifest(files: _Files) -> Manifest:
    data = b"".join(files.chunks(MANIFEST_NAME, MAX_MANIFEST_BYTES))
    where = files.where(MANIFEST_NAME)
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{where}: larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        return Manifest.from_json(data)
    except BundleError as error:
        raise BundleError(f"{where}: {error}") from error


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    """The first `size` + 1 bytes of a file, or all there are."""
    left = size + 1
    while left and (chunk := file.read(min(left, CHUNK))):
        left -= len(chunk)
        yield chunk


_State = tuple[int, int, int, int]


def _settled_state(path: Path) -> _State | None:
    """What differs once a file was changed; None where it is too young to tell, or not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    if time.time() - max(status.st_mtime, status.st_ctime) < SETTLED:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Files(Protocol):
    """Where the files of a bundle lie."""

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        """The first `size` + 1 bytes of a file, or all there are; raises BundleError if unreadable."""

    def path(self, name: str) -> Path | None:
        """The file itself, where there is one."""

    def where(self, name: str) -> str:
        """The file as named in errors."""

    def close(self) -> None: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        with opened_file(self._path / name) as file:
            yield from _pieces(file, size)

    def path(self, name: str) -> Path | None:
        return self._path / name

    def where(self, name: str) -> str:
        return str(self._path / name)

    def close(self) -> None:
        pass


class _Zip:
    """A zip whose entries are the files of the bundle, or of one folder that is the bundle."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except ZIP_DAMAGE as error:
            raise BundleError(f"{path}: neither a bundle folder nor a sound zip of one") from error
        roots = [name for name in self._zip.namelist() if name.split("/", 1)[-1] == MANIFEST_NAME]
        self._prefix = roots[0].removesuffix(MANIFEST_NAME) if len(roots) == 1 else ""

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        try:
            with self._zip.open(self._prefix + name) as file:
                yield from _pieces(file, size)
        except KeyError as error:
            raise BundleError(f"{self.where(name)}: no such file in the zip") from error
        except ZIP_DAMAGE as error:
            raise BundleError(f"{self.where(name)}: damaged in the zip") from error

    def path(self, name: str) -> Path | None:
        return None

    def where(self, name: str) -> str:
        return f"{self._path}/{self._prefix}{name}"

    def close(self) -> None:
        self._zip.close()


def _listing(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"
