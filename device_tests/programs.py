"""Programs of this machine: compilers, emulators, adb, and what they run. All are started here, so all can be ended."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import TargetError

_running = set[subprocess.Popen[str]]()
_none_may_run = threading.Event()


@dataclass(frozen=True)
class ProgramRun:
    """How a program ended, and what it said."""

    status: int
    """Exit status; negative: the signal that ended it. jai-trace: 0 done, 11..15 an error of the stream."""
    output: str
    errors: str
    """Text on standard error."""

    @property
    def message(self) -> str:
        """The last line on standard error, which says why a program failed; empty when there is none."""
        return (self.errors.strip().splitlines() or [""])[-1]

    @property
    def traced(self) -> bool:
        """Whether a trace was written: also, as far as it goes, that of a stream found to be damaged."""
        return any(line.startswith("= ") for line in self.output.splitlines())

    @property
    def facts(self) -> dict[str, str]:
        """What was printed as `# name value`."""
        lines = (line.split(maxsplit=2) for line in self.output.splitlines() if line.startswith("# "))
        return {words[1]: words[2] for words in lines if len(words) == 3}

    def number(self, name: str) -> int | None:
        """A fact that is a number; None when it was not printed or is none."""
        value = self.facts.get(name, "")
        return int(value) if value.isdecimal() else None


def run_program(
    command: Sequence[str], seconds: int, *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> ProgramRun:
    """Run a program to its end, with nothing on standard input.

    Raises TargetError when it cannot be started, or has not ended after so many seconds and is ended.
    """
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", env=environment, cwd=folder,
        )  # fmt: skip
    except OSError as error:
        raise TargetError(f"{name}: {error.strerror}") from error
    _running.add(process)
    if _none_may_run.is_set():
        process.kill()
    with process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TargetError(f"{name}: no end after {seconds} s") from None
        finally:
            process.kill()
            _running.discard(process)
    return ProgramRun(process.returncode, output, errors)


@contextmanager
def no_programs() -> Iterator[None]:
    """Ends all programs that other threads have running or start inside the block: they get a negative status."""
    _none_may_run.set()
    for process in list(_running):
        process.kill()
    try:
        yield
    finally:
        _none_may_run.clear()
