"""The typed error of the converter."""

from __future__ import annotations

from jpegai_mobile.errors import JpegAiError


class ConversionError(JpegAiError):
    """A checkpoint or network cannot be converted; the text names the tensor, node or file and the reason."""
