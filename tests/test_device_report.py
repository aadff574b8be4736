"""The report's page in a browser: the filter, and that nothing sticks out at the widths of a phone and a desk."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device_tests.report import write_report
from device_tests.results import Cell, Results, StreamFacts, TargetFacts, Verdict

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium")
TARGETS = ("host", "qemu-aarch64@max:sve=off+O3+fast-math", "qemu-armv7", "qemu-s390x", "adb:0123456789ABCDEF")
HOSTILE = 'name<script>"&'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty streams on five targets: agreement, a divergence, an absent target, names that could break a page."""
    results = Results("1.0", "2026-01-01T00:00:00+00:00", "jpegai-devices run --targets " + ",".join(TARGETS))
    results.targets = [TargetFacts(name, facts={"machine": "a machine " * 9}) for name in TARGETS[:-1]]
    results.targets.append(TargetFacts(TARGETS[-1], absent="adb is not installed"))
    results.skipped = [f"target {TARGETS[-1]}: adb is not installed"]
    for number in range(40):
        name = HOSTILE if number == 39 else f"stream_{number}_with_a_rather_long_name_2112x1088"
        tools = ("RVS", "cube flags") if number % 4 == 0 else ("regions",)
        results.streams.append(StreamFacts(name, 100, "0" * 64, 4096, "64 x 64", tools, "0" * 64, {}, ""))
        verdicts = [Verdict.EXACT, Verdict.WITHIN, Verdict.REFUSED, Verdict.DIVERGES if number == 4 else Verdict.EXACT]
        for target, verdict in zip(TARGETS, [*verdicts, Verdict.ABSENT], strict=True):
            results.cells.append(Cell(name, target, verdict, "sigma_y: 1 against 2" if verdict.bad else "", 12, 4096))
    folder = tmp_path_factory.mktemp("report")
    write_report(results, folder)
    return folder


def evaluate(folder: Path, script: str, width: int) -> dict[str, object]:
    """What a script returns that runs in the page, shown `width` pixels wide."""
    wrapper = folder / "wrapper.html"
    wrapper.write_text(
        f'<iframe src="index.html" style="width:{width}px;height:900px;border:0"></iframe><pre id="out"></pre>'
        "<script>document.querySelector('iframe').onload = event => {"
        "const view = event.target.contentWindow, page = view.document;"
        f"document.getElementById('out').textContent = JSON.stringify((() => {{ {script} }})()); }};</script>"
    )
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'profile'}", "--window-size=1600,1000", "--virtual-time-budget=5000", "--dump-dom",
        wrapper.as_uri(),
    ]  # fmt: skip
    dump = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.search(r'<pre id="out">(.*?)</pre>', dump, re.DOTALL)
    assert found is not None
    return dict(json.loads(html.unescape(found[1])))


@needs_browser
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_sticks_out(report: Path, width: int) -> None:
    script = """
        const cells = [...page.querySelectorAll("td")].map(cell => cell.getBoundingClientRect());
        const text = [...page.querySelectorAll("td, th, p, li, summary")];
        return {
            scroll: page.documentElement.scrollWidth,
            client: page.documentElement.clientWidth,
            right: Math.max(...cells.map(box => box.right)),
            narrowest: Math.min(...cells.map(box => box.width)),
            smallest: Math.min(...text.map(part => parseFloat(view.getComputedStyle(part).fontSize))),
        };"""
    measured = evaluate(report, script, width)
    assert measured["scroll"] == measured["client"], "nothing to scroll sideways"
    assert measured["right"] <= measured["client"]
    assert measured["narrowest"] >= 27
    assert measured["smallest"] >= 11


@needs_browser
def test_the_filter(report: Path) -> None:
    script = """
        const rows = [...page.querySelectorAll("tbody tr")];
        const shown = () => rows.filter(row => row.getBoundingClientRect().height > 0);
        const set = (id, name, value) => {
            const control = page.getElementById(id);
            control[name] = value;
            control.dispatchEvent(new view.Event("input"));
        };
        const all = shown().length;
        set("tool", "value", "cube flags");
        const tool = shown().length;
        set("bad", "checked", true);
        const bad = shown().map(row => row.querySelector("b").textContent);
        set("bad", "checked", false);
        set("tool", "value", "");
        set("name", "value", "STREAM_1");
        return {all, tool, bad, named: shown().length, said: page.getElementById("shown").textContent};"""
    found = evaluate(report, script, 1440)
    assert (found["all"], found["tool"], found["named"]) == (40, 10, 11)
    assert found["bad"] == ["stream_4_with_a_rather_long_name_2112x1088"]
    assert found["said"] == "11 of 40"


def test_names_cannot_break_the_page(report: Path) -> None:
    page = (report / "index.html").read_text()
    assert "name<script>" not in page
    assert page.count("<script>") == 1


def test_the_page_says_what_was_found(report: Path) -> None:
    page = (report / "index.html").read_text()
    assert "1 of 160 decodes disagree" in page
    assert f"<li>target {TARGETS[-1]}: adb is not installed</li>" in page
    assert 'href="#stream_4_with_a_rather_long_name_2112x1088--qemu-s390x"' in page
    assert 'id="stream_4_with_a_rather_long_name_2112x1088--qemu-s390x"' in page
