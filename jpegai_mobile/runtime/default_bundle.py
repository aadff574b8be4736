"""Which model bundle is used when the caller names none."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import BundleError
from .bundle import Bundle

ENVIRONMENT_VARIABLE = "JPEGAI_BUNDLE"
PACKAGED = Path(__file__).resolve().parent.parent / "default_bundle"


def open_bundle(path: str | Path | None = None) -> Bundle:
    """Open the named bundle, else the one in $JPEGAI_BUNDLE, else the one in the package; raises BundleError."""
    chosen = path or os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Bundle.open(Path(chosen))
    if PACKAGED.exists():
        return Bundle.open(PACKAGED)
    raise BundleError(
        "no model bundle: name one with --bundle or $JPEGAI_BUNDLE; make one with: jpegai-convert CHECKPOINTS -o BUNDLE"
    )
