"""Text made fit to be shown, where it comes from file names, files, devices and broken programs."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every character that cannot be printed, line ends too, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
