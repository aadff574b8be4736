"""What the project's commands have in common: an error is one line on stderr, and the exit code says what kind it was.

0 done, 1 bad input (stream, bundle, file), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

from ..errors import InvalidStream, JpegAiError, LimitExceeded, Unsupported
from ..image.output_stream import STANDARD_OUTPUT, errors_named
from ..text import printable
from .start import INTERRUPTED

BAD_INPUT, USAGE = 1, 2


class UsageError(Exception):
    """The command line asks for something that makes no sense."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave; `--help` says the rest."""
        self.exit(USAGE, f"{self.prog}: {printable(message)}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave, quietly where nobody reads the help any more."""
        _discard_unwritable_output()
        super().exit(status, message)


def run_program(name: str, work: Callable[[], int]) -> int:
    """The exit code of `work`, or the one for what it raises; `name` is what the line on stderr starts with."""
    try:
        with _termination_interrupts(), _printing_to_standard_output():
            return work()
    except UsageError as error:
        return fail(name, str(error), USAGE)
    except JpegAiError as error:
        return fail(name, str(error), BAD_INPUT)
    except BrokenPipeError:  # who reads knows that there is more
        return BAD_INPUT
    except OSError as error:
        return fail(name, f"{error.filename or 'file'}: {error.strerror or error}", BAD_INPUT)
    except MemoryError:
        return fail(name, "not enough memory", BAD_INPUT)
    except KeyboardInterrupt:
        return fail(name, "interrupted", INTERRUPTED)
    finally:
        _discard_unwritable_output()


@contextmanager
def stream_named(read_from: Callable[[], str]) -> Iterator[None]:
    """What is wrong with a code stream is said of the file that it was read from."""
    try:
        yield
    except (InvalidStream, Unsupported, LimitExceeded) as error:
        raise type(error)(f"{read_from()}: {error}") from error


@contextmanager
def wrong_usage(kind: type[Exception]) -> Iterator[None]:
    """An error of this kind says what of the command line makes no sense: it becomes a UsageError."""
    try:
        yield
    except kind as error:
        raise UsageError(str(error)) from error


def check_folder_of(path: Path) -> None:
    """Raise OSError where no file can be made at a path: before the work whose result it is to hold."""
    if not os.access(path.parent, os.W_OK):
        number = errno.EACCES if path.parent.is_dir() else errno.ENOENT
        raise OSError(number, os.strerror(number), str(path))


def fail(name: str, text: str, code: int) -> int:
    """Print why a command gives up; gives the exit code back."""
    with suppress(OSError):
        print(f"{name}: {printable(text)}", file=sys.stderr)
    return code


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does, so that nothing half-written is left behind."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(each) is signal.SIG_DFL:
                before[each] = signal.signal(each, signal.default_int_handler)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _StandardOutput:
    """A text stream whose errors say that it is the standard output: those of `print` name no file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with errors_named(STANDARD_OUTPUT):
            return self._stream.write(text)

    def flush(self) -> None:
        with errors_named(STANDARD_OUTPUT):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _printing_to_standard_output() -> Iterator[None]:
    """What is printed is written at the end at the latest; errors of that name standard output."""
    if sys.stdout is None:
        yield
        return
    with redirect_stdout(cast(TextIO, _StandardOutput(sys.stdout))):
        yield
        sys.stdout.flush()


def _discard_unwritable_output() -> None:
    """What stdout does not take is forgotten: Python would complain about it once more at the end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
