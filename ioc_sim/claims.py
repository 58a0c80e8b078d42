"""Which of the paper's claims a scenario carries: its noise-free signals, by plain analysis.

``python -m ioc_sim.claims > docs/twin.md`` writes the page. Analysis here is plain on purpose (band
heights by component, minima of the second derivative, non-negative least squares over spheres): it says what the
twin holds, not what a detector finds. Words as fixed for the project:

    accumulated   h437/(h_NC + h465 + 2 % of full conversion) >= 0.085;  absent: at most 0.05
    seen          a minimum of the absorbance's second derivative within 3 nm of the family, and a band of 3 mAU

Source of the claims: Palencia et al., Nanoscale 2020, 12, 22928.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ioc_sim.bench import content_of, noise_free, truth
from ioc_sim.claims_page import ClaimCheck, page
from ioc_sim.physics.composition import Composition
from ioc_sim.physics.matter import Matter, matter_of
from ioc_sim.physics.scenario import Scenario
from ioc_sim.physics.scenario_file import load_scenario
from ioc_sim.physics.sizing import CDSE

__all__ = ["CLAIMS", "check", "main"]

Array = NDArray[np.float64]
ACCUMULATED, ABSENT, SEEN_AU = 0.085, 0.05, 3e-3
FAMILIES = {"CdSe-382": 382.0, "CdSe-403": 403.0, "CdSe-437": 437.0, "CdSe-465": 465.0}


class NoiseFreeTwin:
    """Noise-free results of a scenario, each condition computed once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.matter: Matter = matter_of(scenario)
        self._known: dict[tuple[float, float, float], dict[str, Any]] = {}

    def at(self, nucleation_c: float, growth_c: float, seconds: float) -> dict[str, Any]:
        """Truth of a condition."""
        key = (nucleation_c, growth_c, seconds)
        if key not in self._known:
            self._known[key] = noise_free(self.scenario, condition(*key))
        return self._known[key]

    def both(self, celsius: float, seconds: float) -> dict[str, Any]:
        """Truth with both ovens equal."""
        return self.at(celsius, celsius, seconds)


def condition(nucleation_c: float, growth_c: float, seconds: float) -> dict[str, float]:
    """Return a condition as plans name it."""
    return {"nucleation_temperature": nucleation_c, "growth_temperature": growth_c, "residence_time": seconds}


def maxima_nm(wavelength_nm: Array, absorbance: Array) -> Array:
    """Wavelengths of the minima of the second derivative, between 360 and 650 nm."""
    inside = (wavelength_nm > 360) & (wavelength_nm < 650)
    w = wavelength_nm[inside]
    bent = np.gradient(np.gradient(absorbance[inside], w), w)
    i = np.flatnonzero((bent[1:-1] < bent[:-2]) & (bent[1:-1] < bent[2:]) & (bent[1:-1] < 0)) + 1
    left, mid, right = bent[i - 1], bent[i], bent[i + 1]
    return w[i] + 0.5 * (left - right) / (left - 2 * mid + right) * np.gradient(w)[i]


def seen(result: dict[str, Any], family: str) -> float | None:
    """Where a family's band is, nm; None where it is not seen."""
    found = maxima_nm(result["wavelength_nm"], result["absorbance"])
    near = found[np.abs(found - FAMILIES[family]) <= 3.0]
    if result["heights"].get(family, 0.0) < SEEN_AU or len(near) == 0:
        return None
    return float(near[np.argmin(np.abs(near - FAMILIES[family]))])


