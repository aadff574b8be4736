"""Fuzz the entropy stage: both engines must agree on every stream, and sanitizers must stay silent.

python -m tests.fuzz --streams 20000 --seed 7
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .differential import (
    Case,
    disagreement,
    legal_cases,
    model_cases,
    mutated_cases,
    native_outcome,
    plain_outcome,
)
from .sanitized import build_replay, replay, status_of

BATCH = 500


def batches(seed: int, streams: int) -> Iterator[list[Case]]:
    """Cases for a run, in batches: mostly mutated streams, some legal ones, some mutated models."""
    for number, start in enumerate(range(0, streams, BATCH)):
        count = min(BATCH, streams - start)
        batch_seed = seed * 1_000_003 + number
        yield [
            *mutated_cases(batch_seed, count),
            *legal_cases(batch_seed, count // 25 + 1),
            *model_cases(batch_seed, count // 25 + 1),
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=2000, help="mutated streams (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other streams (default: %(default)s)")
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        program = build_replay(Path(folder))
        for cases in batches(options.seed, options.streams):
            outcomes = []
            for case in cases:
                plain, ours = plain_outcome(case), native_outcome(case)
                outcomes.append(ours)
                seen[ours.__name__ if isinstance(ours, type) else "arrays"] += 1
                if difference := disagreement(plain, ours):
                    failures += 1
                    print(f"{case.name}: {difference}")
            statuses = replay(program, cases, Path(folder) / "corpus")
            for case, status, outcome in zip(cases, statuses, outcomes, strict=True):
                if status != status_of(outcome):
                    failures += 1
                    print(f"{case.name}: sanitized build says {status}, not {status_of(outcome)}")
            print(f"{seen.total()} cases, {failures} failures", file=sys.stderr)
    print(", ".join(f"{name}: {count}" for name, count in sorted(seen.items())))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
