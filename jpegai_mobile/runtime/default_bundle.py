"""Which model bundle is used when the caller names none."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from ..errors import BundleError
from .bundle import Bundle

ENVIRONMENT_VARIABLE = "JPEGAI_BUNDLE"
_PACKAGE, _FOLDER = "jpegai_mobile", "default_bundle"


def bundle_path(named: str | Path | None = None) -> Path:
    """The named bundle, else the one in $JPEGAI_BUNDLE, else the one in the package; raises BundleError."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE) if named is None else named
    if named is not None and not (named and isinstance(named, str | os.PathLike)):
        raise BundleError(f"{named!r} is not the path of a model bundle")
    if chosen:
        return Path(chosen)
    # An editable installation keeps it in another folder than the sources: the package has both.
    for folder in import_module(_PACKAGE).__path__:
        packaged = Path(folder) / _FOLDER
        if packaged.is_dir():
            return packaged
    raise BundleError(
        "no model bundle: name one with --bundle or $JPEGAI_BUNDLE; make one with: jpegai-convert CHECKPOINTS -o BUNDLE"
    )


def open_bundle(path: str | Path | None = None) -> Bundle:
    """Open the bundle of `bundle_path`; raises BundleError."""
    return Bundle.open(bundle_path(path))
