"""How the commands begin: all that they need is imported where an interrupt ends in one line already."""

from __future__ import annotations

import sys
from importlib import import_module

INTERRUPTED = 130


def start(name: str, module: str) -> int:
    """The exit code of `main` of a module that is not imported yet; `name` is what the line on stderr starts with."""
    try:
        code: int = import_module(module).main()
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code
