"""Analyse spectra and scattering curves in files: text tables, HDF5, NeXus and NXcanSAS.

A file that can't be read or analysed is said on stderr as file:line: reason; the others are analysed, and the exit code
is 1.
"""

import argparse
import json
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msc_plans.cli.arguments.families import families_of
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]

_Q_UNITS = {"nm": "1/nm", "A": "1/A"}
_AHEAD = 32


@dataclass
class FileResult:
    """One spectrum or curve of a file, and what came of it."""

    file: str
    column: str | None = None
    record: dict[str, Any] = field(default_factory=dict)
    """What goes into its JSON object beside the result."""
    warnings: tuple[str, ...] = ()
    result: Any = None
    error: str = ""
    temperature_c: float | None = None

    @property
    def name(self) -> str:
        """File and column."""
        return self.file if self.column is None else f"{self.file} [{self.column}]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc analyze``."""
    kinds = parser.add_subparsers(dest="analysis", metavar="ANALYSIS", required=True)
    summaries = {
        "uvvis": "cluster families and nanocrystals in absorption spectra",
        "saxs": "sizes of spheres from small-angle scattering curves",
        "lamellae": "Bragg peaks, their orders and d-spacing, melting",
    }
    added = {name: kinds.add_parser(name, help=summary, description=summary) for name, summary in summaries.items()}
    for name, sub in added.items():
        sub.add_argument("files", nargs="+", metavar="FILE")
        sub.add_argument("--json", action="store_true", help="a JSON object a line, for each spectrum or curve")
        sub.add_argument("--plot", action="store_true", help=f"a picture of each file: FILE.{name}.png beside it")
        sub.add_argument("--folder", type=Path, help="where pictures go (with --plot)")
    for name in ("uvvis", "saxs"):
        added[name].add_argument(
            "--families", type=Path, metavar="TOML", help="table of families (default: the settings')"
        )
    added["uvvis"].add_argument(
        "--path-length", type=float, default=0.1, metavar="CM", help="optical path, cm (default: %(default)s)"
    )
    for name in ("saxs", "lamellae"):
        added[name].add_argument("--unit", choices=tuple(_Q_UNITS), help="q is in nm⁻¹ or Å⁻¹, whatever the file says")
    added["saxs"].add_argument("--monte-carlo", action="store_true", help="distribution by the Monte Carlo method")
    added["saxs"].add_argument(
        "--contrast", type=float, metavar="CM-2", help="scattering contrast, cm⁻² (default: the table's)"
    )
    added["saxs"].add_argument(
        "--arbitrary-units", action="store_true", help="intensity isn't in cm⁻¹: no volume fraction"
    )
    added["lamellae"].add_argument(
        "--temperatures",
        type=float,
        nargs="+",
        metavar="C",
        help="temperatures of the curves, °C: prints the melting interval",
    )


def run(args: argparse.Namespace) -> int:
    """Analyse the files; returns the exit code."""
    if args.folder is not None and not args.plot:
        raise InputError("--folder says where pictures go; give --plot too")
    read, analyse = _KINDS[args.analysis](args)
    try:
        return _report(args, _analysed(args.files, read, analyse))
    except BrokenPipeError:
        # the reader of stdout has gone; Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


Reader = Callable[[str], list[tuple[FileResult, Any]]]
Analyser = Callable[[Any], Any]


def _uvvis(args: argparse.Namespace) -> tuple[Reader, Analyser]:
    from msc_plans.analysis import uvvis
    from msc_plans.files import read_spectra

    if not (math.isfinite(args.path_length) and args.path_length > 0):
        raise InputError(f"--path-length must be positive, not {args.path_length:g}")
    families = families_of(args)

    def read(file: str) -> list[tuple[FileResult, Any]]:
        return [(FileResult(file, s.column, warnings=s.warnings), s) for s in read_spectra(file)]

    def analyse(spectrum: Any) -> Any:
        values = spectrum.absorbance
        if values is None:
            values = uvvis.absorbance(spectrum.counts, spectrum.dark, spectrum.reference)
        return uvvis.analyse(spectrum.wavelength_nm, values, families=families, path_length_cm=args.path_length)

    return read, analyse


def _saxs(args: argparse.Namespace) -> tuple[Reader, Analyser]:
    from msc_plans.analysis import saxs

    if args.contrast is not None and not (math.isfinite(args.contrast) and args.contrast != 0):
        raise InputError(f"--contrast must be finite and not 0, not {args.contrast:g}")
    families = families_of(args)

    def analyse(curve: Any) -> Any:
        return saxs.analyse(
            curve.q_inv_nm,
            curve.intensity,
            curve.sigma,
            absolute=curve.absolute and not args.arbitrary_units,
            contrast_inv_cm2=args.contrast,
            families=families,
            method="monte carlo" if args.monte_carlo else "inversion",
        )

    return _curve_reader(args), analyse


