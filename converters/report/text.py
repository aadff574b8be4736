"""A report as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Facts = dict[str, Any]
WORST_TENSORS = 5


def report_text(facts: Facts) -> str:
    """The report for a terminal."""
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: Facts) -> Iterator[str]:
    yield "FILES"
    for entry in facts["files"]:
        yield f"{entry['bytes']:>12,}  {entry['file']}"
        if "recipe" in entry:
            runs = f"{delegation(entry)}; " if "delegates" in entry else ""
            memory = ", ".join(
                f"{size / 2**20:.1f} MiB at {patch}" for patch, size in entry["activation_bytes"].items()
            )
            yield f"{'':14}{entry['recipe']}; {entry['parameters']:,} parameters, {entry['kmac_per_sample']} kMAC/px"
            yield f"{'':14}{runs}float32 activations {memory}"
        for tensor in entry.get("tensors", [])[:WORST_TENSORS]:
            if tensor["sqnr_db"] is not None:
                yield f"{'':14}{decibel(tensor['sqnr_db']):>8}  {tensor['tensor']}"
    yield ""
    yield "OPERATIONS (kMAC per sample; the standard's figure covers all of decoding)"
    for stage in facts["stages"]:
        parts = ", ".join(f"{name} {value}" for name, value in stage["stages"].items())
        yield f"{stage['operating_point']}: {stage['total']} (standard {stage['standard']}): {parts}"
    yield ""
    yield "DECODES AGAINST FLOAT32 (Y, U, V before filters)"
    for quality in facts["quality"]:
        bits, name = quality["bits_per_sample"], quality["picture"]
        picture = name if bits is None else f"{name} ({bits:.3f} bits per sample)"
        near = sum(share for step, share in quality["histogram"].items() if abs(int(step)) <= 1)
        yield (
            f"{picture} {quality['operating_point']} {quality['precision']}: {decibel(quality['db'])}, "
            f"{100 * near:.2f} % of samples within 1"
        )
    yield from (f"note: {note}" for note in facts["notes"])


def decibel(value: float | None) -> str:
    """A ratio in words; None means that there is no noise."""
    return "equal" if value is None else f"{value:.1f} dB"


def delegation(entry: Facts) -> str:
    """The delegates of a TFLite network in words."""
    count = entry["delegates"]["count"]
    outside = "" if entry["delegates"]["whole_network"] else ", and operators outside of them"
    return f"{count} delegate{'s' if count != 1 else ''}{outside}"
