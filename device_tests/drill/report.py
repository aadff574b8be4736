"""Fault drills as one HTML file, with the pictures, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from ..pictures import Figure, difference, jpeg_address
from ..reference_decoder import LARGEST_SYMBOL, Picture
from ..report.html import figure_row, skipped_list
from .drill import Drill, Outcome


def write_drill_report(drills: Sequence[Drill], folder: Path, heading: dict[str, str]) -> None:
    """`index.html` and `drill.json` into a folder that exists; `heading`: version, created, command."""
    (folder / "index.html").write_text(_page(drills, heading), "utf-8")
    data = {"format": "jpegai-mobile fault drill", **heading, "drills": [_json(drill) for drill in drills]}
    (folder / "drill.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def _json(drill: Drill) -> dict[str, Any]:
    left_out = {"picture"}
    outcomes = [{k: v for k, v in vars(outcome).items() if k not in left_out} for outcome in drill.outcomes]
    return {"stream": drill.name, "encoder": drill.encoder, "elements": drill.elements, "outcomes": outcomes}


def _page(drills: Sequence[Drill], heading: dict[str, str]) -> str:
    template = Template((files(__package__) / "page.html").read_text("utf-8"))
    return template.substitute(
        {name: escape(value) for name, value in heading.items()},
        style=(files("device_tests.report") / "page.css").read_text("utf-8"),
        banner=_banner(drills),
        skipped=skipped_list(_skipped(drills)),
        encoder=escape(drills[0].encoder),
        drills="".join(map(_drill, drills)),
        largest=LARGEST_SYMBOL,
    )


def _skipped(drills: Sequence[Drill]) -> list[str]:
    """A line for every target that gave no result."""
    problems = [(outcome.target, outcome.problem) for drill in drills for outcome in drill.outcomes if outcome.problem]
    return [f"target {target}: {problem}" for target, problem in dict.fromkeys(problems)]


def _banner(drills: Sequence[Drill]) -> str:
    outcomes = [outcome for drill in drills for outcome in drill.outcomes if not outcome.problem]
    broken = sum(outcome.residual_differs > 0 for outcome in outcomes)
    exact = sum(outcome.integer_exact for outcome in outcomes)
    text = f"Integers: {exact} of {len(outcomes)} decodes exact. Float: {broken} of {len(outcomes)} decodes are noise."
    return f'<p class="banner {"bad" if broken else "good"}">{text}</p>'


def _drill(drill: Drill) -> str:
    exact = Figure("exact, on every target, with integers", jpeg_address(drill.exact))
    cards = "".join(_outcome(drill, outcome) for outcome in drill.outcomes)
    return (
        f"<section><h2>{escape(drill.name)}</h2><p class='note'>{drill.elements:,} latent elements</p>"
        f"{figure_row([exact])}{cards}</section>"
    )


def _outcome(drill: Drill, outcome: Outcome) -> str:
    if outcome.problem:
        return f'<div class="drill"><h3>{escape(outcome.target)}</h3><p>no result: {escape(outcome.problem)}</p></div>'
    share = 100 * outcome.residual_differs / drill.elements
    integers = "exact" if outcome.integer_exact else "NOT exact"
    words = (
        f"Integers: {integers}. Float: {outcome.index_differs:,} sigma indices and {outcome.table_differs:,} coding "
        f"tables differ, {outcome.residual_differs:,} residuals ({share:.1f} %) are wrong"
        + (f", {outcome.psnr:.1f} dB." if outcome.psnr is not None else ".")
    )
    build = outcome.facts.get("build", "")
    shown = () if outcome.picture is None else _figures(outcome.target, outcome.picture, drill.exact)
    state = "bad" if outcome.residual_differs else "good"
    return (
        f'<div class="drill {state}"><h3>{escape(outcome.target)}</h3><p>{words}</p>'
        f'<p class="note">{escape(build)}</p>{figure_row(shown)}</div>'
    )


def _figures(target: str, picture: Picture, exact: Picture) -> tuple[Figure, Figure]:
    return (
        Figure(f"float on {target}", jpeg_address(picture)),
        Figure("difference", jpeg_address(difference(exact, picture))),
    )
