"""Where the C sources of jai-trace are: in the installed package, or in a checkout that the user names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jpegai_mobile

from .errors import TargetError


@dataclass(frozen=True)
class TraceSources:
    """The C sources of jai-trace."""

    include: Path
    """Folder of `jai_entropy.h`."""
    files: tuple[Path, ...]
    link_flags: tuple[str, ...] = ()


def find_sources(root: Path | None = None) -> TraceSources:
    """The sources below a checkout or a package folder; those of the running package without `root`.

    Raises TargetError when they are not there.
    """
    candidates = [Path(jpegai_mobile.__file__).parent] if root is None else [root / "jpegai_mobile", root]
    for package in candidates:
        entropy, trace = package / "native" / "entropy", package / "native" / "trace"
        if (trace / "jai_trace.c").is_file():
            return TraceSources(entropy, (*sorted(entropy.glob("*.c")), *sorted(trace.glob("*.c"))))
    raise TargetError(f"{candidates[0]}: holds no native/trace/jai_trace.c")
