"""What every target can do."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Protocol

from ..programs import ProgramRun

RUN_SECONDS = 600
"""Longest that one stream may take."""


class Stage(Enum):
    """What a target makes traces of."""

    ENTROPY = "entropy stage"
    """Integers: equal, always."""
    RECONSTRUCTION = "reconstruction stage"
    """Networks in float: within tolerances."""


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
