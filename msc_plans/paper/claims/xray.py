"""The paper's claims that X-rays show or refuse: F2, F3, and the sizes by both signals (X).

Each function takes the measured records and returns the checks of its claim (see ``claims_check``).
"""

import math
from typing import Final

import numpy as np

from msc_plans.paper.claims.check import Bound
from msc_plans.paper.claims.optical import FAMILY_NM, best_fractions, sizing_curve
from msc_plans.paper.claims.record import AnalysedRun, Records

__all__ = ["FIGURE_2", "curve_of", "f2_steps", "f3_lamellae", "f3_origin", "peak_height", "sizes", "x_agree"]

FIGURE_2: Final = tuple((t, 230, 1.5) for t in range(190, 290, 10))
"""Nucleation and growth temperature, °C, and residence time, s."""
FIRST, SECOND = 1.84, 3.69
EXPECTED_NM: Final = {"CdSe-403": (1.74, 1.58), "CdSe-437": (1.88, 1.85), "CdSe-465": (2.04, 2.06)}
"""Diameters by SAXS and by UV-vis."""
PURE: Final = 0.9
"""Share of the particles' volume from which a family's stream has the family's own mean radius."""
GONE: Final = 0.05
"""Of a peak's height at 25 °C, at which it counts as absent: as for families."""
_WINDOW = 0.35
_PER_SIGMA_95 = 2.0 * 1.959964


def _radius(record: AnalysedRun | None, what: str, low: float = -math.inf, high: float = math.inf) -> Bound:
    if record is None:
        return Bound(what, math.nan, math.nan, low, high, "nm", (), "not measured")
    value, below, above = (
        record.number("saxs", key) for key in ("mean_radius_nm", "mean_radius_nm_low", "mean_radius_nm_high")
    )
    fraction, sigma = (record.number("saxs", f"volume_fraction{end}") for end in ("", "_sigma"))
    limit = f", volume fraction below {fraction + 3 * sigma:.1e}" if math.isfinite(fraction + sigma) else ""
    note = "" if math.isfinite(value) else f"no scatterers above the background{limit}"
    return Bound(what, value, (above - below) / _PER_SIGMA_95, low, high, "nm", (record.uid,), note)


def f2_steps(records: Records) -> list[Bound]:
    """1.5 s, growth at 230 °C: 0.87 nm at 190 °C, 0.94 at 200 to 230 °C, 1.02 at 240 °C, each ± 0.02; then rising."""
    wanted = {190: 0.87} | dict.fromkeys((200, 210, 220, 230), 0.94) | {240: 1.02}
    of = {t: records.at(t, growth, s, "saxs") for t, growth, s in FIGURE_2}
    checks = [_radius(of[t], f"mean radius at {t} °C", r - 0.02, r + 0.02) for t, r in wanted.items()]
    for cold, hot in ((240, 250), (250, 260), (260, 270), (270, 280)):
        a, b = (_radius(of[t], "") for t in (cold, hot))
        what = f"mean radius, {cold} → {hot} °C"
        note = a.note or b.note
        checks.append(
            Bound(what, b.value - a.value, math.hypot(a.sigma, b.sigma), 0.0, math.inf, "nm", (*a.uids, *b.uids), note)
        )
    return checks


