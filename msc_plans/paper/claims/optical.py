"""The paper's claims that absorption spectra show or refuse: F1, S2, S3, K and F4.

Each function takes the measured records and returns the checks of its claim (see ``claims_check``). Words as fixed for
the whole project: *accumulated* and *absent* are ratios of heights (``accumulation``), nanocrystals are there where
their height is above 2 % of full conversion, *detected* is the detector's probability of 0.95 or more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from scipy.special import ndtr

from msc_plans.analysis.accumulation import ABSENT_RATIO, ACCUMULATED_RATIO, FLOOR
from msc_plans.families import SizingCurve, built_in_families
from msc_plans.paper.claims.check import CONFIDENCE, Bound, trend
from msc_plans.paper.claims.record import AnalysedRun, Records

__all__ = [
    "FAMILY_NM",
    "GRID_NUCLEATION",
    "GRID_OFFSETS",
    "GRID_S",
    "best_fractions",
    "f1_grow",
    "f1_rows",
    "f1_static",
    "f1_window",
    "f4_sizes",
    "k_final",
    "k_persist",
    "k_shift",
    "k_slow",
    "s2_short",
    "s3_density",
]

GRID_S: Final = 14.0
GRID_NUCLEATION: Final = tuple(range(260, 360, 10))
GRID_OFFSETS: Final = tuple(range(0, -100, -10))
WINDOW: Final = (270, 280, 290, 300)
TIMES_S: Final = (1.5, 3.0, 4.5, 7.6, 10.0, 14.0)
SHORT_C: Final = (260, 280, 350)
FAMILY_NM: Final = {"CdSe-382": 382.0, "CdSe-403": 403.0, "CdSe-437": 437.0, "CdSe-465": 465.0}
LEAST_BAND: Final = 3e-3
"""Absorbance below which a band is not one that a figure shows."""


def _uids(*records: AnalysedRun | None) -> tuple[str, ...]:
    return tuple(one.uid for one in records if one is not None)


def _value(
    record: AnalysedRun | None, key: str, what: str, low: float = -math.inf, high: float = math.inf, unit: str = "",
    sigma_key: str = "",
) -> Bound:  # fmt: skip
    if record is None:
        return Bound(what, math.nan, math.nan, low, high, unit, (), "not measured")
    value, sigma = record.number("uvvis", key), record.number("uvvis", sigma_key or f"{key}_sigma")
    return Bound(what, value, sigma, low, high, unit, _uids(record), "" if math.isfinite(value) else "not found")


def _ratio(record: AnalysedRun | None, where: str, low: float = -math.inf, high: float = math.inf) -> Bound:
    check = _value(record, "CdSe-437_ratio", f"437 nm ratio at {where}", low, high)
    return check if record is None else replace(check, there=record.number("uvvis", "CdSe-437_probability"))


def _floor(record: AnalysedRun) -> float:
    return FLOOR * record.number("uvvis", "full_conversion_height")


def _crystals(record: AnalysedRun | None, where: str, *, there: bool) -> Bound:
    """Return whether nanocrystals are above their floor, or below."""
    what = f"NC height at {where}"
    floor = 0.0 if record is None else _floor(record)
    return _value(record, "nc_height", what, *((floor, math.inf) if there else (-math.inf, floor)))


def f1_window(records: Records) -> list[Bound]:
    """14 s, ovens equal: 437 accumulated at 270 to 300 °C, not accumulated at 260 and 310 to 350 °C."""
    return [_ratio(records.both(t, GRID_S), f"{t} °C", **_in_window(t)) for t in GRID_NUCLEATION]


def _in_window(celsius: int) -> dict[str, float]:
    return {"low": ACCUMULATED_RATIO} if celsius in WINDOW else {"high": ACCUMULATED_RATIO}


def _row(records: Records, nucleation: int) -> list[AnalysedRun]:
    """The records of a row of Fig. 1, by ascending growth temperature."""
    found = [records.at(nucleation, nucleation + offset, GRID_S) for offset in reversed(GRID_OFFSETS)]
    return [one for one in found if one is not None]


def _incomplete(rows: Mapping[int, Sequence[AnalysedRun]]) -> list[Bound]:
    """An open check where a part of the grid was not measured: what holds in all of it is not shown by the rest."""
    missing = len(rows) * len(GRID_OFFSETS) - sum(map(len, rows.values()))
    return [Bound("the grid of Fig. 1", math.nan, math.nan, note=f"{missing} conditions not measured")] * bool(missing)


def _growth(record: AnalysedRun) -> float:
    assert record.condition is not None
    return record.condition.growth_temperature


def f1_rows(records: Records) -> list[Bound]:
    """437 accumulated for some growth temperature in rows of nucleation at 270 to 300 °C, for none in the others.

    A row is judged by the condition that is most probably accumulated.
    """
    rows = {nucleation: _row(records, nucleation) for nucleation in GRID_NUCLEATION}
    checks = _incomplete(rows)
    for nucleation, row in rows.items():
        limit = _in_window(nucleation)
        found = [_ratio(one, f"row {nucleation} °C, growth {_growth(one):g} °C", **limit) for one in row]
        if not found:
            checks.append(_ratio(None, f"row {nucleation} °C", **limit))
            continue
        sign = 1.0 if nucleation in WINDOW else -1.0
        checks.append(max(found, key=lambda one: sign * one.probability if math.isfinite(one.probability) else -2.0))
    return checks


def _accumulated(record: AnalysedRun) -> bool:
    return _ratio(record, "", low=ACCUMULATED_RATIO).probability >= CONFIDENCE


def f1_static(records: Records) -> list[Bound]:
    """Where accumulated, the maximum is at 437 ± 2 nm; its height rises with growth temperature (rows of 270, 280 °C).

    The maxima's mean must be within 2 nm, with the σ of a single one (what the fit of a band may be wrong by is the
    same in all spectra), and none may be outside beyond doubt.
    """
    rows = {nucleation: _row(records, nucleation) for nucleation in GRID_NUCLEATION}
    places = [
        _value(one, "CdSe-437_wavelength_nm", f"437 nm maximum, growth {_growth(one):g} °C", 435.0, 439.0, "nm")
        for row in rows.values()
        for one in row
        if _accumulated(one)
    ]
    known = [one for one in places if math.isfinite(one.value)]
    checks = [*_incomplete(rows), _accumulated_somewhere([one for row in rows.values() for one in row])]
    if known:
        mean = float(np.mean([one.value for one in known]))
        sigma = float(np.median([one.sigma for one in known]))
        uids = tuple(uid for one in known for uid in one.uids)
        checks.append(Bound(f"437 nm maxima, mean of {len(known)}", mean, sigma, 435.0, 439.0, "nm", uids))
    checks += [_against(one) for one in known]
    for nucleation in (270, 280):
        row = rows[nucleation]
        risen = trend(
            f"437 nm height with growth temperature, row {nucleation} °C",
            [_growth(one) for one in row],
            [one.number("uvvis", "CdSe-437_height") for one in row],
            [one.number("uvvis", "CdSe-437_height_sigma") for one in row],
            [one.uid for one in row],
        )
        checks += risen or [Bound(f"437 nm height, row {nucleation} °C", math.nan, math.nan, note="not measured")]
    return checks


def _accumulated_somewhere(records: Sequence[AnalysedRun]) -> Bound:
    """Return whether 437 is accumulated at any of these; open while none is but some may be."""
    what = "conditions of the grid where 437 is accumulated"
    number = sum(map(_accumulated, records))
    surely_not = all(_ratio(one, "", low=ACCUMULATED_RATIO).probability <= 1.0 - CONFIDENCE for one in records)
    if not records:
        return Bound(what, math.nan, math.nan, 0.5, note="not measured")
    sigma = 0.0 if number or surely_not else math.inf
    return Bound(what, float(number), sigma, 0.5, uids=_uids(*records))


def _against(check: Bound) -> Bound:
    return Bound(check.what, check.value, check.sigma, check.low, check.high, check.unit, check.uids, "", True)


def f1_grow(records: Records) -> list[Bound]:
    """In each row the nanocrystals' maximum moves to longer wavelengths with growth temperature.

    Rows with nanocrystals (above their floor) at fewer than three growth temperatures say nothing.
    """
    rows = {nucleation: _row(records, nucleation) for nucleation in GRID_NUCLEATION}
    checks = _incomplete(rows)
    for nucleation, whole in rows.items():
        row = [one for one in whole if one.number("uvvis", "nc_height") > _floor(one)]
        row = [one for one in row if math.isfinite(one.number("uvvis", "nc_wavelength_nm"))]
        checks += trend(
            f"NC maximum with growth temperature, row {nucleation} °C",
            [_growth(one) for one in row],
            [one.number("uvvis", "nc_wavelength_nm") for one in row],
            [one.number("uvvis", "nc_wavelength_nm_sigma") for one in row],
            [one.uid for one in row],
            unit="nm",
        )
    return checks or [Bound("NC maximum with growth temperature", math.nan, math.nan, note="no row has nanocrystals")]


def _detected(record: AnalysedRun | None, families: Sequence[str], what: str) -> Bound:
    """Return whether any of these families is detected: the detector's own probability times that of a height above 0.

    A band that the detector believes in, but whose height may as well be 0 by its σ, is none that could be shown to
    anybody. What is not detected contradicts only where even height + 3 σ is below `LEAST_BAND`; else it is open, and
    the limit is said.
    """
    if record is None:
        return Bound(what, math.nan, math.nan, CONFIDENCE, 1.0, "", (), "not measured")

    def measured(family: str) -> tuple[float, float]:
        height, sigma = (record.number("uvvis", f"{family}_height{end}") for end in ("", "_sigma"))
        return height, sigma

    def belief(family: str) -> float:
        height, sigma = measured(family)
        believed = record.number("uvvis", f"{family}_probability")
        # a band outside of the spectrum has neither
        return believed * float(ndtr(height / max(sigma, 1e-12))) if height > 0 and believed > 0 else 0.0

    best = max(families, key=belief)
    believed, (height, sigma) = belief(best), measured(best)
    limit = height + 3.0 * sigma
    named = f"{what} (best {best}, probability {believed:.3f}, height {height:.4f} ± {sigma:.4f})"
    if believed >= CONFIDENCE:
        return Bound(named, 1.0, 0.0, 0.5, math.inf, "", _uids(record), "detected")
    if limit < LEAST_BAND:
        return Bound(named, 0.0, 0.0, 0.5, math.inf, "", _uids(record), f"below {LEAST_BAND:g}: 3 σ limit {limit:.4f}")
    note = f"not detected; 3 σ limit {limit:.4f} absorbance"
    return Bound(named, believed, math.inf, 0.5, math.inf, "", _uids(record), note)


def s2_short(records: Records) -> list[Bound]:
    """4.5 s at 260, 280 and 350 °C: 437 is detected, and another family beside."""
    checks = []
    for t in SHORT_C:
        record = records.both(t, 4.5)
        checks.append(_detected(record, ["CdSe-437"], f"437 at {t} °C"))
        checks.append(_detected(record, [one for one in FAMILY_NM if one != "CdSe-437"], f"another family at {t} °C"))
    return checks


def s3_density(records: Records) -> list[Bound]:
    """Absorbance integrated above 350 nm rises with every step of residence time, at 260, 280 and 350 °C."""
    checks = []
    for t in SHORT_C:
        known = [(s, one) for s in TIMES_S if (one := records.both(t, s)) is not None]
        if len(known) < 2:
            checks.append(Bound(f"optical density at {t} °C", math.nan, math.nan, 0.0, note="not measured"))
        for (before, a), (after, b) in pairwise(known):
            rise = b.number("uvvis", "integrated_absorbance_nm") - a.number("uvvis", "integrated_absorbance_nm")
            sigma = math.hypot(*(one.number("uvvis", "integrated_absorbance_nm_sigma") for one in (a, b)))
            what = f"optical density at {t} °C, {before:g} → {after:g} s"
            checks.append(Bound(what, rise, sigma, 0.0, unit="nm", uids=_uids(a, b)))
    return checks


def k_persist(records: Records) -> list[Bound]:
    """437 accumulated beside NCs at 280 °C at 4.5 and 14 s; at 350 °C accumulated at 4.5 s and absent at 14 s."""
    there = [(280, 4.5), (280, 14.0), (350, 4.5)]
    checks = [_ratio(records.both(t, s), f"{t} °C, {s:g} s", low=ACCUMULATED_RATIO) for t, s in there]
    checks.append(_ratio(records.both(350, 14.0), "350 °C, 14 s", high=ABSENT_RATIO))
    return checks + [_crystals(records.both(t, s), f"{t} °C, {s:g} s", there=True) for t, s in there[:2]]


def k_shift(records: Records) -> list[Bound]:
    """280 °C: NC maximum at 490 nm after 4.5 s and 527 nm after 14 s, each ± 6 nm."""
    return [
        _value(records.both(280, s), "nc_wavelength_nm", f"NC maximum at 280 °C, {s:g} s", nm - 6.0, nm + 6.0, "nm")
        for s, nm in ((4.5, 490.0), (14.0, 527.0))
    ]


def sizing_curve() -> SizingCurve:
    """Return the paper's sizing curve, CdSe's."""
    return built_in_families().material.known_sizing("the paper's diameters")


def _diameter(what: str, place: Bound, low: float, high: float) -> Bound:
    if not math.isfinite(place.value):
        return Bound(what, math.nan, math.nan, low, high, "nm", place.uids, place.note)
    curve = sizing_curve()
    sigma = abs(curve.slope(place.value)) * place.sigma
    return Bound(what, curve.diameter_nm(place.value), sigma, low, high, "nm", place.uids)


def k_final(records: Records) -> list[Bound]:
    """350 °C, 7.6 s: NC maximum at 572 ± 6 nm, diameter 3.6 ± 0.15 nm."""
    place = _value(records.both(350, 7.6), "nc_wavelength_nm", "NC maximum at 350 °C, 7.6 s", 566.0, 578.0, "nm")
    return [place, _diameter("NC diameter at 350 °C, 7.6 s", place, 3.45, 3.75)]


def k_slow(records: Records) -> list[Bound]:
    """260 °C: NCs below their floor at 4.5 s; above it at 14 s, with 437 absent."""
    long = records.both(260, 14.0)
    return [
        _crystals(records.both(260, 4.5), "260 °C, 4.5 s", there=False),
        _crystals(long, "260 °C, 14 s", there=True),
        _ratio(long, "260 °C, 14 s", high=ABSENT_RATIO),
    ]


def best_fractions(records: Records) -> dict[str, tuple[str, AnalysedRun]]:
    """Return by family (and ``NC``) the fraction that shows it best: most probable, then of the largest share."""
    fractions = records.fractions()

    def worth(record: AnalysedRun, family: str) -> tuple[float, float]:
        heights = [record.number("uvvis", f"{one}_height") for one in FAMILY_NM]
        total = max(sum(heights) + record.number("uvvis", "nc_height"), 1e-9)
        if family == "NC":
            return (float(math.isfinite(record.number("uvvis", "nc_wavelength_nm"))),
                    record.number("uvvis", "nc_height") / total)  # fmt: skip
        believed = record.number("uvvis", f"{family}_probability")
        return float(believed >= CONFIDENCE), record.number("uvvis", f"{family}_height") / total

    found = {}
    for family in (*FAMILY_NM, "NC"):
        if fractions:
            name = max(fractions, key=lambda one: worth(fractions[one], family))
            if worth(fractions[name], family)[0]:
                found[family] = (name, fractions[name])
    return found


def f4_sizes(records: Records) -> list[Bound]:
    """403, 437, 465 and NCs each detected in a fraction; family maxima ± 3 nm, diameters ± 0.05 nm.

    382 is judged where it is detected. Aggregation numbers follow from the diameters, and are not judged again.
    """
    fractions, best = records.fractions(), best_fractions(records)
    checks: list[Bound] = []
    for family in ("CdSe-403", "CdSe-437", "CdSe-465"):
        if family in best:
            checks.append(_detected(best[family][1], [family], f"{family} in {best[family][0]}"))
        else:
            trials = [_detected(one, [family], f"{family} in {name}") for name, one in fractions.items()]
            # not detected anywhere contradicts only where every fraction excludes it
            open_ones = [one for one in trials if math.isinf(one.sigma)]
            checks += (open_ones or trials or [_detected(None, [family], f"{family} in a fraction")])[:1]
    if "NC" in best:
        name, record = best["NC"]
        checks.append(_value(record, "nc_height", f"NC height in {name}", low=LEAST_BAND))
    else:
        tallest = max(fractions.values(), key=lambda one: one.number("uvvis", "nc_height_sigma"), default=None)
        checks.append(_value(tallest, "nc_height", "NC height in a fraction", low=LEAST_BAND))
    for family in filter(best.__contains__, FAMILY_NM):
        name, record = best[family]
        nm = FAMILY_NM[family]
        size = sizing_curve().diameter_nm(nm)
        place = _value(record, f"{family}_wavelength_nm", f"{family} maximum in {name}", nm - 3.0, nm + 3.0, "nm")
        units = built_in_families().material.aggregation_number(sizing_curve().diameter_nm(place.value))
        checks += [
            place,
            _diameter(f"{family} diameter in {name} ({units:.0f} units)", place, size - 0.05, size + 0.05),
        ]
    return checks
