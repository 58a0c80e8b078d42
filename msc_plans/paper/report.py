"""What a reproduction found, as JSON has it, and as a page."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from msc_plans.families import built_in_families
from msc_plans.paper.campaigns_page import adaptive_part
from msc_plans.paper.claims.claims import AnalysedRun, ClaimResult, Records, find
from msc_plans.paper.claims.optical import FAMILY_NM, best_fractions, sizing_curve
from msc_plans.paper.claims.xray import sizes
from msc_plans.paper.compare import compared
from msc_plans.paper.experiments import ADAPTIVE, chosen
from msc_plans.paper.records import Archive

__all__ = ["NOT_CARRIED", "REGIMES", "mechanisms", "results_of", "write_report"]

NOT_CARRIED: Final = {"palencia2020": frozenset({"F1-rows", "K-slow", "F2-steps"})}
"""Claims that a scenario is known not to hold, by docs/twin.md; of no other scenario is anything presumed."""

REGIMES: Final = (
    ("T ≤ 260 °C", -math.inf, 260.0, ("sequential",), "Nucl → 403 → 437 → 465 → NC, each step by monomer"),
    ("260 < T ≤ 300 °C", 260.0, 300.0, ("window",), "Nucl → 403; 403 → 437; 403 → NC"),
    ("T > 300 °C", 300.0, math.inf, ("hot", "direct"), "Nucl → 382 → 437 → 465 → NC, or Nucl → NC directly"),
)
"""The paper's: name, above and up to which temperature, mechanisms that say the same, in words."""
_PARTICLES = 100


def results_of(archive: Archive, only: Collection[str], seed: int) -> dict[str, Any]:
    """Return all that was found, plain.

    Parameters
    ----------
    archive : Archive
        What is stored.
    only : collection of str
        Claims and figures; none: all.
    seed : int
        Of the mechanisms' particles.
    """
    claims, figures = chosen(only)
    known = NOT_CARRIED.get(archive.told.get("scenario", ""), frozenset())
    found = find(archive.records, claims) if claims else []
    feed, by_grid, adaptive = archive.told.get("reactor"), [], None
    if not only or ADAPTIVE in only:
        by_grid = mechanisms(archive.records.all, seed, feed)
        every = [one for records in archive.campaigns.values() for one in records]
        adaptive = compared(archive, by_grid, mechanisms(every, seed, feed)) if every else None
    return {
        "reproduce_uid": archive.uid,
        **{name: archive.told.get(name) for name in ("scenario", "prefix", "seed", "time_scale")},
        "versions": {"analyses": list(archive.versions), "msc-plans": version("msc-plans")},
        "claims": [_claim(one, one.claim in known) for one in found],
        "figures": figures,
        "sizes": _sizes(archive.records),
        "fractions": _fractions(archive.records),
        "mechanisms": by_grid,
        "adaptive": adaptive,
        "used": {
            name: {"runs": one.runs, "hours": one.seconds / 3600.0, "mixture_ml": one.mixture_ml}
            for name, one in archive.used.items()
        },
        "failed_runs": archive.failed,
    }


def _claim(found: ClaimResult, presumed: bool) -> dict[str, Any]:
    told = found.as_dict()
    verdict = "not carried by this twin" if presumed and found.verdict != "not measured" else found.verdict
    shown = [str(one) for one in found.decisive]
    return {**told, "verdict": verdict, "verdict_of_data": found.verdict, "found": shown}


def _sizes(records: Records) -> list[dict[str, Any]]:
    rows = []
    for family, (by_saxs, by_uvvis) in sizes(records).items():
        row: dict[str, Any] = {"family": family}
        for name, check in (("saxs", by_saxs), ("uvvis", by_uvvis)):
            row |= {f"{name}_nm": check.value, f"{name}_nm_sigma": check.sigma, f"{name}_note": check.note}
            row[f"{name}_expected_nm"] = 0.5 * (check.low + check.high)
        rows.append(row)
    return rows


