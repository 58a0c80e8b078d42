"""``msc reproduce`` against what the noise-free twin holds: ``python benchmarks/reproduce.py [--quick] [--store DIR]``.

``seconds``  wall time of one whole reproduction, start to exit, at most 600 s on two cores
``wrong``    claims whose verdict contradicts plain analysis of the noise-free twin (``python -m ioc_sim.claims``):
             shown of what it does not hold, or not shown (or presumed not carried) of what it does; at most 0

What is left open is named: of what the twin holds, and of what it does not.

Three seeds of the default scenario, and one of each other reactor. With ``--store`` runs that came to their end are
not repeated, and one that was interrupted goes on. ``--quick`` measures what three claims need with one seed, in under
55 s. The lines read ``name value bar ok|short``; the exit status is 1 if any is short.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _ending import verdict

from ioc_sim.claims import check
from ioc_sim.physics.scenario_file import load_scenario

MSC = Path(sys.executable).parent / "msc"
RUNS = (("palencia2020", 0), ("palencia2020", 1), ("palencia2020", 2), ("ideal", 0), ("shifted", 0), ("fouled", 0))
QUICK = ("K-final", "F3")


def reproduced(scenario: str, seed: int, folder: Path, only: tuple[str, ...]) -> dict[str, Any]:
    """Return the results of a run, from its file if it came to its end before."""
    done = folder / "results.json"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        begun = (folder / "store" / "journal").exists()
        options = ["--store", folder / "store", "--report", folder / "report", "--scenario", scenario, "--json"]
        command = [MSC, "reproduce", *options, "--seed", str(seed), *(["--resume"] if begun else [])]
        command += ["--only", *only] if only else []
        with (folder / "log").open("a") as log:
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=log, text=True).stdout
        part = done.with_suffix(".part")
        # what went on took longer than the last of its parts says
        part.write_text(json.dumps({**json.loads(told), "whole": not begun}))
        part.rename(done)
    return json.loads(done.read_text())


def judged(results: dict[str, Any], carried: dict[str, bool]) -> tuple[list[str], list[str], list[str]]:
    """Return the claims that are wrong, those left open, and those left open that the twin does not hold."""
    wrong, unsure, missed = [], [], []
    for one in results["claims"]:
        name, verdict, true = one["claim"], one["verdict"], carried[one["claim"]]
        refuses = one["verdict_of_data"] == "not shown" or verdict.startswith("not carried")
        if (one["verdict_of_data"] == "shown" and not true) or (refuses and true):
            wrong.append(name)
        elif one["verdict_of_data"] == "not resolvable":
            (unsure if true else missed).append(name)
    return wrong, unsure, missed


def main() -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three claims of one seed, in under 55 s")
    parser.add_argument("--store", type=Path, help="folder of what was run before (default: a new one, not kept)")
    args = parser.parse_args()
    short = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.store or Path(temporary)
        carried: dict[str, dict[str, bool]] = {}
        for scenario, seed in RUNS[: 1 if args.quick else None]:
            if scenario not in carried:
                carried[scenario] = {one.claim: one.carried for one in check(load_scenario(scenario))}
            name = f"{scenario}_{seed}{'_quick' if args.quick else ''}"
            results = reproduced(scenario, seed, folder / name, QUICK if args.quick else ())
            wrong, unsure, missed = judged(results, carried[scenario])
            shown = sum(one["verdict_of_data"] == "shown" for one in results["claims"])
            print(f"{name}: {shown} shown; wrong: {', '.join(wrong) or 'none'}; open but true: ", end="")
            print(f"{', '.join(unsure) or 'none'}; open but false: {', '.join(missed) or 'none'}", flush=True)
            figures = [("wrong", len(wrong), 0)]
            if results["whole"]:
                figures.append(("seconds", results["wall_seconds"], 50 if args.quick else 600))
            for what, value, bar in figures:
                short |= not verdict(f"{what}_{name}", value, bar, value <= bar)
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
