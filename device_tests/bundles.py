"""Which bundle a command means, as a path that can be handed to other processes."""

from __future__ import annotations

import os
from pathlib import Path

from jpegai_mobile.runtime.default_bundle import ENVIRONMENT_VARIABLE, PACKAGED


def bundle_path(named: str | None) -> Path:
    """The named bundle, else that of $JPEGAI_BUNDLE, else the packaged one; it may not exist."""
    return Path(named or os.environ.get(ENVIRONMENT_VARIABLE) or PACKAGED)