def _fractions(records: Records) -> list[dict[str, Any]]:
    """The table of Fig. 4."""
    rows, curve, material = [], sizing_curve(), built_in_families().material
    for family, (fraction, record) in best_fractions(records).items():
        key = "nc_wavelength_nm" if family == "NC" else f"{family}_wavelength_nm"
        nm, sigma = record.number("uvvis", key), record.number("uvvis", f"{key}_sigma")
        size = curve.diameter_nm(nm) if math.isfinite(nm) else math.nan
        rows.append(
            {
                "species": family,
                "fraction": fraction,
                "wavelength_nm": nm,
                "wavelength_nm_sigma": sigma,
                "diameter_nm": size,
                "aggregation_number": material.aggregation_number(size) if math.isfinite(size) else math.nan,
                "in_sizing_range": curve.is_checked(nm),
                "expected_nm": FAMILY_NM.get(family, math.nan),
            }
        )
    return rows


def mechanisms(
    records: Iterable[AnalysedRun], seed: int, feed: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Return the probability of each mechanism in each of the paper's ranges, by the conditions with equal ovens.

    Parameters
    ----------
    records : iterable of AnalysedRun
        What was measured.
    seed : int
        Of the particles.
    feed : mapping, optional
        Feed and volumes: the arguments of the model's reactor.
    """
    from msc_plans.kinetics.belief import Belief
    from msc_plans.kinetics.solver import FlowModel

    records, reactor = list(records), FlowModel(**(feed or {}))

    rows = []
    for name, above, most, expected, words in REGIMES:
        used = [
            one
            for one in records
            if one.condition is not None
            and not one.fraction
            and "uvvis" in one.results
            and one.condition.nucleation_temperature == one.condition.growth_temperature
            and above < one.condition.growth_temperature <= most
        ]
        row: dict[str, Any] = {"range": name, "paper": words, "expected": list(expected), "conditions": len(used)}
        if used:
            belief = Belief(reactor=reactor, particles=_PARTICLES, seed=seed)
            conditions = [one.condition for one in used if one.condition is not None]
            belief.update(conditions, [belief.observables.observation(one.results["uvvis"]) for one in used])
            shares = belief.probabilities
            row |= {"probabilities": shares, "alarm": belief.alarm}
            row["of_the_paper"] = sum(shares.get(one, 0.0) for one in expected)
        rows.append(row)
    return rows


# -- the page


def write_report(path: Path, archive: Archive, results: Mapping[str, Any], only: Collection[str]) -> None:
    """Write the report.

    Raises
    ------
    OSError
        It can't be written.
    """
    from msc_plans.paper.figures import CAPTIONS, paper_figure
    from msc_plans.views.report import HtmlReport

    reactor = f"scenario {archive.told['scenario']}" if archive.told.get("scenario") else "a real reactor"
    report = HtmlReport("Palencia et al., Nanoscale 2020, 12, 22928, measured again")
    report.text(
        f"{reactor[0].upper()}{reactor[1:]}, {len(archive.records.all)} runs. Every number below comes from the stored "
        "runs and the live analyses of what was measured; the same page is made from the archive by "
        "msc reproduce --from-catalog."
    )
    _verdicts(report, results["claims"])
    report.heading("Figures")
    report.text(
        "Drawn as the paper's text describes them. Its supplementary information was not at hand: of Figs. S2 and S3 "
        "only what the main text says is known.", "note",
    )  # fmt: skip
    for name in results["figures"]:
        figure = paper_figure(name, archive.records)
        label = f"Fig. {name.removeprefix('F')}"
        if figure is None:
            report.text(f"{label}: nothing was measured for it.", "note")
        else:
            report.figure(figure, f"{label}. {CAPTIONS[name]}")
        if name == "F4" and results["fractions"]:
            _fraction_table(report, results["fractions"])
    _size_table(report, results["sizes"])
    _mechanism_table(report, results["mechanisms"])
    adaptive_part(report, archive, results)
    _used_table(report, archive, results)
    report.write(path)


def _verdicts(report: Any, claims: Sequence[Mapping[str, Any]]) -> None:
    report.heading("Claims")
    if not claims:
        report.text("None was asked for.", "note")
        return
    counts = Counter(one["verdict"] for one in claims)
    report.text(", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()) + ".")
    rows = []
    for one in claims:
        verdict = [one["verdict"]]
        if one["verdict"] != one["verdict_of_data"]:
            verdict.append(f"by the data: {one['verdict_of_data']}")
        uids = [uid[:8] for uid in one["uids"]]
        shown = uids if len(uids) <= 3 else [*uids[:2], *(", ".join(uids[k : k + 4]) for k in range(2, len(uids), 4))]
        rows.append((one["claim"], one["expected"], one["found"] or ["–"], verdict, shown or ["–"]))
    report.table(("claim", "expected", "found: what the verdict turns on", "verdict", "runs"), rows, marked=3)
    report.text(
        "Shown: every value lies where the paper says with probability 0.95 or more. Not shown: one does not, at 5 % "
        "for all values of the claim together. Not resolvable: neither; the values named are open by their "
        "uncertainty. Not carried: known of this twin before (docs/twin.md); what the data say stands beside.", "note",
    )  # fmt: skip


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _fraction_table(report: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    report.table(
        ("species", "in", "maximum / nm", "diameter / nm", "CdSe units", ""),
        [
            (
                one["species"], one["fraction"],
                f"{_number(one['wavelength_nm'], 1)} ± {_number(one['wavelength_nm_sigma'], 1)}",
                _number(one["diameter_nm"], 2), _number(one["aggregation_number"], 0),
                "" if one["in_sizing_range"] else "outside the range in which the sizing curve was checked",
            )
            for one in rows
        ],
    )  # fmt: skip


def _size_table(report: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if not any(math.isfinite(one["saxs_nm"]) or math.isfinite(one["uvvis_nm"]) for one in rows):
        return
    report.heading("Sizes by SAXS and by UV-vis")

    def size(one: Mapping[str, Any], name: str) -> list[str]:
        value, sigma = one[f"{name}_nm"], one[f"{name}_nm_sigma"]
        if not math.isfinite(value):
            return [f"– ({one[f'{name}_note'] or 'not measured'})"]
        if math.isinf(sigma):
            return [f"not resolved; mean of the stream {value:.2f} nm", one[f"{name}_note"]]
        return [f"{value:.3f} ± {sigma:.3f} nm"]

    report.table(
        ("family", "SAXS, paper", "SAXS, found", "UV-vis, paper", "UV-vis, found"),
        [
            (one["family"], f"{one['saxs_expected_nm']:.2f} nm", size(one, "saxs"),
             f"{one['uvvis_expected_nm']:.2f} nm", size(one, "uvvis"))
            for one in rows
        ],
    )  # fmt: skip
    report.text(
        "SAXS alone can't split 0.94 from 1.02 nm: a diameter is given where both signals together find the family to "
        "be 0.9 or more of the particles' volume.", "note",
    )  # fmt: skip


def _mechanism_table(report: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    report.heading("Mechanisms by temperature")
    table = []
    for one in rows:
        if "probabilities" not in one:
            table.append((one["range"], one["paper"], "not measured", "–"))
            continue
        shares = sorted(one["probabilities"].items(), key=lambda item: -item[1])
        said = [f"{name} {share:.2f}" for name, share in shares if share >= 0.005]
        if one["alarm"]:
            said.append(f"alarm: {one['alarm']}")
        of_paper = f"{one['of_the_paper']:.2f} ({' or '.join(one['expected'])})"
        table.append((f"{one['range']} ({one['conditions']} conditions)", one["paper"], ", ".join(said), of_paper))
    report.table(("range", "the paper's regime", "probabilities by our data", "of the paper's"), table)
    report.text(
        "Each range by its own conditions with equal ovens, by absorption; all mechanisms equally probable before, "
        f"{_PARTICLES} particles each. The evidence's own error is in the probabilities (docs/advisor.md).", "note",
    )  # fmt: skip


def _used_table(report: Any, archive: Archive, results: Mapping[str, Any]) -> None:
    report.heading("Time, precursors, versions")
    rows = [
        (name, str(one["runs"]), f"{one['hours']:.2f}", f"{one['mixture_ml']:.1f}")
        for name, one in results["used"].items()
    ]
    total = [sum(one[key] for one in results["used"].values()) for key in ("runs", "hours", "mixture_ml")]
    rows.append(("all", f"{total[0]:.0f}", f"{total[1]:.2f}", f"{total[2]:.1f}"))
    report.table(("plan", "runs", "hours of the reactor", "Cd and Se, mL"), rows)
    told = archive.told
    where = (
        f"scenario {told['scenario']}, seed {told.get('seed')}"
        if told.get("scenario")
        else f"prefix {told.get('prefix')}"
    )
    analysed = ", ".join(archive.versions) or "–"
    report.text(
        f"Reproduction {archive.uid}; {where}, time scale {told.get('time_scale', 1.0):g}; analyses by msc-plans "
        f"{analysed}, report by {results['versions']['msc-plans']}; {archive.failed} runs failed.", "note",
    )  # fmt: skip
