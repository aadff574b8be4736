"""The entropy stage in portable C: the same arrays and errors as the plain one, fast.

`entropy/` holds the C sources that phones link; this package binds the shared library built from them.
"""

from .binding import version
from .headers import read_headers
from .rows import ResidualRow, ZRow, decode_residual_rows, decode_z_rows, encode_residual_rows, encode_z_rows
from .stage import decode_entropy_stage, decode_symbols

__all__ = [
    "ResidualRow",
    "ZRow",
    "decode_entropy_stage",
    "decode_residual_rows",
    "decode_symbols",
    "decode_z_rows",
    "encode_residual_rows",
    "encode_z_rows",
    "read_headers",
    "version",
]
