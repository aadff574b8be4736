"""Pages of mapped files: they go when they are told to, and come back when they are read."""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from jpegai_mobile import hashing
from jpegai_mobile.runtime.mapped_file import drop_pages

SIZE = 8 << 20


def resident(path: Path) -> int:
    """Kibibytes of the mappings of a file that are in memory."""
    described = Path("/proc/self/smaps").read_text(errors="surrogateescape").partition(str(path))[2]
    found = re.search(r"Rss: +(\d+) kB", described)
    assert found
    return int(found[1])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is mapped")
def test_pages_that_are_dropped_are_read_again(tmp_path: Path) -> None:
    path, other = tmp_path / "a file.bin", tmp_path / "other.bin"
    content = bytes(range(256)) * (SIZE // 256)
    for each in (path, other):
        each.write_bytes(content)
    with path.open("rb") as file, other.open("rb") as second:
        mapped = mmap.mmap(file.fileno(), SIZE, prot=mmap.PROT_READ)
        kept = mmap.mmap(second.fileno(), SIZE, prot=mmap.PROT_READ)
        assert mapped[:] == content == kept[:]
        assert resident(path) == resident(other) == SIZE >> 10
        drop_pages(path)
        assert resident(path) == 0 and resident(other) == SIZE >> 10
        assert mapped[:] == content


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is mapped")
def test_other_mappings_may_have_any_name(tmp_path: Path) -> None:
    path, odd = tmp_path / "a file.bin", tmp_path / os.fsdecode(b"caf\xe9.bin")
    for each in (path, odd):
        each.write_bytes(bytes(SIZE))
    with path.open("rb") as file, odd.open("rb") as second:
        mapped = mmap.mmap(file.fileno(), SIZE, prot=mmap.PROT_READ)
        other = mmap.mmap(second.fileno(), SIZE, prot=mmap.PROT_READ)
        assert mapped[:] == bytes(SIZE)
        drop_pages(path)
        assert resident(path) == 0
        drop_pages(odd)
        assert other[:] == bytes(SIZE)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is mapped")
def test_without_proc_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    drop_pages(tmp_path / "a file.bin")


@pytest.mark.parametrize("modules", [hashing.OWN_MODULES, ()])
def test_hashes_are_those_of_hashlib(modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "OWN_MODULES", modules)
    hashing._module.cache_clear()
    started = hashing.sha256(b"one, ")
    started.update(b"two")
    assert started.hexdigest() == hashlib.sha256(b"one, two").hexdigest()
    assert hashing.sha256().digest() == hashlib.sha256().digest()
    hashing._module.cache_clear()


def test_decoding_does_not_load_openssl() -> None:
    code = "import sys, jpegai_mobile.runtime.decoder; sys.exit('_hashlib' in sys.modules)"
    if not any(_importable(name) for name in hashing.OWN_MODULES):
        pytest.skip("this Python has no SHA-256 of its own")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _importable(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
