"""The rooms of docs/architecture.md are those of the tree, and each uses what the table allows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .vectors import ROOT

ROW = re.compile(r"\| `(?P<folder>[\w/]+)` \| .* \| (?P<uses>[^|]+) \|")
OUTSIDE = ("tests", "docs", "examples", "weights", "benchmarks", "tools")
"""Top-level folders that are no rooms: nothing uses them, or they hold no code."""


def rooms() -> dict[str, set[str]]:
    """Folder -> folders that it may use, by the table."""
    rows = ROW.finditer((ROOT / "docs" / "architecture.md").read_text())
    table = {row["folder"]: {use.strip() for use in row["uses"].split(",")} - {"\N{EN DASH}"} for row in rows}
    names = {folder.removeprefix("jpegai_mobile/"): folder for folder in table}
    allowed: dict[str, set[str]] = {}
    for folder, uses in table.items():
        above = set(allowed) if "all above" in uses else set()
        allowed[folder] = above | {names[use] for use in uses - {"all above"}}
    return allowed


def room_of(module: str, known: set[str]) -> str | None:
    """The room of a dotted name, the innermost one."""
    parts = module.split(".")
    folders = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((folder for folder in folders if folder in known), None)


def imported(path: Path) -> Iterator[str]:
    """Dotted names of the modules that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join((*base, node.module or "")).rstrip(".")
            yield from (f"{name}.{each.name}" for each in node.names)


def test_every_folder_of_code_is_a_room() -> None:
    code = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("jpegai_mobile/*/__init__.py")}
    tops = {path.parent.name for path in ROOT.glob("*/__init__.py")} - set(OUTSIDE)
    assert (code | tops) - {"jpegai_mobile"} <= set(rooms())


def test_rooms_use_what_the_table_allows() -> None:
    allowed = rooms()
    found = set()
    for path in (path for top in {room.split("/")[0] for room in allowed} for path in (ROOT / top).rglob("*.py")):
        room = room_of(".".join(path.relative_to(ROOT).parent.parts), set(allowed))
        for module in imported(path):
            assert module.split(".")[0] not in OUTSIDE, f"{path.relative_to(ROOT)} uses {module}"
            used = room_of(module, set(allowed))
            if room is not None and used not in (None, room):
                found.add((room, used))
                assert used in allowed[room], f"{path.relative_to(ROOT)} uses {used}"
    named = {(room, used) for room, uses in allowed.items() for used in uses}
    assert len(found) > len(named) / 2
