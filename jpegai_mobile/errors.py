"""The typed errors of the package: one line each, saying what is wrong and where."""

from __future__ import annotations


class JpegAiError(Exception):
    """Base of every error that this package raises about its input."""


class InvalidStream(JpegAiError):
    """The code stream breaks the syntax, is damaged, or was made for other weights."""


class Unsupported(JpegAiError):
    """The code stream is legal but uses something this decoder does not have; the text names it."""


class LimitExceeded(JpegAiError):
    """Decoding would need more samples or memory than the caller allows; nothing was allocated."""


class DecodeWarning(UserWarning):
    """A picture was decoded, but not all of it, or not with what its stream puts first."""


class EncodeWarning(UserWarning):
    """A picture was coded, but not all of what was given or asked for."""


class BundleError(JpegAiError):
    """The model bundle is missing, damaged, or does not hold what the code stream needs."""


class PictureError(JpegAiError):
    """The picture to encode cannot be read, or holds what a code stream has no place for."""


class Cancelled(JpegAiError):
    """The caller asked to stop; whatever was at work can be used again."""
