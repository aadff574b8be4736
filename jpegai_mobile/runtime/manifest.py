"""The manifest of a model bundle: what is in it, and the hash of every file.

`manifest.json` is the only file whose name is fixed. A reader refuses a schema version that it does not know
and ignores fields that it does not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any, Self

from ..codestream.picture_header import SYNTHESIS_TRANSFORMS
from ..errors import BundleError

FORMAT = "jpegai-mobile bundle"
SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
MAX_FILE_BYTES = 512 << 20

OPERATING_POINTS = SYNTHESIS_TRANSFORMS
PRECISIONS = ("float32", "float16", "int8w", "int8mixed", "int8")
"""From the most exact to the least."""
TARGETS = ("tflite", "coreml")
MODELS = ("0", "1", "2", "3")
MAX_INDEX = 16


@dataclass(frozen=True)
class NetworkKey:
    """What tells the networks of a bundle apart."""

    network: str
    component: str
    """`y` or `uv`."""
    model: int
    """Model index; of the eICCI networks, which belong to no model, the index in their bank."""
    operating_point: str | None
    """None for a network that serves all of them; of the eICCI networks the bank, `bop` or `hop`."""
    precision: str
    target: str

    def __str__(self) -> str:
        point = f" {self.operating_point}" if self.operating_point else ""
        network = f"{self.network} {self.component}{point} of model {self.model}"
        return f"{network} in {self.precision} for {self.target}"


@dataclass(frozen=True)
class FileRecord:
    """Size and hash of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Calibration:
    """The data that a model was calibrated with."""

    kind: str
    files: Mapping[str, str]
    """File -> SHA-256."""


@dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`."""

    source: Mapping[str, str]
    """Checkpoint file that the bundle was made from -> SHA-256."""
    licence: str
    tile_sizes: Mapping[str, tuple[int, ...]]
    """Target -> tile sizes, in luma samples, that its networks accept; empty when they accept any."""
    networks: Mapping[NetworkKey, str]
    """Network -> name of its file, for Core ML of its folder of files; networks that are equal share it."""
    entropy: Mapping[int, str]
    """Model -> file name of its integer tables."""
    files: Mapping[str, FileRecord]
    recipes: Mapping[str, str] = field(default_factory=dict)
    """Network file -> how its numbers are stored, as the converter says it."""
    calibration: Mapping[int, Calibration] = field(default_factory=dict)
    """Model -> the data that ranges of int8 activations were found with."""

    @property
    def models(self) -> tuple[int, ...]:
        """Models whose integer tables are there."""
        return tuple(sorted(self.entropy))

    @property
    def operating_points(self) -> tuple[str, ...]:
        """Operating points with synthesis transforms, simplest first."""
        synthesis = [key for key in self.networks if key.network == "synthesis"]
        return _in_order(OPERATING_POINTS, (key.operating_point for key in synthesis))

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions of the networks, most exact first."""
        return _in_order(PRECISIONS, (key.precision for key in self.networks))

    @property
    def targets(self) -> tuple[str, ...]:
        """Runtimes that there are networks for."""
        return _in_order(TARGETS, (key.target for key in self.networks))

    def files_in(self, folder: str) -> tuple[str, ...]:
        """The files of a folder, as a Core ML package is one."""
        return tuple(file for file in sorted(self.files) if file.startswith(f"{folder}/"))

    def to_json(self) -> bytes:
        """The bytes of `manifest.json`; equal manifests give equal bytes."""
        document = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "source": dict(self.source),
            "licence": self.licence,
            "models": self.models,
            "operating_points": self.operating_points,
            "precisions": self.precisions,
            "targets": self.targets,
            "tile_sizes": dict(self.tile_sizes),
            "networks": [asdict(key) | {"file": self.networks[key]} for key in sorted(self.networks, key=str)],
            "entropy": {str(model): name for model, name in self.entropy.items()},
            "files": {name: asdict(record) for name, record in self.files.items()},
            "recipes": dict(self.recipes),
            "calibration": {str(model): asdict(data) for model, data in self.calibration.items()},
        }
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse `manifest.json`. Raises BundleError saying what is wrong with it."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BundleError("not JSON") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise BundleError(f"not the manifest of a {FORMAT}")
        version = document.get("schema_version")
        if version != SCHEMA_VERSION:
            raise BundleError(f"schema version {_short(version)}; this release reads version {SCHEMA_VERSION}")
        manifest = cls(
            source={_text(name): _sha256(digest) for name, digest in _object(document, "source").items()},
            licence=_text(_field(document, "licence")),
            tile_sizes=_tile_sizes(_object(document, "tile_sizes")),
            networks=_networks(_field(document, "networks")),
            entropy={
                int(_one_of(MODELS, model)): _file_name(name) for model, name in _object(document, "entropy").items()
            },
            files={_file_name(name): _file_record(name, record) for name, record in _object(document, "files").items()},
            recipes={_file_name(name): _text(recipe) for name, recipe in _optional(document, "recipes").items()},
            calibration={
                int(_one_of(MODELS, model)): _calibration(entry)
                for model, entry in _optional(document, "calibration").items()
            },
        )
        manifest._check_names()
        return manifest

    def _check_names(self) -> None:
        """Raise BundleError where 'files' lacks the file of integer tables or of a network, for Core ML its folder."""
        folders = {folder for name in self.files for folder in accumulate(name.split("/")[:-1], "{}/{}".format)}
        packages = {name for key, name in self.networks.items() if key.target == "coreml"}
        files = {name for key, name in self.networks.items() if key.target != "coreml"} | {*self.entropy.values()}
        for kind, missing in (("file", files - self.files.keys()), ("folder", packages - folders)):
            if missing:
                raise BundleError(f"{kind} {min(missing)} has no entry in 'files'")


def _in_order(known: tuple[str, ...], present: Iterable[str | None]) -> tuple[str, ...]:
    found = set(present)
    return tuple(value for value in known if value in found)


def _networks(entries: object) -> dict[NetworkKey, str]:
    if not isinstance(entries, list):
        raise BundleError("'networks' is not a list")
    networks: dict[NetworkKey, str] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise BundleError(f"'networks' holds {_short(entry)}")
        point = _field(entry, "operating_point")
        key = NetworkKey(
            network=_identifier(_field(entry, "network")),
            component=_one_of(("y", "uv"), _field(entry, "component")),
            model=_index(_field(entry, "model")),
            operating_point=None if point is None else _one_of(OPERATING_POINTS, point),
            precision=_one_of(PRECISIONS, _field(entry, "precision")),
            target=_one_of(TARGETS, _field(entry, "target")),
        )
        if key in networks:
            raise BundleError(f"two entries for {key}")
        networks[key] = _file_name(_field(entry, "file"))
    return networks


def _tile_sizes(entries: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    for target, sizes in entries.items():
        _one_of(TARGETS, target)
        if not isinstance(sizes, list) or not all(type(size) is int and size > 0 for size in sizes):
            raise BundleError(f"'tile_sizes' of {target} is {_short(sizes)}")
    return {target: tuple(sizes) for target, sizes in entries.items()}


def _file_record(name: str, entry: object) -> FileRecord:
    if not isinstance(entry, dict):
        raise BundleError(f"the entry of file {name} is {_short(entry)}")
    size = _field(entry, "bytes")
    if type(size) is not int or not 0 <= size <= MAX_FILE_BYTES:
        raise BundleError(f"file {name} has {_short(size)} bytes; at most {MAX_FILE_BYTES} are read")
    return FileRecord(size, _sha256(_field(entry, "sha256")))


def _calibration(entry: object) -> Calibration:
    if not isinstance(entry, dict):
        raise BundleError(f"'calibration' holds {_short(entry)}")
    files = {_text(name): _sha256(digest) for name, digest in _object(entry, "files").items()}
    return Calibration(_text(_field(entry, "kind")), files)


def _optional(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """An object that bundles of earlier releases do not have."""
    return _object(entry, name) if name in entry else {}


def _field(entry: dict[str, Any], name: str) -> object:
    if name not in entry:
        raise BundleError(f"field {name!r} is missing")
    return entry[name]


def _object(entry: dict[str, Any], name: str) -> dict[str, Any]:
    value = _field(entry, name)
    if not isinstance(value, dict):
        raise BundleError(f"field {name!r} is not an object")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BundleError(f"{_short(value)} is not a text")
    return value


def _matching(pattern: str, value: object, what: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise BundleError(f"{_short(value)} is not {what}")
    return value


def _sha256(value: object) -> str:
    return _matching("[0-9a-f]{64}", value, "a SHA-256")


def _identifier(value: object) -> str:
    return _matching("[a-z][a-z0-9_]{0,31}", value, "the name of a network")


def _file_name(value: object) -> str:
    """A relative path without `..`: every part begins with a letter or a digit."""
    part = "[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
    return _matching(f"{part}(/{part}){{0,7}}", value, "the name of a file in the bundle")


def _index(value: object) -> int:
    if type(value) is not int or not 0 <= value < MAX_INDEX:
        raise BundleError(f"{_short(value)} is not the index of a model")
    return value


def _one_of(known: tuple[str, ...], value: object) -> str:
    if value not in known:
        raise BundleError(f"{_short(value)} is none of {', '.join(known)}")
    return str(value)


def _short(value: object) -> str:
    return repr(value)[:80]