def curve_of(record: AnalysedRun) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return q (1/nm), intensity and σ of a record, shape (points,): with its Bragg peaks, if they were looked for."""
    result = record.results.get("lamellae") or record.results["saxs"]
    q, y, s = (np.asarray(result[key], dtype=float) for key in ("q_inv_nm", "intensity", "intensity_sigma"))
    return q, y, s


def peak_height(record: AnalysedRun, q_inv_nm: float, fwhm_inv_nm: float) -> tuple[float, float]:
    """Return height and σ of a peak at a place, there or not: a Gaussian over a parabola, by weighted least squares.

    Parameters
    ----------
    record : AnalysedRun
        With a curve.
    q_inv_nm, fwhm_inv_nm : float
        Place and width, 1/nm.

    Returns
    -------
    tuple of float
        NaN where the curve has too few points there.
    """
    q, y, s = curve_of(record)
    use = (np.abs(q - q_inv_nm) < _WINDOW) & np.isfinite(y) & (s > 0)
    if use.sum() < 6:
        return math.nan, math.nan
    away = q[use] - q_inv_nm
    shape = np.exp(-4.0 * math.log(2.0) * (away / fwhm_inv_nm) ** 2)
    columns = np.column_stack([shape, np.ones_like(away), away, away**2]) / s[use, None]
    target = y[use] / s[use]
    covariance = np.linalg.pinv(columns.T @ columns)
    found = covariance @ columns.T @ target
    misfit = float(np.sum((target - columns @ found) ** 2)) / (int(use.sum()) - 4)
    return float(found[0]), math.sqrt(float(covariance[0, 0]) * max(1.0, misfit))


def _peaks(record: AnalysedRun | None) -> list[tuple[float, float, float]]:
    """Place, its σ and width of the Bragg peaks that were found, 1/nm."""
    result = {} if record is None else record.results.get("lamellae", {})
    if "peak_q_inv_nm" not in result:
        return []
    columns = ("peak_q_inv_nm", "peak_q_inv_nm_sigma", "peak_fwhm_inv_nm")
    return [tuple(map(float, row)) for row in zip(*(np.atleast_1d(result[key]) for key in columns), strict=True)]  # type: ignore[misc]


def _place(record: AnalysedRun | None, near: float, tolerance: float, what: str) -> Bound:
    low, high = near - tolerance, near + tolerance
    if record is None:
        return Bound(what, math.nan, math.nan, low, high, "1/nm", (), "not measured")
    found = [one for one in _peaks(record) if abs(one[0] - near) < _WINDOW]
    if not found:
        return Bound(what, math.nan, math.nan, low, high, "1/nm", (record.uid,), "no peak was found")
    q, sigma, _ = min(found, key=lambda one: abs(one[0] - near))
    return Bound(what, q, sigma, low, high, "1/nm", (record.uid,))


def _width(record: AnalysedRun, near: float) -> float:
    found = [one for one in _peaks(record) if abs(one[0] - near) < _WINDOW]
    return min(found, key=lambda one: abs(one[0] - near))[2] if found else 0.1


def _less(what: str, a: tuple[float, float], b: tuple[float, float], factor: float, uids: tuple[str, ...]) -> Bound:
    """Check that a is below ``factor`` times b."""
    sigma = math.hypot(a[1], factor * b[1])
    return Bound(what, a[0] - factor * b[0], sigma, -math.inf, 0.0, "1/cm", uids)


def f3_lamellae(records: Records) -> list[Bound]:
    """Mixture: peaks at 1.84 ± 0.02 and 3.69 ± 0.03 nm⁻¹ at 25 °C, the first weaker at 50 °C, both absent at 100 °C.

    Weaker is lower beyond doubt and still there; absent is at most 5 % of the height at 25 °C.
    """
    cold, warm, hot = (records.precursors("Mixture", t) for t in (25.0, 50.0, 100.0))
    checks = [
        _place(cold, FIRST, 0.02, "first peak at 25 °C"),
        _place(cold, SECOND, 0.03, "second peak at 25 °C"),
    ]
    if cold is None or warm is None or hot is None:
        return [*checks, Bound("melting", math.nan, math.nan, note="not measured at all three temperatures")]
    for near, order in ((FIRST, "first"), (SECOND, "second")):
        width = _width(cold, near)
        heights = [peak_height(one, near, width) for one in (cold, warm, hot)]
        if order == "first":
            checks.append(Bound("first peak at 50 °C, height", *heights[1], 0.0, math.inf, "1/cm", (warm.uid,)))
            checks.append(_less("first peak, 50 °C less 25 °C", heights[1], heights[0], 1.0, (cold.uid, warm.uid)))
        what = f"{order} peak, 100 °C less 5 % of 25 °C"
        checks.append(_less(what, heights[2], heights[0], GONE, (cold.uid, hot.uid)))
    return checks


def f3_origin(records: Records) -> list[Bound]:
    """At 25 °C: the peak is of Cd, not of Se; Cd scatters more below 1 nm⁻¹, with a hump at 0.2 to 0.3 nm⁻¹."""
    cd, se = records.precursors("Cd only", 25.0), records.precursors("Se only", 25.0)
    if cd is None or se is None:
        return [Bound("precursors alone at 25 °C", math.nan, math.nan, note="not measured")]
    width = _width(cd, FIRST)
    heights = [peak_height(one, FIRST, width) for one in (cd, se)]
    checks = [
        Bound("first peak of Cd, height", *heights[0], 0.0, math.inf, "1/cm", (cd.uid,)),
        _less("first peak, Se less 5 % of Cd", heights[1], heights[0], GONE, (cd.uid, se.uid)),
    ]
    q, y, s = curve_of(cd)
    q_se, y_se, s_se = curve_of(se)
    low = (q < 1.0) & (q >= q_se.min()) & np.isfinite(y)
    more = y - np.interp(q, q_se, y_se)
    sigma = np.hypot(s, np.interp(q, q_se, s_se))
    if low.sum() < 4:
        return [
            *checks,
            Bound("scattering below 1 nm⁻¹", math.nan, math.nan, note="the curves do not reach there"),
        ]
    weight = 1.0 / sigma[low] ** 2
    mean, mean_sigma = float(np.sum(weight * more[low]) / np.sum(weight)), 1.0 / math.sqrt(float(np.sum(weight)))
    uids = (cd.uid, se.uid)
    checks.append(Bound("Cd less Se below 1 nm⁻¹, mean", mean, mean_sigma, 0.0, math.inf, "1/cm", uids))
    checks.append(_hump(q[low], more[low], sigma[low], uids))
    return checks


def _hump(q: np.ndarray, y: np.ndarray, s: np.ndarray, uids: tuple[str, ...]) -> Bound:
    """Where a broad maximum is: the vertex of a parabola in ln q around the highest of the smoothed points."""
    what = "broad maximum of Cd less Se"
    x = np.log(q)
    kernel = np.exp(-0.5 * ((x[:, None] - x) / 0.1) ** 2) / s**2
    top = x[int(np.argmax(kernel @ y / kernel.sum(axis=1)))]
    use = np.abs(x - top) < math.log(1.5)
    if use.sum() < 6:
        return Bound(what, math.nan, math.nan, 0.2, 0.3, "1/nm", uids, f"too few points near {math.exp(top):.2f} nm⁻¹")
    away = x[use] - top
    columns = np.column_stack([np.ones_like(away), away, away**2]) / s[use, None]
    covariance = np.linalg.pinv(columns.T @ columns)
    _, b, c = found = covariance @ columns.T @ (y[use] / s[use])
    misfit = float(np.sum((y[use] / s[use] - columns @ found) ** 2)) / (int(use.sum()) - 3)
    if not c < 0:
        return Bound(what, math.nan, math.nan, 0.2, 0.3, "1/nm", uids, "the curve has no maximum there")
    by = np.array([0.0, -0.5 / c, 0.5 * b / c**2])
    place = math.exp(top - 0.5 * b / c)
    sigma = place * math.sqrt(float(by @ covariance @ by) * max(1.0, misfit))
    return Bound(what, place, sigma, 0.2, 0.3, "1/nm", uids)


def sizes(records: Records) -> dict[str, tuple[Bound, Bound]]:
    """Return each family's diameter by SAXS and by UV-vis, nm.

    By UV-vis: of the fraction that shows it best. By SAXS: twice the mean radius of the stream in which the family has
    most of the particles' volume, by both signals together. Shares below `PURE` leave it open, and are said: SAXS
    alone can't split the families, and their radii are held where their shares are found.
    """
    best = best_fractions(records)
    found = {}
    for family, (x_ray, optical) in EXPECTED_NM.items():
        what = f"{family} diameter"
        if family in best:
            record = best[family][1]
            nm, sigma = (record.number("uvvis", f"{family}_wavelength_nm{end}") for end in ("", "_sigma"))
            size = sizing_curve().diameter_nm(nm) if math.isfinite(nm) else math.nan
            slope = abs(sizing_curve().slope(nm)) if math.isfinite(nm) else math.nan
            by_uvvis = Bound(
                f"{what} by UV-vis", size, slope * sigma, optical - 0.03, optical + 0.03, "nm", (record.uid,)
            )
        else:
            by_uvvis = Bound(
                f"{what} by UV-vis", math.nan, math.nan, optical - 0.03, optical + 0.03, "nm", (), "not detected"
            )
        found[family] = (_by_saxs(records, family, f"{what} by SAXS", x_ray), by_uvvis)
    return found


def _by_saxs(records: Records, family: str, what: str, expected: float) -> Bound:
    def share(record: AnalysedRun) -> float:
        value = record.number("joint", f"{family}_joint_fraction")
        return value if math.isfinite(value) else -1.0

    with_both = [
        one for one in records.all if "joint" in one.results and math.isfinite(one.number("saxs", "mean_radius_nm"))
    ]
    if not with_both:
        return Bound(
            what, math.nan, math.nan, expected - 0.03, expected + 0.03, "nm", (), "no stream with both signals"
        )
    purest = max(with_both, key=share)
    radius = _radius(purest, what)
    unsure = purest.number("joint", f"{family}_joint_fraction_sigma")
    told = f"share of the volume {max(share(purest), 0.0):.2f} ± {unsure:.2f}"
    # a mean of which the family is not the whole says of the family's radius no more than that it is near
    sigma = 2.0 * radius.sigma if share(purest) >= PURE else math.inf
    return Bound(what, 2.0 * radius.value, sigma, expected - 0.03, expected + 0.03, "nm", radius.uids, told)


def x_agree(records: Records) -> list[Bound]:
    """Diameters by SAXS 1.74, 1.88, 2.04 nm and by UV-vis 1.58, 1.85, 2.06 nm, each ± 0.03 nm."""
    assert EXPECTED_NM.keys() <= FAMILY_NM.keys()
    return [check for pair in sizes(records).values() for check in pair]
