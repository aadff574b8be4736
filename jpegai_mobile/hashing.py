"""SHA-256 by Python's own code where that is there: `hashlib` loads OpenSSL, 3.4 MB of it into memory."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Protocol

OWN_MODULES = ("_sha2", "_sha256")
"""What Python 3.12 and later, and 3.11, call it."""


class Hash(Protocol):
    """A hash that is fed piece by piece."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


def sha256(data: bytes = b"") -> Hash:
    """As `hashlib.sha256`."""
    started: Hash = _module().sha256(data)
    return started


@cache
def _module() -> Any:
    for name in OWN_MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    return import_module("hashlib")
