"""The checkpoint tree of the reference software: which file holds which network of which model.

    VM_common_int/{Y,UV}_SUFFIX.pth           entropy part, hyper encoder and decoder, context model
    VM_{sop,bop,hop}/decoder_{Y,UV}_SUFFIX.pth  synthesis transforms
    VM_bop/encoder_{Y,UV}_SUFFIX.pth          analysis transforms
    eICCI_*/eicci_{bop,hop}_{mse,mss}NNN_300k.pth  the two banks of ten post-filter networks

A file `aliases.json` in the root may let one file stand for another: {"asked for": "stored"}.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from converters.state_dict import parse_state_dict, read_file
from jpegai_mobile.errors import BundleError
from jpegai_mobile.networks.graph import Graph

MODEL_SUFFIXES = ("0.002", "0.012", "0.075", "0.5")
"""The file suffix of each model index."""
COMPONENTS = ("y", "uv")
EICCI_BANK = tuple(f"{loss}{rate}" for loss in ("mse", "mss") for rate in ("012", "025", "050", "075", "100"))
"""The networks of an eICCI bank in the order that streams signal them."""


@dataclass(frozen=True)
class CheckpointFile:
    """A state dict and where it came from."""

    name: str
    """Name in the tree, after aliases."""
    sha256: str
    tensors: Mapping[str, NDArray[np.generic]]

    def where(self, tensor: str) -> str:
        """How errors name one of its tensors."""
        return f"{self.name}: tensor {tensor!r}"


class Checkpoints(ABC):
    """The checkpoint files of one codec, by their names in the reference's tree, in whatever form they are kept."""

    root: Path
    """Folder or file, for messages."""
    licence = ""
    """Terms that come with the weights, if any."""

    @property
    @abstractmethod
    def sources(self) -> dict[str, str]:
        """File -> SHA-256 of what has been read so far."""

    @abstractmethod
    def holds(self, name: str) -> bool:
        """Whether the checkpoint file `name` is there."""

    @abstractmethod
    def read(self, name: str) -> CheckpointFile:
        """The checkpoint file `name`. Raises BundleError when it is absent or unsound."""

    @property
    def models(self) -> tuple[int, ...]:
        """Indices of the models whose entropy part is there for both components."""
        models = range(len(MODEL_SUFFIXES))
        return tuple(m for m in models if all(self.holds(common_name(c, m)) for c in COMPONENTS))

    def common(self, component: str, model: int) -> CheckpointFile:
        """Entropy part, hyper encoder, hyper decoder and (luma) context model of a component."""
        return self.read(common_name(component, model))

    @property
    def eicci_folder(self) -> str | None:
        """Folder of the eICCI networks, None where there is none."""
        return min((folder.name for folder in self.root.glob("eICCI_*") if folder.is_dir()), default=None)

    def eicci(self, operating_point: str, index: int) -> CheckpointFile:
        """Network `index` (0..9) of the eICCI bank that `operating_point` uses. Raises BundleError."""
        if self.eicci_folder is None:
            raise BundleError(f"{self.root}: no eICCI_* folder")
        return self.read(eicci_name(self.eicci_folder, operating_point, index))


class CheckpointTree(Checkpoints):
    """A folder in the reference software's layout; files are read when asked for, each once."""

    def __init__(self, root: Path) -> None:
        """Raises BundleError when `root` is no folder or its aliases.json is unsound."""
        if not root.is_dir():
            raise BundleError(f"{root}: no such folder of checkpoints")
        self.root = root
        self._aliases = _read_aliases(root / "aliases.json")
        self._files: dict[str, CheckpointFile] = {}

    @property
    def sources(self) -> dict[str, str]:
        """Name in the tree -> SHA-256 of every file read so far."""
        return {name: self._files[name].sha256 for name in sorted(self._files)}

    def holds(self, name: str) -> bool:
        """Whether the tree has the file `name`, stored or by an alias."""
        return (self.root / self._stored_name(name)).is_file()

    def read(self, name: str) -> CheckpointFile:
        """The file `name`, stored or by an alias. Raises BundleError when it is absent or unsound."""
        stored = self._stored_name(name)
        if stored not in self._files:
            path = self.root / stored
            if stored != name and not path.is_file():
                raise BundleError(f"{path}: no such file, though aliases.json lets it stand for {name}")
            data = read_file(path)
            digest = hashlib.sha256(data).hexdigest()
            self._files[stored] = CheckpointFile(stored, digest, parse_state_dict(data, str(path)))
        return self._files[stored]

    def _stored_name(self, name: str) -> str:
        return name if (self.root / name).is_file() else self._aliases.get(name, name)


def common_name(component: str, model: int) -> str:
    """File of the entropy part, the hyper networks and the context model."""
    return f"VM_common_int/{component.upper()}_{MODEL_SUFFIXES[model]}.pth"


def synthesis_name(operating_point: str, component: str, model: int) -> str:
    """File of a synthesis transform."""
    return f"VM_{operating_point}/decoder_{component.upper()}_{MODEL_SUFFIXES[model]}.pth"


def analysis_name(component: str, model: int) -> str:
    """File of an analysis transform; every operating point can be coded with the BOP one."""
    return f"VM_bop/encoder_{component.upper()}_{MODEL_SUFFIXES[model]}.pth"


def eicci_name(folder: str, operating_point: str, index: int) -> str:
    """File of an eICCI network; SOP and BOP share a bank."""
    bank = "hop" if operating_point == "hop" else "bop"
    return f"{folder}/eicci_{bank}_{EICCI_BANK[index]}_300k.pth"


def network_parameters(file: CheckpointFile, graph: Graph) -> dict[str, NDArray[np.float32]]:
    """The parameters of `graph` out of `file` by name, float32 in the shapes that the graph states.

    Raises BundleError, naming file and tensor, when one is missing or has another shape or type.
    """
    parameters = {}
    for name, shape in graph.parameter_shapes().items():
        where = file.where(name)
        tensor = file.tensors.get(name)
        if tensor is None:
            raise BundleError(f"{where} is missing ({graph.name} needs it)")
        if tensor.shape != shape:
            raise BundleError(f"{where} has shape {tensor.shape}, not {shape}")
        if not np.issubdtype(tensor.dtype, np.floating):
            raise BundleError(f"{where} has type {tensor.dtype}, not float")
        with np.errstate(over="ignore"):
            parameters[name] = tensor.astype(np.float32)
        if not np.isfinite(parameters[name]).all():
            raise BundleError(f"{where} holds a NaN, or a number that does not fit float32")
    return parameters


def _read_aliases(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        aliases = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not JSON") from error
    if not isinstance(aliases, dict):
        raise BundleError(f"{path}: not an object of file names")
    for name in (*aliases.keys(), *aliases.values()):
        if not isinstance(name, str) or not _is_inside(PurePosixPath(name)):
            raise BundleError(f"{path}: {str(name)[:80]!r} is no file name inside the folder")
    return aliases


def _is_inside(name: PurePosixPath) -> bool:
    return not name.is_absolute() and ".." not in name.parts
