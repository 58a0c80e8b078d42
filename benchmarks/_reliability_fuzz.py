"""Readers and commands under bad input, each in a process of its own, so that a crash or a hang is a finding too.

Two ways of making inputs, half of them each: coverage-guided by atheris (where it is installed, else the other way
makes all), and values changed within good inputs (``_fuzz_mutate``). An input is a finding if it raises what is no
documented refusal, leaves a wrong answer, takes more than 10 s of processor time (commands: 120 s), or ends
the process.
"""

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

if __name__ == "__main__":  # the child: atheris must see the imports
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _fuzz_mutate import mutated
from _fuzz_targets import TARGETS, Target

__all__ = ["NAMES", "run"]

NAMES = tuple(TARGETS)
INPUTS = 100_000
_QUICK_S = 2.5
_SHOWN = 5
_MODULES = ["msc_plans", "ioc_sim"]


class HangError(BaseException):
    """An input took too long; no reader may catch it."""


def run(quick: bool, chunk: tuple[int, int] = (1, 1), only: list[str] | None = None) -> list[tuple[str, float, float]]:
    """Try bad inputs on every reader and print what was found.

    Parameters
    ----------
    quick : bool
        Each for some seconds only.
    chunk : (int, int)
        (i, n): the i-th of n parts, each with inputs of its own.
    only : list of str, optional
        Names of readers; default all.

    Returns
    -------
    list of (name, value, bar)
        ``…_inputs`` at least its bar, ``…_findings`` at most.
    """
    part, parts = chunk
    figures: list[tuple[str, float, float]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # of threads that wait for children
        waiting = {}
        for name in only or NAMES:
            target = TARGETS[name]
            guided = target.share == 1 and importlib.util.find_spec("atheris")
            engines = ["mutation", "atheris"] if guided else ["mutation"]
            wanted = max(1, round(INPUTS * target.share / parts))
            runs = [
                wanted // len(engines) + (wanted % len(engines) if number == 0 else 0) for number in range(len(engines))
            ]
            told = [
                pool.submit(_child, name, engine, some, part, _QUICK_S / len(engines) if quick else 0.0)
                for engine, some in zip(engines, runs, strict=True)
            ]
            waiting[name] = (wanted, engines, told)
        for name, (wanted, engines, told) in waiting.items():
            results = [one.result() for one in told]
            done = sum(one["inputs"] for one in results)
            findings = {one["what"]: one["input"] for result in results for one in result["findings"]}
            slowest = max(one["slowest_s"] for one in results)
            print(f"{name}: {done} inputs ({' and '.join(engines)}), {len(findings)} findings, slowest {slowest:.2f} s")
            if TARGETS[name].counted:
                print(f"    {sum(one['counted'] for one in results)} of them {TARGETS[name].counted}, and were refused")
            for what, shown in list(findings.items())[:_SHOWN]:
                print(f"    {what}\n        {shown}")
            figures += [(f"{name}_inputs", done, 1 if quick else wanted), (f"{name}_findings", len(findings), 0)]
    return figures


def _child(name: str, engine: str, runs: int, seed: int, seconds: float) -> dict[str, Any]:
    """Try inputs in a process of its own; what ends that process is a finding, too."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = [sys.executable, __file__, name, engine, str(runs), str(seed), str(seconds), folder]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder, check=False)
        if told.exists():
            return json.loads(told.read_text())
        why = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        what = f"the process ended with code {ended.returncode}: {why}"
        return {"inputs": 0, "counted": 0, "findings": [{"what": what, "input": ""}], "slowest_s": 0.0}


class Trial:
    """Tries inputs on one reader and keeps count."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._refusals = target.refusals()
        self._folder = folder / "own"
        self._folder.mkdir()
        self.inputs = 0
        self.counted = 0
        self.slowest_s = 0.0
        self.findings: dict[str, str] = {}
        signal.signal(signal.SIGVTALRM, self._hangs)

    @staticmethod
    def _hangs(*_: Any) -> None:
        raise HangError("took too long")

    def __call__(self, data: bytes) -> None:
        """Try an input."""
        self.inputs += 1
        before = os.times()
        signal.setitimer(signal.ITIMER_VIRTUAL, self._target.hangs_s)
        try:
            self._target.read(data, self._folder)
        except self._refusals as error:
            self.counted += bool(self._target.counted) and self._target.counted in str(error)
        except (Exception, HangError) as error:  # noqa: BLE001 - each is a finding
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if "/msc_plans/" in frame.filename or "/ioc_sim/" in frame.filename]
            place = (own or frames)[-1]
            where = f"{'/'.join(Path(place.filename).parts[-2:])}:{place.lineno}"
            message = " ".join(str(error).split())[:120]
            self.findings.setdefault(f"{type(error).__name__} at {where}: {message}"[:160], repr(data[:300]))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        after = os.times()
        self.slowest_s = max(self.slowest_s, after.user - before.user)

    def tell(self, folder: Path) -> None:
        """Write down what was found, one finding a place in the code."""
        found = {what.split(": ")[0]: {"what": what, "input": shown} for what, shown in self.findings.items()}
        told = {
            "inputs": self.inputs,
            "counted": self.counted,
            "findings": list(found.values()),
            "slowest_s": self.slowest_s,
        }
        (folder / "told.json").write_text(json.dumps(told))


def main() -> None:
    """Try one reader, as a child of `run`."""
    import time

    name, engine, runs, seed, seconds, place = sys.argv[1:]
    folder = Path(place)
    os.environ["HOME"] = place
    target = TARGETS[name]
    if engine == "mutation":
        trial = Trial(target, folder)
        seeds = target.seeds()
        for seed_input in seeds:
            trial(seed_input)
        random = Random(f"{name} {seed}")
        until = time.monotonic() + float(seconds) if float(seconds) else float("inf")
        while trial.inputs < int(runs) and time.monotonic() < until:
            trial(mutated(seeds, target.tree, random))
        trial.tell(folder)
        return
    atheris: Any = importlib.import_module("atheris")

    with atheris.instrument_imports(include=_MODULES, enable_loader_override=False):
        target.refusals()
        seeds = target.seeds()
        warm = folder / "warm"
        warm.mkdir()
        for seed_input in seeds:  # imports, and so instruments, what the reader imports when it is called
            with suppress(*target.refusals()):
                target.read(seed_input, warm)
    trial = Trial(target, folder)
    until = time.monotonic() + float(seconds) if float(seconds) else float("inf")

    def one(data: bytes) -> None:
        trial(data)
        if trial.inputs >= int(runs) or time.monotonic() > until:
            trial.tell(folder)
            os._exit(0)  # libFuzzer's own end takes the interpreter down with it

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed_input in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed_input)
    arguments = [
        "-timeout=300",
        "-rss_limit_mb=4096",
        "-max_len=20000",
        f"-seed={seed}",
        "-print_final_stats=0",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
