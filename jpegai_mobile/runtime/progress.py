"""How far a decode or an encode is, for those who wait for it and may lose interest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Cancelled

Listener = Callable[[int, int], object]
"""Called with (done, total) luma samples after every patch; a true result, True say, asks to stop.

An encode counts them once for every time that networks see them, and as if it took as many passes as it may.
"""

Advance = Callable[[int], None]
"""Is told how many more samples are done; an exception of it ends the work."""


def unheard(samples: int) -> None:
    """For those who do not ask how far the work is."""


@dataclass(eq=False)
class Progress:
    """Counts what is done and tells a listener."""

    total: int
    listener: Listener | None
    done: int = 0

    def advance(self, samples: int) -> None:
        """So much more is done; raises Cancelled when the listener asks to stop, and whatever it raises itself."""
        self.done += samples
        if self.listener is not None and self.listener(self.done, self.total):
            raise Cancelled(f"cancelled after {self.done} of {self.total} samples")
