"""What every target can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

RUN_SECONDS = 600
"""Longest that one stream may take."""


class Stage(Enum):
    """What a target makes traces of."""

    ENTROPY = "entropy stage"
    """Integers: equal, always."""
    RECONSTRUCTION = "reconstruction stage"
    """Networks in float: within tolerances."""


@dataclass(frozen=True)
class ProgramRun:
    """What a run of jai-trace said."""

    status: int
    """Exit status: 0 done, 11..15 an error of the stream, else the program failed (negative: the signal)."""
    output: str
    message: str

    @property
    def traced(self) -> bool:
        """Whether a trace was written: also, as far as it goes, that of a stream found to be damaged."""
        return any(line.startswith("= ") for line in self.output.splitlines())

    def fact(self, name: str) -> int | None:
        """A number that the program printed as `# name value`."""
        for line in self.output.splitlines():
            if line.startswith(f"# {name} "):
                return int(line.split()[2])
        return None


class Target(Protocol):
    """A place where traces are made. Methods raise AbsentTarget (from `prepare` only) or TargetError."""

    name: str
    stage: Stage
    max_samples: int | None
    """Largest picture, in coded luma samples; None when there is no limit."""
    precision: str | None
    """Precision of its networks; None for targets of the entropy stage."""

    def prepare(self, workspace: Path) -> None:
        """Get ready: build, connect, install; `workspace` is an empty folder of the target's own."""

    def push(self, path: Path) -> str:
        """Bring a file to the target; returns its name there."""

    def run(self, stream: str, tables: str) -> ProgramRun:
        """Make the trace of a stream that was pushed; one at a time per target."""

    def pull(self, path: Path) -> None:
        """Fetch the trace of the last run, which was traced."""

    def describe(self) -> dict[str, str]:
        """Facts about the target, by name, for people to read; known after `prepare`."""
