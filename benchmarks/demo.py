"""How long ``msc demo`` takes, and how long the RunEngine idles between two conditions.

``demo_s``          whole demo as a process, start to exit, at most 60 s (8 conditions; not with ``--quick``)
``startup_s``       from the start of the process to the start document of its first suggestion
``idle_s``          per condition: from the end of a raw run to the start of the next (analysis and advisor), median
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _ending import conclude

from msc_plans.storage import opened

MSC = Path(sys.executable).parent / "msc"


def run_demo(store: Path, conditions: int) -> tuple[float, float]:
    """Run the demo; return when it began and how long it took, s."""
    began = time.time()
    subprocess.run(
        [MSC, "demo", "--store", store, "--max-conditions", str(conditions)], check=True, stdout=subprocess.DEVNULL
    )
    return began, time.time() - began


def main() -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 conditions, in under 55 s")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        began, seconds = run_demo(store, 3 if quick else 8)
        with opened(store) as catalog:
            runs = [run.metadata for run in catalog.values()]
    of = {purpose: [r for r in runs if r["start"]["purpose"] == purpose] for purpose in ("campaign", "suggestion")}
    raw = sorted(of["campaign"], key=lambda r: r["start"]["time"])
    idle = [b["start"]["time"] - a["stop"]["time"] for a, b in itertools.pairwise(raw)]
    startup = min(r["start"]["time"] for r in of["suggestion"]) - began
    print(f"{len(raw)} conditions in {seconds:.1f} s; idle between them: {', '.join(f'{s:.2f}' for s in idle)} s")
    figures = [("startup_s", startup, 20.0), ("idle_s", statistics.median(idle), 5.0)]
    if not quick:
        figures.append(("demo_s", seconds, 60.0))
    return conclude((name, value, bar, False) for name, value, bar in figures)


if __name__ == "__main__":
    sys.exit(main())
