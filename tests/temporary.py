"""Files that are kept as long as the process: for what is made once and cached."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def folder_of_this_process() -> Path:
    """A new folder that goes when the process ends."""
    path = Path(tempfile.mkdtemp(prefix="jpegai-tests-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