def mean_radius_nm(twin: NoiseFreeTwin, content: Composition, cell_c: float) -> float:
    """Volume-weighted mean radius by non-negative least squares over spheres of 0.6 to 3 nm."""
    scattering = twin.matter.scattering
    q = scattering.q_inv_nm
    inside = (q > 0.6) & (q < 5.0)
    radii = np.arange(0.60, 3.01, 0.02)
    x = np.outer(q[inside], radii)
    spheres = radii**3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2
    # flat background beside, as the solvent is subtracted
    columns = np.hstack([spheres, np.ones((inside.sum(), 1))])
    parts = scattering.components_cm(content, cell_c)
    intensity = np.sum([part for name, part in parts.items() if name not in ("lamellae", "hump")], axis=0)[inside]
    weight = 1.0 / intensity.max()
    volumes = nnls(columns * weight, intensity * weight)[0][:-1]
    return float(volumes @ radii / volumes.sum()) if volumes.sum() > 0 else float("nan")


def _celsius(values: Iterable[float]) -> str:
    return ", ".join(f"{v:g}" for v in values) or "none"


def f1_window(twin: NoiseFreeTwin) -> ClaimCheck:
    ratios = {t: twin.both(t, 14.0)["ratio_437"] for t in range(250, 360, 10)}
    there = [t for t, ratio in ratios.items() if ratio >= ACCUMULATED]
    listed = ", ".join(f"{t}: {ratio:.3f}" for t, ratio in ratios.items())
    return ClaimCheck(
        "F1-window", "14 s, ovens equal: accumulated at 270, 280, 290, 300 °C only", f"{_celsius(there)} °C ({listed})",
        there == [270, 280, 290, 300],
    )  # fmt: skip


def _grid(twin: NoiseFreeTwin) -> dict[int, dict[int, dict[str, Any]]]:
    return {n: {g: twin.at(n, g, 14.0) for g in range(n, n - 100, -10)} for n in range(260, 360, 10)}


def f1_rows(twin: NoiseFreeTwin) -> ClaimCheck:
    grid = _grid(twin)
    rows = [n for n, row in grid.items() if any(r["ratio_437"] >= ACCUMULATED for r in row.values())]
    best = {n: max(row, key=lambda g: row[g]["ratio_437"]) for n, row in grid.items()}
    text = ", ".join(f"{n}: {grid[n][g]['ratio_437']:.3f} at growth {g}" for n, g in best.items())
    return ClaimCheck(
        "F1-rows", "accumulated in rows of nucleation at 270 to 300 °C only",
        f"rows {_celsius(rows)} °C (best: {text})", rows == [270, 280, 290, 300],
    )  # fmt: skip


def f1_static(twin: NoiseFreeTwin) -> ClaimCheck:
    grid = _grid(twin)
    places = [
        seen(result, "CdSe-437")
        for row in grid.values()
        for result in row.values()
        # a band that no figure shows stands nowhere, though there be nothing else beside it
        if result["ratio_437"] >= ACCUMULATED and result["heights"]["CdSe-437"] >= SEEN_AU
    ]
    known = [place for place in places if place is not None]
    rises = []
    for n in (270, 280):
        heights = [grid[n][g]["heights"]["CdSe-437"] for g in sorted(grid[n])]
        rises.append(all(b > a for a, b in pairwise(heights)))
    low, high = (min(known), max(known)) if known else (float("nan"), float("nan"))
    found = f"{low:.1f} to {high:.1f} nm in {len(known)} of {len(places)}; rising at 270: {rises[0]}, 280: {rises[1]}"
    good = len(known) == len(places) > 0 and low >= 435.0 and high <= 439.0 and all(rises)
    return ClaimCheck(
        "F1-static", "437 ± 2 nm where accumulated; rises with growth temperature (270, 280)", found, good
    )


def f1_grow(twin: NoiseFreeTwin) -> ClaimCheck:
    grid, falls, compared = _grid(twin), 0, 0
    for row in grid.values():
        there = [row[g]["nc_wavelength_nm"] for g in sorted(row) if row[g]["nc_height"] > row[g]["floor"]]
        compared += max(len(there) - 1, 0)
        falls += sum(b <= a for a, b in pairwise(there))
    found = f"{compared - falls} of {compared} steps of 10 °C go to longer wavelengths"
    return ClaimCheck(
        "F1-grow", "NC maximum to longer wavelengths with growth temperature", found, compared > 0 and not falls
    )


