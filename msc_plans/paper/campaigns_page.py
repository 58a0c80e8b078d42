"""The part of a reproduction's page that sets the campaigns beside the grid."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from msc_plans.paper.compare import grid_of
from msc_plans.paper.records import Archive

__all__ = ["adaptive_part"]


def adaptive_part(report: Any, archive: Archive, results: Mapping[str, Any]) -> None:
    """Add the campaigns' part to a report; nothing where no campaign was run."""
    from msc_plans.paper.campaigns_figure import retelling_figure

    told = results["adaptive"]
    if told is None:
        return
    report.heading("The same conclusions by adaptive campaigns")
    report.text(
        "Two campaigns looked for the paper's conclusions among its own conditions with equal ovens: one maps where "
        "CdSe-437 is accumulated at 14 s, one asks which steps lead to nanocrystals. They see nothing of the grid."
    )
    disagreements = told["disagreements"]
    report.text(
        "Where grid and campaigns disagree: " + ("; ".join(disagreements) + "." if disagreements else "nowhere.")
    )
    _costs(report, archive, told["costs"])
    _edges(report, told)
    figure = retelling_figure(grid_of(archive)["Fig. 1, ovens equal"], archive.campaigns, told["cells"])
    if figure is not None:
        report.figure(
            figure,
            "CdSe-437 over the rest of the spectrum at 14 s with equal ovens: by the grid, by the campaigns, and as "
            "the campaign that maps predicts it where it did not measure; dashed: accumulated from there on. "
            "Bars: 2 σ.",
        )
    _regimes(report, results["mechanisms"], told["regimes"])
    _conclusions(report, told["conclusions"])


def _costs(report: Any, archive: Archive, rows: Sequence[Mapping[str, Any]]) -> None:
    def number(row: Mapping[str, Any], key: str, digits: int) -> str:
        return f"{row[key]:.{digits}f}" if key in row else "–"

    scale = archive.told.get("time_scale", 1.0)
    report.table(
        ("way", "conditions", "hours", "Cd and Se, mL", "as it was run: hours", "mL"),
        [
            (one["way"], str(one["conditions"]), number(one, "hours", 2), number(one, "mixture_ml", 0),
             number(one, "run_hours", 2), number(one, "run_mixture_ml", 0))
            for one in rows
        ],
    )  # fmt: skip
    run = "" if scale == 1 else f" As it was run includes what the software takes, {scale:g} times: liquid flows on."
    report.text(
        "Hours and mL of the same conditions in the same order by one cost model for all (ovens' travel, dwell, flush, "
        f"exposure; start at 25 °C).{run}", "note",
    )  # fmt: skip


def _edges(report: Any, told: Mapping[str, Any]) -> None:
    def edge(one: Mapping[str, Any]) -> str:
        word = "begins" if one["begins"] else "ends"
        return f"{word} at {one['celsius']:.1f} ± {one['sigma']:.1f} °C (between {one['low']:g} and {one['high']:g} °C)"

    edges = told["edges"]
    rows = [(name, [edge(one) for one in edges[key]] or ["none"]) for name, key in _WAYS]
    report.table(("window of CdSe-437 at 14 s", "edges"), rows)
    if not told["cells"]:
        return

    def seen(cell: Mapping[str, Any], name: str) -> str:
        ratio, sigma, probability = (cell[f"{name}_{key}"] for key in ("ratio", "ratio_sigma", "probability"))
        if math.isfinite(ratio):
            return f"{cell[name]} ({ratio:.3f} ± {sigma:.3f})"
        if "predicted_ratio" in cell and name == "adaptive":
            return f"{cell[name]} (predicted {cell['predicted_ratio']:.3f}, probability {probability:.2f})"
        return str(cell[name])

    report.table(
        ("°C", "grid", "campaign", ""),
        [
            (f"{one['celsius']:g}", seen(one, "grid"), seen(one, "adaptive"),
             "disagree" if one["disagreement"] else "")
            for one in told["cells"]
        ],
    )  # fmt: skip


_WAYS = (("by the grid", "grid"), ("by the campaigns", "adaptive"))


def _regimes(report: Any, grid: Sequence[Mapping[str, Any]], campaigns: Sequence[Mapping[str, Any]]) -> None:
    def said(one: Mapping[str, Any]) -> list[str]:
        if "probabilities" not in one:
            return ["not measured"]
        shares = sorted(one["probabilities"].items(), key=lambda item: -item[1])
        return [
            f"{one['conditions']} conditions: "
            + ", ".join(f"{name} {share:.2f}" for name, share in shares if share >= 0.05)
        ]

    by_grid = {one["range"]: one for one in grid}
    report.table(
        ("range", "the paper's", "by the grid", "by the campaigns"),
        [
            (one["range"], " or ".join(one["expected"]), said(by_grid.get(one["range"], {})), said(one))
            for one in campaigns
        ],
    )


def _conclusions(report: Any, conclusions: Mapping[str, Mapping[str, Any]]) -> None:
    rows = []
    for goal, one in conclusions.items():
        found = [f"{one['conditions']} conditions; stopped: {one.get('stopped', 'not at its end')}"]
        for name, words in (("steps", "steps needed"), ("mechanisms", "mechanisms")):
            shares = sorted(one.get(name, {}).items(), key=lambda item: -item[1])
            if shares:
                found.append(f"{words}: " + ", ".join(f"{key} {share:.2f}" for key, share in shares if share >= 0.05))
        if one.get("alarm"):
            found.append(f"alarm: {one['alarm']}")
        rows.append((goal, found))
    report.table(("campaign", "concludes"), rows)
