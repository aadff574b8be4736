"""Results as one HTML file that needs nothing else: no network, no framework, readable without its script."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from ..pictures import Figure
from ..results import Cell, Results, StreamFacts, TargetFacts, Verdict
from ..text import counted

SYMBOLS = {
    Verdict.EXACT: "\N{CHECK MARK}",
    Verdict.WITHIN: "\N{ALMOST EQUAL TO}",
    Verdict.REFUSED: "=",
    Verdict.DIVERGES: "\N{BALLOT X}",
    Verdict.FAILED: "!",
    Verdict.ABSENT: "\N{EN DASH}",
    Verdict.LEFT_OUT: "\N{MIDDLE DOT}",
}
MEANINGS = {
    Verdict.EXACT: "byte-identical trace",
    Verdict.WITHIN: "reconstruction within tolerance",
    Verdict.REFUSED: "the stream is refused with the same class of error",
    Verdict.DIVERGES: "another trace",
    Verdict.FAILED: "no trace",
    Verdict.ABSENT: "the target is not there",
    Verdict.LEFT_OUT: "not for this target: too large, or no such networks in the bundle",
}
MAX_COLUMNS = 12
"""Targets that fit beside each other on a phone; more are scrolled sideways."""
MAX_ILLUSTRATED = 40
"""Disagreements that are shown with pictures; a broken target has them everywhere, and a page must stay loadable."""


def page(results: Results) -> str:
    """The HTML document."""
    folder = files(__package__)
    template = Template((folder / "page.html").read_text("utf-8"))
    return template.substitute(
        style=(folder / "page.css").read_text("utf-8"),
        script=(folder / "page.js").read_text("utf-8"),
        columns=len(results.targets),
        width="wide" if len(results.targets) > MAX_COLUMNS else "",
        banner=_banner(results),
        skipped=skipped_list(results.skipped),
        targets="".join(_target(results, target) for target in results.targets),
        tools=_tool_options(results),
        legend=_legend(results),
        header="".join(_column_head(target) for target in results.targets),
        rows=_rows(results),
        divergences=_divergences(results),
        within=_within(results),
        command=escape(results.command),
        created=escape(results.created),
        version=escape(results.version),
    )


def _banner(results: Results) -> str:
    streams, targets = len(results.streams), len(results.targets) - len(results.absent)
    pairs = sum(cell.verdict.good or cell.verdict.bad for cell in results.cells)
    bad = sum(cell.verdict.bad for cell in results.cells)
    tested = f"{counted(streams, 'stream')} on {counted(targets, 'target')}"
    if bad:
        state, text = "bad", f"{bad} of {pairs} decodes disagree with the reference ({tested})."
    elif pairs:
        state, text = "good", f"{tested}: all {pairs} decodes agree{_how(results)}."
    else:
        state, text = "warn", "Nothing was tested."
    if results.interrupted:
        state, text = "bad" if bad else "warn", f"Interrupted. {text}"
    return f'<p class="banner {state}">{text}</p>'


def _how(results: Results) -> str:
    within = results.count(Verdict.WITHIN)
    return f"; {within} of them, with networks, within tolerance, the rest bit for bit" if within else ", bit for bit"


def skipped_list(lines: Sequence[str]) -> str:
    """What could not be tested, for the head of a page."""
    if not lines:
        return '<p class="note">Nothing was skipped.</p>'
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="skipped"><h2>Skipped</h2><ul>{items}</ul></div>'


def _target(results: Results, target: TargetFacts) -> str:
    """A card: score, machine, time and memory at once, the other facts when it is opened."""
    cells = [cell for cell in results.cells if cell.target == target.name]
    facts = dict(target.facts)
    if target.absent or target.failed:
        facts["absent" if target.absent else "failed"] = target.absent or target.failed
    good = sum(cell.verdict.good for cell in cells)
    tested = sum(cell.verdict.good or cell.verdict.bad for cell in cells)
    state = "none" if target.absent else "good" if good == tested else "bad"
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    score = "absent" if target.absent else f"{good}/{tested}"
    return (
        f'<details class="target {state}"><summary><b>{_breakable(target.name)}</b><span>{score}</span>'
        f"<small>{escape(_costs(cells) or target.absent or target.failed)}</small></summary><dl>{rows}</dl></details>"
    )


def _costs(cells: Sequence[Cell]) -> str:
    """Processor time and memory of a target's decodes, in words."""
    times = [cell.milliseconds for cell in cells if cell.milliseconds is not None]
    peaks = [cell.peak_bytes for cell in cells if cell.peak_bytes is not None]
    parts = [f"{sum(times) / 1000:.1f} s of processor time"] if times else []
    if peaks:
        parts.append(f"at most {max(peaks) / 2**20:.1f} MiB")
    return ", ".join(parts)


