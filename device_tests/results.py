"""What a run of the device tests found, as plain data; `report.json` is this without the pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from .pictures import Figure

SCHEMA = 2


class Verdict(StrEnum):
    """How a target's trace of a stream compares with the reference."""

    EXACT = "exact"
    """Byte-identical traces."""
    WITHIN = "within tolerance"
    """Networks in float: not the same bits, and no more different than processors are."""
    REFUSED = "refused alike"
    """Both report the same class of error."""
    DIVERGES = "diverges"
    FAILED = "failed"
    """No trace, and not the error that was expected."""
    ABSENT = "absent"
    """The target is not there."""
    LEFT_OUT = "left out"
    """The stream is not for this target: too large, or the bundle has no such networks."""

    @property
    def good(self) -> bool:
        """Whether target and reference agree."""
        return self in (Verdict.EXACT, Verdict.WITHIN, Verdict.REFUSED)

    @property
    def bad(self) -> bool:
        """Whether target and reference were seen to disagree."""
        return self in (Verdict.DIVERGES, Verdict.FAILED)


@dataclass(frozen=True)
class StreamFacts:
    """A code stream and its reference trace."""

    name: str
    bytes: int
    sha256: str
    samples: int
    """Coded luma samples; 0 when the headers cannot be read."""
    description: str
    """Size, samples and chroma format in words."""
    tools: tuple[str, ...]
    """Coding tools in use; what the report filters by."""
    trace: str
    """SHA-256 of the reference trace; empty when the stream is refused."""
    records: dict[str, str]
    """SHA-256 of every array record of the reference trace."""
    error: str
    """Why the reference refuses the stream, or empty."""


@dataclass(frozen=True)
class TargetFacts:
    """A target that was named."""

    name: str
    absent: str = ""
    """Why it is not there, or empty."""
    failed: str = ""
    """Why it could not be prepared although it is there, or empty."""
    facts: dict[str, str] = field(default_factory=dict)
    """Device facts by name."""


@dataclass(frozen=True)
class Cell:
    """One stream on one target."""

    stream: str
    target: str
    verdict: Verdict
    detail: str = ""
    """One line: the first divergence, or what went wrong."""
    milliseconds: int | None = None
    """Processor time of the decode."""
    peak_bytes: int | None = None
    """Most memory held by the decoder."""
    figures: tuple[Figure, ...] = ()
    """What differs, to be looked at; not part of the JSON."""


@dataclass
class Results:
    """A matrix of streams and targets."""

    version: str
    created: str
    """Time of the run, UTC, ISO 8601."""
    command: str
    streams: list[StreamFacts] = field(default_factory=list)
    targets: list[TargetFacts] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    interrupted: bool = False
    """Whether the run was ended before all streams were tested."""
    skipped: list[str] = field(default_factory=list)
    """One line for everything that was named or found and could not be tested."""

    def count(self, verdict: Verdict) -> int:
        """Cells with a verdict."""
        return sum(cell.verdict is verdict for cell in self.cells)

    @property
    def bad(self) -> bool:
        """Whether any target was seen to disagree."""
        return any(cell.verdict.bad for cell in self.cells)

    @property
    def absent(self) -> list[TargetFacts]:
        """Targets that are not there."""
        return [target for target in self.targets if target.absent]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        data = asdict(self)
        for cell in data["cells"]:
            del cell["figures"]
        return {"format": "jpegai-mobile device report", "schema_version": SCHEMA, **data}
