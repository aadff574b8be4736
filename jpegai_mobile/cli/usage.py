"""Errors and argument types shared by the commands."""

from __future__ import annotations

import argparse


class UsageError(Exception):
    """The command line asks for something that makes no sense; exit code 2."""


def channel_limits(text: str) -> tuple[int, int]:
    """`Y,UV`: the largest number of residual channels to use per component."""
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not Y,UV (two numbers)")
    return int(parts[0]), int(parts[1])


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)
