"""Measures what the raw results lack, picture by picture, in several processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image

from jpegai_mobile.encoder.options import DEFAULT_EFFORT
from picture_quality.metrics import Picture

from . import table
from .codecs import OURS, OwnCodec, Rival, measure_ours, measure_rival, own_version
from .table import Measurement

SUFFIXES = (".png", ".ppm", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Work:
    """A picture that goes through one rival, or through ours when there is none."""

    picture: Path
    rival: Rival | None
    bundle: Path | None = None
    effort: int = DEFAULT_EFFORT

    @property
    def codecs(self) -> list[str]:
        """Names of those that get rows."""
        return [codec.name for codec in (OURS if self.rival is None else (self.rival,))]

    def measure(self) -> list[Measurement]:
        """All rows of the picture; runs in a process of its own."""
        samples = read_picture(self.picture)
        if self.rival is not None:
            return list(measure_rival(self.picture.name, samples, self.rival))
        assert self.bundle is not None
        return list(measure_ours(self.picture.name, samples, self.bundle, self.effort))


def read_picture(path: Path) -> Picture:
    """Its samples as RGB of 8 bit."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, by name; raises ValueError when there are none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise ValueError(f"{folder}: no folder with pictures ({', '.join(SUFFIXES)})")
    return found


def versions_of(codecs: Sequence[OwnCodec | Rival], bundle: Path | None, effort: int) -> dict[str, str]:
    """What each codec is made of at present. Raises ValueError or BundleError for those that cannot run."""
    versions = {}
    for codec in codecs:
        if isinstance(codec, Rival):
            versions[codec.name] = codec.version
        elif bundle is None:
            raise ValueError("our codec needs --bundle, with an encoder; or measure --only rivals")
        else:
            versions[codec.name] = own_version(bundle, effort)
    return versions


def measure_missing(
    path: Path,
    pictures: Sequence[Path],
    codecs: Sequence[OwnCodec | Rival],
    bundle: Path | None,
    processes: int,
    again: bool = False,
    effort: int = DEFAULT_EFFORT,
) -> list[Work]:
    """Complete the raw results in `path` for these codecs and give what that took.

    Rows are added as they come, so that a run that was stopped goes on where it was. Rows of the codecs that are not
    of their present version are dropped, with `again` all rows. Raises ValueError or BundleError.
    """
    versions = versions_of(codecs, bundle, effort)
    kept = [
        row
        for row in table.read(path)
        if row.codec not in versions or (row.version == versions[row.codec] and not again)
    ]
    table.write(path, kept)
    work = list(_missing(kept, pictures, codecs, bundle, effort))
    with ProcessPoolExecutor(processes, get_context("spawn"), _end_with_parent) as pool, path.open("a") as file:
        running = {pool.submit(item.measure): item for item in work}
        for count, done in enumerate(as_completed(running), 1):
            item = running[done]
            what = f"{item.picture.name} {item.rival.name if item.rival else 'ours'}"
            if error := done.exception():
                pool.shutdown(wait=False, cancel_futures=True)
                raise ValueError(f"{what}: {error}") from error
            rows = done.result()
            file.write(table.lines(rows))
            file.flush()
            kept += rows
            print(f"{count} of {len(work)}: {what}", file=sys.stderr)
    table.write(path, kept)
    return work


def _end_with_parent() -> None:
    """Have this process end when the one that started it is killed: it would wait for work for ever."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _missing(
    rows: Sequence[Measurement],
    pictures: Sequence[Path],
    codecs: Sequence[OwnCodec | Rival],
    bundle: Path | None,
    effort: int,
) -> Iterator[Work]:
    present = {(row.picture, row.codec) for row in rows}
    for codec in codecs:
        if isinstance(codec, Rival):
            yield from (Work(path, codec) for path in pictures if (path.name, codec.name) not in present)
    if any(isinstance(codec, OwnCodec) for codec in codecs):
        lacking = (path for path in pictures if any((path.name, codec.name) not in present for codec in OURS))
        yield from (Work(path, None, bundle, effort) for path in lacking)