def s2_short(twin: NoiseFreeTwin) -> ClaimCheck:
    parts, good = [], True
    for t in (260, 280, 350):
        result = twin.both(t, 4.5)
        families = [family for family in FAMILIES if seen(result, family) is not None]
        heights = ", ".join(f"{f[5:]} ({result['heights'][f]:.3f})" for f in families)
        parts.append(f"{t} °C: {heights or 'none'}")
        good &= "CdSe-437" in families and len(families) >= 2
    return ClaimCheck("S2-short", "4.5 s at 260, 280, 350 °C: 437 and another family", "; ".join(parts), good)


def s3_density(twin: NoiseFreeTwin) -> ClaimCheck:
    parts, good = [], True
    for t in (260, 280, 350):
        areas = []
        for seconds in (1.5, 3.0, 4.5, 7.6, 10.0, 14.0):
            result = twin.both(t, seconds)
            above = result["wavelength_nm"] > 350
            areas.append(float(np.trapezoid(result["absorbance"][above], result["wavelength_nm"][above])))
        parts.append(f"{t} °C: " + ", ".join(f"{a:.3g}" for a in areas))
        good &= all(b > a for a, b in pairwise(areas))
    return ClaimCheck(
        "S3-density", "absorbance above 350 nm rises with time (1.5 to 14 s)", "; ".join(parts) + " nm", good
    )


def k_persist(twin: NoiseFreeTwin) -> ClaimCheck:
    asked = [(280, 4.5), (280, 14.0), (350, 4.5), (350, 14.0)]
    results = [twin.both(*at) for at in asked]
    ratios = [r["ratio_437"] for r in results]
    crystals = [r["nc_height"] > r["floor"] for r in results]
    found = ", ".join(f"{t} °C {s:g} s: {ratio:.3f}" for (t, s), ratio in zip(asked, ratios, strict=True))
    good = all(ratio >= ACCUMULATED for ratio in ratios[:3]) and ratios[3] <= ABSENT and all(crystals[:2])
    return ClaimCheck("K-persist", "437 beside NCs at 280 °C at 4.5 and 14 s; at 350 °C at 4.5 s only", found, good)


def k_shift(twin: NoiseFreeTwin) -> ClaimCheck:
    short, long = (twin.both(280, s)["nc_wavelength_nm"] for s in (4.5, 14.0))
    good = abs(short - 490) <= 6 and abs(long - 527) <= 6
    return ClaimCheck(
        "K-shift", "280 °C: NC maximum 490 nm at 4.5 s, 527 nm at 14 s, each ± 6", f"{short:.1f}, {long:.1f} nm", good
    )


def k_final(twin: NoiseFreeTwin) -> ClaimCheck:
    nm = twin.both(350, 7.6)["nc_wavelength_nm"]
    size = float(CDSE.diameter_nm(nm))
    good = abs(nm - 572) <= 6 and abs(size - 3.6) <= 0.15
    return ClaimCheck("K-final", "350 °C, 7.6 s: 572 ± 6 nm, 3.6 ± 0.15 nm", f"{nm:.1f} nm, {size:.2f} nm", good)


def k_slow(twin: NoiseFreeTwin) -> ClaimCheck:
    short, long = twin.both(260, 4.5), twin.both(260, 14.0)
    found = (
        f"NC height {short['nc_height']:.3f} at 4.5 s (floor {short['floor']:.3f}); "
        f"at 14 s NC {long['nc_height']:.3f}, 437 ratio {long['ratio_437']:.3f}"
    )
    good = short["nc_height"] <= short["floor"] and long["nc_height"] > long["floor"] and long["ratio_437"] <= ABSENT
    return ClaimCheck("K-slow", "260 °C: no NCs at 4.5 s; NCs and no 437 at 14 s", found, good)