def _tool_options(results: Results) -> str:
    tools = sorted({tool for stream in results.streams for tool in stream.tools})
    return "".join(f'<option value="{escape(tool)}">{escape(tool)}</option>' for tool in tools)


def _legend(results: Results) -> str:
    present = [verdict for verdict in Verdict if results.count(verdict)]
    return " ".join(
        f'<span class="meaning"><span class="key {_css(verdict)}">{SYMBOLS[verdict]}</span> {MEANINGS[verdict]}</span>'
        for verdict in present
    )


def _column_head(target: TargetFacts) -> str:
    return f'<th scope="col"><span>{_join(escape(target.name), "@+:")}</span></th>'


def _rows(results: Results) -> str:
    cells = {(cell.stream, cell.target): cell for cell in results.cells}
    return "".join(
        _row(stream, [cells[stream.name, target.name] for target in results.targets]) for stream in results.streams
    )


def _row(stream: StreamFacts, cells: list[Cell]) -> str:
    bad = any(cell.verdict.bad for cell in cells)
    tags = "".join(f"<i>{escape(tool)}</i>" for tool in stream.tools)
    error = f'<div class="error">refused: {escape(stream.error)}</div>' if stream.error else ""
    return (
        f'<tr data-tools="{escape("|".join(stream.tools))}" data-bad="{int(bad)}"><th scope="row">'
        f"<b>{_breakable(stream.name)}</b><small>{escape(stream.description)}, {stream.bytes:,} bytes</small>"
        f'{error}<div class="tags">{tags}</div></th>{"".join(map(_cell, cells))}</tr>\n'
    )


def _cell(cell: Cell) -> str:
    symbol = SYMBOLS[cell.verdict]
    time = f"<small>{cell.milliseconds}&#8239;ms</small>" if cell.milliseconds is not None else ""
    words = f"{cell.target}: {cell.verdict}" + (f", {cell.detail}" if cell.detail else "")
    explained = cell.verdict.bad or cell.verdict is Verdict.WITHIN
    inner = f'<a href="#{_anchor(cell)}">{symbol}</a>' if explained else symbol
    return f'<td class="{_css(cell.verdict)}" title="{escape(words)}">{inner}{time}</td>'


def _divergences(results: Results) -> str:
    """An article for every disagreement; targets that disagree in the same way share one. The first have pictures."""
    groups = defaultdict[tuple[str, str], list[Cell]](list)
    for cell in results.cells:
        if cell.verdict.bad:
            groups[cell.stream, cell.detail].append(cell)
    parts = [_divergence(cells, number < MAX_ILLUSTRATED) for number, cells in enumerate(groups.values())]
    return f"<section><h2>Disagreements</h2>{''.join(parts)}</section>" if parts else ""


def _divergence(cells: Sequence[Cell], illustrated: bool) -> str:
    first = cells[0]
    left_out = '<p class="note">Its pictures were left out, as of all further ones.</p>' if first.figures else ""
    targets = ", ".join(f'<span id="{_anchor(cell)}">{_breakable(cell.target)}</span>' for cell in cells)
    return (
        f"<article><h3>{_breakable(first.stream)} on {targets}</h3>"
        f"<p>{escape(first.detail)}</p>{figure_row(first.figures) if illustrated else left_out}</article>"
    )


def _within(results: Results) -> str:
    """What differs within tolerance, folded up."""
    cells = [cell for cell in results.cells if cell.verdict is Verdict.WITHIN]
    cells.sort(key=lambda cell: (cell.target, cell.stream))
    parts = [
        f'<details id="{_anchor(cell)}"><summary><b>{_breakable(cell.stream)}</b> on {_breakable(cell.target)}: '
        f"{escape(cell.detail)}</summary>{figure_row(cell.figures) if number < MAX_ILLUSTRATED else ''}</details>"
        for number, cell in enumerate(cells)
    ]
    return f'<section class="within"><h2>Within tolerance</h2>{"".join(parts)}</section>' if parts else ""


def figure_row(figures: Sequence[Figure]) -> str:
    """Pictures beside each other, each with its caption; nothing for none."""
    parts = [
        f'<figure><img alt="{escape(figure.caption)}" src="{figure.address}" loading="lazy">'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
        for figure in figures
    ]
    return f'<div class="figures">{"".join(parts)}</div>' if parts else ""


def _anchor(cell: Cell) -> str:
    return escape(f"{cell.stream}--{cell.target}")


def _breakable(name: str) -> str:
    """A long name that may break behind its separators."""
    return _join(escape(name), "_@+:-")


def _join(text: str, separators: Iterable[str]) -> str:
    for separator in separators:
        text = text.replace(separator, f"{separator}<wbr>")
    return text


def _css(verdict: Verdict) -> str:
    return "good" if verdict.good else "bad" if verdict.bad else "none"