def _lamellae(args: argparse.Namespace) -> tuple[Reader, Analyser]:
    from msc_plans.analysis import lamellae

    if args.temperatures is not None:
        if len(args.temperatures) != len(args.files):
            raise InputError(
                f"--temperatures has {len(args.temperatures)} values for {len(args.files)} files; give one a file"
            )
        if len(set(args.temperatures)) < len(args.temperatures) or not all(map(math.isfinite, args.temperatures)):
            raise InputError(f"--temperatures must be finite and each there once, not {args.temperatures}")
    return _curve_reader(args), lambda curve: lamellae.analyse(curve.q_inv_nm, curve.intensity, curve.sigma)


_KINDS: dict[str, Callable[[argparse.Namespace], tuple[Reader, Analyser]]] = {
    "uvvis": _uvvis,
    "saxs": _saxs,
    "lamellae": _lamellae,
}


def _curve_reader(args: argparse.Namespace) -> Reader:
    from msc_plans.files import read_curves

    def read(file: str) -> list[tuple[FileResult, Any]]:
        return [
            (
                FileResult(file, c.column, {"q_unit": c.unit, "q_unit_inferred": c.unit_inferred}, c.warnings),
                c,
            )
            for c in read_curves(file, _Q_UNITS[args.unit] if args.unit else None)  # type: ignore[arg-type]
        ]

    return read


def _analysed(files: Sequence[str], read: Reader, analyse: Analyser) -> Iterator[list[FileResult]]:
    """Yield the findings of each file in order, as they are done; all cores work ahead."""

    def attempt(finding: FileResult, data: Any) -> FileResult:
        try:
            finding.result = analyse(data)
        except ValueError as error:
            finding.error = f"{finding.name}: {error}"
        except Exception as error:  # noqa: BLE001  one file's defect must not take the others with it
            finding.error = f"{finding.name}: the analysis failed: {type(error).__name__}: {error}"
        return finding

    def load(file: str) -> list[tuple[FileResult, Any]]:
        try:
            return read(file)
        except ValueError as error:  # ReadError; it names the file
            return [(FileResult(file, error=str(error)), None)]
        except Exception as error:  # noqa: BLE001
            return [(FileResult(file, error=f"{file}: can't be read: {type(error).__name__}: {error}"), None)]

    def collect(pending: list[FileResult | Future[FileResult]]) -> list[FileResult]:
        return [item if isinstance(item, FileResult) else item.result() for item in pending]

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(cores) as pool:
        waiting: deque[list[FileResult | Future[FileResult]]] = deque()
        try:
            for file in files:
                waiting.append([f if f.error else pool.submit(attempt, f, data) for f, data in load(file)])
                if len(waiting) > _AHEAD:
                    yield collect(waiting.popleft())
            while waiting:
                yield collect(waiting.popleft())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _report(args: argparse.Namespace, files: Iterator[list[FileResult]]) -> int:
    from msc_plans.views.findings import as_record, melting_lines, strict, written

    failed = False
    melted: list[FileResult] = []
    taken: dict[Path, Path] = {}
    for number, findings in enumerate(files):
        for finding in findings:
            if finding.error:
                failed = True
                print(finding.error, file=sys.stderr, flush=True)
                continue
            if args.analysis == "lamellae" and args.temperatures:
                finding.temperature_c = finding.record["temperature_c"] = args.temperatures[number]
                if len(findings) == 1:
                    melted.append(finding)
                else:
                    finding.warnings += (f"{len(findings)} curves at one temperature; left out of the melting",)
        good = [finding for finding in findings if not finding.error]
        picture = _picture(args, good, taken) if args.plot and good else None
        failed = failed or picture == ""
        for warning in dict.fromkeys(warning for finding in good for warning in finding.warnings):
            print(f"{good[0].file}: warning: {warning}", file=sys.stderr, flush=True)
        for finding in good:
            if picture:
                finding.record["picture"] = picture
            if args.json:
                print(
                    json.dumps(strict(as_record(args.analysis, finding)), allow_nan=False),
                    flush=True,
                )
            else:
                print(written(args.analysis, finding), flush=True)
    if melted and not args.json:
        print(melting_lines(melted))
    return int(failed)


def _picture(args: argparse.Namespace, findings: list[FileResult], taken: dict[Path, Path]) -> str:
    """Draw a file's findings; returns the picture's path, empty where it can't be written."""
    from msc_plans.views.pictures import draw_file

    try:
        return str(draw_file(args.analysis, findings, args.folder, taken))
    except (OSError, ValueError) as error:
        print(f"{findings[0].file}: no picture: {error}", file=sys.stderr, flush=True)
        return ""
