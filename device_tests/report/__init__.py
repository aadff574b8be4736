"""A run's results as files: `report.json` for programs, `junit.xml` for CI, `index.html` for people."""

from __future__ import annotations

import json
from pathlib import Path

from ..compare_files import REPORT_NAME
from ..results import Results
from .html import page
from .junit import junit


def write_report(results: Results, folder: Path) -> None:
    """Write the three files into a folder that exists."""
    (folder / REPORT_NAME).write_text(json.dumps(results.to_json(), indent=1) + "\n", "utf-8")
    (folder / "junit.xml").write_bytes(junit(results))
    (folder / "index.html").write_text(page(results), "utf-8")
