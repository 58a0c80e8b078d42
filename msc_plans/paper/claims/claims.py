"""The paper's claims (Palencia et al., *Nanoscale* 2020, 12, 22928), judged by what was measured.

Each claim is data: its id, what is expected, and the function that turns records into checks; the verdict follows by
the one rule of ``claims_check``. Nothing here knows a reactor or a scenario.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from msc_plans.paper.claims import optical, xray
from msc_plans.paper.claims.check import CONFIDENCE, Bound, Verdict, judge
from msc_plans.paper.claims.record import AnalysedRun, Records

__all__ = ["CLAIMS", "AnalysedRun", "Claim", "ClaimResult", "Records", "find"]


@dataclass(frozen=True)
class Claim:
    """One statement of the paper."""

    name: str
    figure: str
    """Whose conditions show it, as `msc reproduce --only` names it."""
    expected: str
    checks: Callable[[Records], list[Bound]]


@dataclass(frozen=True)
class ClaimResult:
    """What was found of a claim."""

    claim: str
    expected: str
    verdict: Verdict
    checks: Sequence[Bound]

    @property
    def uids(self) -> tuple[str, ...]:
        """Uids of the raw runs that it rests on."""
        return tuple(dict.fromkeys(uid for check in self.checks for uid in check.uids))

    @property
    def decisive(self) -> list[Bound]:
        """The checks that the verdict turns on: those that refuse it, those that are open, or all that had to hold."""
        if self.verdict == "not shown":
            limit = (1.0 - CONFIDENCE) / len(self.checks)
            return [one for one in self.checks if one.probability <= limit]
        asked = [one for one in self.checks if not one.against_only]
        if self.verdict == "shown":
            return asked
        return [one for one in asked if not one.probability >= CONFIDENCE]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it; what has no value, or no bound, is None."""
        return {
            "claim": self.claim,
            "expected": self.expected,
            "verdict": self.verdict,
            "decisive": [one.what for one in self.decisive],
            "checks": [_plain(one) for one in self.checks],
            "uids": list(self.uids),
        }


def _plain(check: Bound) -> dict[str, Any]:
    numbers = {name: getattr(check, name) for name in ("value", "sigma", "low", "high", "probability")}
    finite = {name: value if abs(value) < float("inf") else None for name, value in numbers.items()}
    return {"what": check.what, **finite, "unit": check.unit, "note": check.note, "uids": list(check.uids)}


CLAIMS: tuple[Claim, ...] = (
    Claim("F1-window", "F1", "14 s, ovens equal: 437 accumulated at 270, 280, 290, 300 °C only", optical.f1_window),
    Claim("F1-rows", "F1", "437 accumulated in rows of nucleation at 270 to 300 °C only", optical.f1_rows),
    Claim(
        "F1-static", "F1", "437 ± 2 nm where accumulated; rises with growth temperature (270, 280)", optical.f1_static
    ),
    Claim("F1-grow", "F1", "NC maximum to longer wavelengths with growth temperature", optical.f1_grow),
    Claim("S2-short", "S2", "4.5 s at 260, 280, 350 °C: 437 and another family detected", optical.s2_short),
    Claim("S3-density", "S3", "absorbance above 350 nm rises with time (1.5 to 14 s)", optical.s3_density),
    Claim("K-persist", "S3", "437 beside NCs at 280 °C at 4.5 and 14 s; at 350 °C at 4.5 s only", optical.k_persist),
    Claim("K-shift", "S3", "280 °C: NC maximum 490 nm at 4.5 s, 527 nm at 14 s, each ± 6", optical.k_shift),
    Claim("K-final", "S3", "350 °C, 7.6 s: 572 ± 6 nm, 3.6 ± 0.15 nm", optical.k_final),
    Claim("K-slow", "S3", "260 °C: no NCs at 4.5 s; NCs and no 437 at 14 s", optical.k_slow),
    Claim(
        "F2-steps", "F2", "1.5 s, growth 230 °C: 0.87 nm at 190, 0.94 at 200-230, 1.02 at 240, then growing",
        xray.f2_steps,
    ),
    Claim("F3-lamellae", "F3", "peaks at 1.84 and 3.69 nm⁻¹, weaker at 50 °C, absent at 100 °C", xray.f3_lamellae),
    Claim(
        "F3-origin", "F3", "peaks and a broad maximum at 0.2-0.3 nm⁻¹ from the Cd precursor, not from Se",
        xray.f3_origin,
    ),
    Claim("F4-sizes", "F4", "403, 437, 465 and NCs each in a fraction, ± 3 nm; diameters ± 0.05 nm", optical.f4_sizes),
    Claim("X-agree", "F2", "SAXS 1.74, 1.88, 2.04 nm beside UV-vis 1.58, 1.85, 2.06 nm", xray.x_agree),
)  # fmt: skip


def find(records: Records, names: Iterable[str] = ()) -> list[ClaimResult]:
    """Return what was found of claims.

    Parameters
    ----------
    records : Records
        All of a reproduction, or a part.
    names : iterable of str
        Which claims; none: all.
    """
    wanted = set(names)
    found = []
    for claim in CLAIMS:
        if not wanted or claim.name in wanted:
            checks = claim.checks(records)
            found.append(ClaimResult(claim.name, claim.expected, judge(checks), checks))
    return found