def f2_steps(twin: NoiseFreeTwin) -> ClaimCheck:
    radii = {}
    for t in range(190, 290, 10):
        content = content_of(twin.scenario, condition(t, 230.0, 1.5))
        radii[t] = mean_radius_nm(twin, content, 230.0)
    wanted = {190: 0.87} | dict.fromkeys((200, 210, 220, 230), 0.94) | {240: 1.02}
    good = all(abs(radii[t] - r) <= 0.02 for t, r in wanted.items())
    good &= all(radii[b] > radii[a] for a, b in ((240, 250), (250, 260), (260, 270), (270, 280)))
    found = ", ".join(f"{t}: {r:.2f}" for t, r in radii.items()) + " nm"
    return ClaimCheck(
        "F2-steps", "1.5 s, growth 230 °C: 0.87 nm at 190, 0.94 at 200-230, 1.02 at 240, then growing", found, good
    )


def _mixture(twin: NoiseFreeTwin, cd: float, se: float) -> Composition:
    precursor = twin.scenario.precursor
    return replace(twin.matter.solvent, cd_excess=2 * cd * precursor.cd_mol_l, se_excess=2 * se * precursor.se_mol_l)


def _peak(twin: NoiseFreeTwin, content: Composition, cell_c: float, q_inv_nm: float) -> tuple[float, float]:
    """Position and height over the chord of the strongest point near a wavenumber."""
    scattering = twin.matter.scattering
    q, intensity = scattering.q_inv_nm, scattering.intensity_cm(content, cell_c)
    near = np.abs(q - q_inv_nm) < 0.35
    chord = np.interp(q[near], q[near][[0, -1]], intensity[near][[0, -1]])
    over = intensity[near] - chord
    i = int(np.argmax(over))
    return float(q[near][i]), float(over[i])


def f3_lamellae(twin: NoiseFreeTwin) -> ClaimCheck:
    mixture = _mixture(twin, 0.5, 0.5)
    first = [_peak(twin, mixture, t, 1.84) for t in (25.0, 50.0, 100.0)]
    second = [_peak(twin, mixture, t, 3.69) for t in (25.0, 50.0, 100.0)]
    place, higher = first[0][0], second[0][0]
    heights = [h for _, h in first]
    found = (
        f"{place:.2f} and {higher:.2f} nm⁻¹, ratio {higher / place:.2f}, d = {2 * np.pi / place:.2f} nm; first order "
        + ", ".join(f"{h:.3g}" for h in heights)
        + " cm⁻¹ at 25, 50, 100 °C"
    )
    good = abs(place - 1.84) < 0.02 and abs(higher - 3.69) < 0.03 and 0.2 < heights[1] / heights[0] < 0.9
    good &= heights[2] < 0.01 * heights[0] and second[2][1] < 0.02 * second[0][1]
    return ClaimCheck("F3-lamellae", "peaks at 1.84 and 3.69 nm⁻¹, weaker at 50 °C, absent at 100 °C", found, good)


def f3_origin(twin: NoiseFreeTwin) -> ClaimCheck:
    cd, se = _mixture(twin, 1.0, 0.0), _mixture(twin, 0.0, 1.0)
    scattering = twin.matter.scattering
    q = scattering.q_inv_nm
    low = (q > 0.1) & (q < 1.0)
    curves = [scattering.intensity_cm(content, 25.0)[low] for content in (cd, se)]
    top = float(q[low][np.argmax(curves[0] - curves[1])])
    peaks = [_peak(twin, content, 25.0, 1.84)[1] for content in (cd, se)]
    found = f"peak {peaks[0]:.3g} cm⁻¹ (Cd), {peaks[1]:.2g} (Se); hump of Cd at {top:.2f} nm⁻¹"
    good = (
        peaks[0] > 0.1 and abs(peaks[1]) < 1e-3 * peaks[0] and bool((curves[0] > curves[1]).all()) and 0.2 <= top <= 0.3
    )
    return ClaimCheck(
        "F3-origin", "peaks and a broad maximum at 0.2-0.3 nm⁻¹ from the Cd precursor, not from Se", found, good
    )


