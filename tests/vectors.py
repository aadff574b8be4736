"""Where tests find their vectors: small ones in the repository, the big sweep in ../shared when it exists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(__file__).resolve().parent / "data"
CONFORMANCE = ROOT.parent / "shared" / "conformance"


def unit_vectors(name: str) -> dict[str, np.ndarray]:
    """A file of unit vectors by name."""
    with np.load(DATA / "units" / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


def conformance_streams() -> list[str]:
    """Names of the conformance streams; empty when the folder is absent."""
    return sorted(path.name for path in (CONFORMANCE / "streams").glob("*/") if path.is_dir())


needs_conformance = pytest.mark.skipif(
    not CONFORMANCE.exists(), reason="the conformance folder ../shared/conformance is absent"
)


def stream_folder(name: str) -> Path:
    """The folder of a stream that the repository carries."""
    return DATA / "streams" / name


def all_stream_folders() -> list[Path]:
    """Streams of the repository and, when the conformance folder is there, all of its streams."""
    folders = {path.name: path for path in sorted((DATA / "streams").iterdir())}
    folders |= {name: CONFORMANCE / "streams" / name for name in conformance_streams()}
    return list(folders.values())
