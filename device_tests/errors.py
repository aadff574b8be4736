"""Errors of the device tests: one line each, saying what is wrong and where."""

from __future__ import annotations

from jpegai_mobile.errors import JpegAiError


class TraceError(JpegAiError):
    """A trace file is damaged or of another format; the text says at which byte."""


class TargetError(JpegAiError):
    """A target that is there failed: its compiler, its program or the connection to it."""


class UnreadableStream(JpegAiError):
    """A stream in a folder cannot be read: it is no file, too large, or refused by the operating system."""


class AbsentTarget(JpegAiError):
    """A target is not there; the text names what is missing."""
