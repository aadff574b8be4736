"""Results as JUnit XML: a suite per target, a case per stream; absent targets are skipped cases."""

from __future__ import annotations

from xml.etree import ElementTree

from ..results import Cell, Results, TargetFacts, Verdict

OUTCOMES = {
    Verdict.DIVERGES: "failure",
    Verdict.FAILED: "error",
    Verdict.ABSENT: "skipped",
    Verdict.LEFT_OUT: "skipped",
}
"""Element of a case by its verdict; none for agreement."""


def junit(results: Results) -> bytes:
    """The XML document, UTF-8."""
    root = ElementTree.Element("testsuites", name="jpegai-devices")
    for target in results.targets:
        root.append(_suite(target, [cell for cell in results.cells if cell.target == target.name]))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


def _suite(target: TargetFacts, cells: list[Cell]) -> ElementTree.Element:
    counts = {
        "tests": len(cells),
        "failures": sum(cell.verdict is Verdict.DIVERGES for cell in cells),
        "errors": sum(cell.verdict is Verdict.FAILED for cell in cells),
        "skipped": sum(OUTCOMES.get(cell.verdict) == "skipped" for cell in cells),
    }
    attributes = {"name": target.name} | {name: str(count) for name, count in counts.items()}
    suite = ElementTree.Element("testsuite", attributes)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in target.facts.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    suite.extend(_case(cell) for cell in cells)
    return suite


def _case(cell: Cell) -> ElementTree.Element:
    seconds = f"{(cell.milliseconds or 0) / 1000:.3f}"
    case = ElementTree.Element("testcase", name=cell.stream, classname=cell.target, time=seconds)
    if cell.verdict in OUTCOMES:
        ElementTree.SubElement(case, OUTCOMES[cell.verdict], message=_printable(cell.detail))
    return case


def _printable(text: str) -> str:
    """Without characters that XML cannot hold; messages may come from a broken program."""
    return "".join(c if c.isprintable() else "?" for c in text)
