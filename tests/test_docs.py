"""What the pages promise can be typed: commands parse, modules and links exist, the Python of README.md runs."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from converters.cli import _convert_parser, _pack_parser, _report_parser
from device_tests.cli import _parser as devices_parser
from jpegai_mobile.cli.main import build_parser

from .vectors import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "weights/README.md", "training/README.md")),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("benchmarks/**/*.md"),
]
COMMAND = re.compile(r"^(?:    |  )?(?:[A-Z_]+=\S+ )?(jpegai(?:-convert|-devices)? .*)$", re.MULTILINE)
MODULE = re.compile(r"python -m ([\w.]+)([^\n`]*)")
CONVERT_PARSERS = {"report": _report_parser, "pack": _pack_parser}
COMMANDS = [
    *(f"jpegai {name}" for name in ("info", "decode", "encode", "trace", "bench")),
    *("jpegai-convert", "jpegai-convert pack", "jpegai-convert report"),
    *("jpegai-devices", *(f"jpegai-devices {name}" for name in ("run", "drill", "compare", "trace", "targets"))),
]
"""Every command whose help has examples."""


def commands(text: str) -> list[str]:
    """Lines of code that call a command of the project, without what a shell would do and without remarks."""
    joined = re.sub(r"\\\n *", "", text)
    return [re.split(r"   |  #|\s[|>]\s", line, maxsplit=1)[0] for line in COMMAND.findall(joined)]


def parses(command: str) -> None:
    program, *words = shlex.split(command)
    if program == "jpegai":
        build_parser().parse_args(words)
    elif program == "jpegai-devices":
        devices_parser().parse_args(words)
    elif words[0] in CONVERT_PARSERS:
        CONVERT_PARSERS[words[0]]().parse_args(words[1:])
    else:
        _convert_parser().parse_args(words)


def source_of(module: str) -> str:
    """The text of what `python -m` runs."""
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{module}.__main__")
    assert spec is not None and spec.origin is not None, module
    return Path(spec.origin).read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_name_what_there_is(page: Path) -> None:
    text = page.read_text()
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)) + "\n".join(re.findall(r"^    .*$", text, re.M))
    for command in commands(blocks):
        parses(command)
    for module, words in MODULE.findall(re.sub(r"\\\n *", "", text)):
        source = source_of(module)
        for option in re.findall(r"--[\w-]+", words):
            assert f'"{option}"' in source, f"{module} {option}"
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert "://" in link or (page.parent / link).exists(), link


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_the_help_parse(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parses(f"{command} --help")
    _, _, end = capsys.readouterr().out.partition("\nexample")
    examples = commands(end)
    assert any(example.startswith(command) for example in examples)
    for example in examples:
        parses(example)


def test_the_pages_have_commands() -> None:
    assert len([command for page in PAGES for command in commands(page.read_text())]) > 10


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "photo.jai").write_bytes((ROOT / "examples" / "kodim07.jai").read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert "768 x 512" in capsys.readouterr().out
