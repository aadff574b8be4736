"""The shared library: finding it, its functions, its errors, and the lifetime of its objects."""

from __future__ import annotations

import ctypes as c
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import BundleError, InvalidStream, LimitExceeded, Unsupported

LIBRARY_NAMES = ("lib{}.so", "lib{}.dylib", "{}.dll")
NO_BYTE_LIMIT = c.c_size_t(-1).value

_OK = 0
_OUT_OF_MEMORY = 5
_ERRORS = {1: InvalidStream, 2: Unsupported, 3: LimitExceeded, 4: BundleError}

ALLOCATE = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_size_t)
RELEASE = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_size_t)


class Allocator(c.Structure):
    """jai_allocator."""

    _fields_ = (("allocate", ALLOCATE), ("release", RELEASE), ("user", c.c_void_p))


class Context(c.Structure):
    """jai_context."""

    _fields_ = (
        ("allocator", c.c_void_p * 3),
        ("byte_limit", c.c_size_t),
        ("bytes_held", c.c_size_t),
        ("bytes_peak", c.c_size_t),
        ("message", c.c_char * 256),
    )


class Options(c.Structure):
    """jai_options."""

    _fields_ = (
        ("max_samples", c.c_uint64),
        ("max_channels", c.c_uint16 * 2),
        ("allow_missing_regions", c.c_bool),
        ("arrays", c.c_uint32),
        ("skipped_regions", c.c_uint8 * 32),
    )


_CONTEXT = c.POINTER(Context)
_OPTIONS = c.POINTER(Options)
_HANDLE = c.POINTER(c.c_void_p)
_SIZE = c.POINTER(c.c_size_t)

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "jai_entropy_version": (c.c_char_p, ()),
    "jai_context_init": (None, (_CONTEXT, c.POINTER(Allocator), c.c_size_t)),
    "jai_options_init": (None, (_OPTIONS,)),
    "jai_stream_open": (c.c_int, (_CONTEXT, c.c_char_p, c.c_size_t, _OPTIONS, _HANDLE)),
    "jai_stream_close": (None, (c.c_void_p,)),
    "jai_stream_picture_header": (c.c_void_p, (c.c_void_p,)),
    "jai_stream_tool_header": (c.c_void_p, (c.c_void_p,)),
    "jai_stream_rendering_information": (c.c_void_p, (c.c_void_p,)),
    "jai_stream_user_data": (c.c_void_p, (c.c_void_p, _SIZE)),
    "jai_model_open": (c.c_int, (_CONTEXT, c.c_char_p, c.c_size_t, _HANDLE)),
    "jai_model_close": (None, (c.c_void_p,)),
    "jai_stream_decode": (c.c_int, (c.c_void_p, c.c_void_p, _OPTIONS, _HANDLE)),
    "jai_residual_window": (None, (c.c_void_p, c.c_uint, *(c.c_uint32,) * 4, c.c_void_p)),
    "jai_decode_residual_rows": (
        c.c_int,
        (_CONTEXT, c.c_char_p, c.c_size_t, c.c_uint, c.c_void_p, c.c_size_t),
    ),
    "jai_decode_z_rows": (c.c_int, (_CONTEXT, c.c_char_p, c.c_size_t, c.c_uint, c.c_void_p, c.c_size_t)),
    "jai_encode_residual_rows": (c.c_int, (_CONTEXT, c.c_uint, c.c_void_p, c.c_size_t, _HANDLE)),
    "jai_encode_z_rows": (c.c_int, (_CONTEXT, c.c_uint, c.c_void_p, c.c_size_t, _HANDLE)),
    "jai_encoding_bytes": (c.c_void_p, (c.c_void_p, _SIZE)),
    "jai_encoding_close": (None, (c.c_void_p,)),
}


@cache
def library() -> Any:
    """The loaded library; raises ImportError when it was not built."""
    return load_library("jai_entropy", _SIGNATURES)


def load_library(name: str, signatures: Mapping[str, tuple[Any, tuple[Any, ...]]]) -> Any:
    """A library of this package with the given functions: (result, arguments) of each; raises ImportError."""
    import jpegai_mobile.native as package

    # An editable installation keeps the library in another folder than the sources: the package has both.
    files = [pattern.format(name) for pattern in LIBRARY_NAMES]
    candidates = [Path(folder) / file for folder in package.__path__ for file in files]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise ImportError(f"{name} is not built: install the package, or run CMake with -DJAI_IN_PLACE=ON")
    loaded = c.CDLL(str(path))
    for function_name, (result, arguments) in signatures.items():
        function = getattr(loaded, function_name)
        function.restype = result
        function.argtypes = arguments
    return loaded


def version() -> str:
    """Version of the native core."""
    return str(library().jai_entropy_version().decode())


class NativeContext:
    """A jai_context: calls fail with the typed errors, and objects are closed when this goes."""

    def __init__(self, byte_limit: int | None = None, allocator: Allocator | None = None) -> None:
        """`byte_limit` is the most memory that the library may hold at a time."""
        self.functions = library()
        self.context = Context()
        self._allocator = allocator
        self._objects: list[tuple[str, c.c_void_p]] = []
        limit = NO_BYTE_LIMIT if byte_limit is None else min(byte_limit, NO_BYTE_LIMIT)
        self.functions.jai_context_init(c.byref(self.context), allocator, limit)

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function that returns a status.

        Raises InvalidStream, Unsupported, LimitExceeded, BundleError or MemoryError.
        """
        status = getattr(self.functions, function)(*arguments)
        if status == _OK:
            return
        message = self.context.message.decode("ascii", "replace")
        if status == _OUT_OF_MEMORY:
            raise MemoryError(message)
        raise _ERRORS[status](message)

    def open(self, kind: str, function: str, *arguments: Any) -> c.c_void_p:
        """Call a function that opens an object (`stream`, `model`, `encoding`) of this context."""
        handle = c.c_void_p()
        self.call(function, c.byref(self.context), *arguments, c.byref(handle))
        self._objects.append((kind, handle))
        return handle

    def __del__(self) -> None:
        for kind, handle in getattr(self, "_objects", ()):
            getattr(self.functions, f"jai_{kind}_close")(handle)