def f4_sizes(twin: NoiseFreeTwin) -> ClaimCheck:
    best: dict[str, tuple[float, float, str]] = {}
    for name in twin.scenario.loop.fractions:
        result = truth(twin.matter, twin.matter.fraction(name))
        total = max(result["absorbance"][result["wavelength_nm"] > 360].max(), 1e-9)
        for family in FAMILIES:
            place = seen(result, family)
            share = result["heights"][family] / total
            if place is not None and share > best.get(family, (0.0, 0.0, ""))[0]:
                best[family] = (share, place, name)
        nm, height = result["nc_wavelength_nm"], result["nc_height"]
        if height > SEEN_AU and height / total > best.get("NC", (0.0, 0.0, ""))[0]:
            best["NC"] = (height / total, nm, name)
    found = ", ".join(
        f"{f}: {nm:.1f} nm, {float(CDSE.diameter_nm(nm)):.2f} nm in {name}" for f, (_, nm, name) in best.items()
    )
    good = {"CdSe-403", "CdSe-437", "CdSe-465", "NC"} <= set(best)
    for family in FAMILIES.keys() & best.keys():
        nm = best[family][1]
        good &= (
            abs(nm - FAMILIES[family]) <= 3 and abs(CDSE.diameter_nm(nm) - CDSE.diameter_nm(FAMILIES[family])) <= 0.05
        )
    return ClaimCheck(
        "F4-sizes", "403, 437, 465 and NCs each in a fraction, ± 3 nm; diameters ± 0.05 nm", found, bool(good)
    )


def x_agree(twin: NoiseFreeTwin) -> ClaimCheck:
    rows, good = [], True
    saxs = twin.scenario.saxs.cluster_radius_nm
    for family, expected in (("CdSe-403", (1.74, 1.58)), ("CdSe-437", (1.88, 1.85)), ("CdSe-465", (2.04, 2.06))):
        alone = replace(twin.matter.solvent, species=twin.matter.solvent.species | {family: 1e-5})
        x_ray = 2 * mean_radius_nm(twin, alone, 25.0)
        optical = float(CDSE.diameter_nm(twin.scenario.spectra.clusters[family].wavelength_nm))
        rows.append(f"{family}: {x_ray:.2f} and {optical:.2f} nm")
        good &= abs(x_ray - expected[0]) <= 0.03 and abs(optical - expected[1]) <= 0.03 and family in saxs
    return ClaimCheck("X-agree", "SAXS 1.74, 1.88, 2.04 nm beside UV-vis 1.58, 1.85, 2.06 nm", "; ".join(rows), good)


CLAIMS: tuple[Callable[[NoiseFreeTwin], ClaimCheck], ...] = (
    f1_window, f1_rows, f1_static, f1_grow, s2_short, s3_density, k_persist, k_shift, k_final, k_slow,
    f2_steps, f3_lamellae, f3_origin, f4_sizes, x_agree,
)  # fmt: skip


def check(scenario: Scenario) -> list[ClaimCheck]:
    """Every claim on a scenario."""
    twin = NoiseFreeTwin(scenario)
    return [claim(twin) for claim in CLAIMS]


def main(argv: list[str] | None = None) -> int:
    """Print the page; exit code 2 for a scenario that can't be read."""
    parser = argparse.ArgumentParser("python -m ioc_sim.claims", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenario", nargs="?", default="palencia2020")
    name = parser.parse_args(argv).scenario
    try:
        scenario = load_scenario(name)
    except ValueError as error:
        print(f"python -m ioc_sim.claims: {error}", file=sys.stderr)
        return 2
    print(page(name, check(scenario)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
