"""Text made fit to be shown, where it comes from file names, files, devices and broken programs."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every character that cannot be printed, line ends too, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def first_line(error: Exception) -> str:
    """What an error of a library says, in one line; its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
