"""The mechanism Palencia et al. propose, as one union over its temperature regimes.

Source: Palencia et al., Nanoscale 2020, 12, 22928 (doi 10.1039/d0nr05879c), rate equations and Scheme 1. Each
MSC forms as ``r = k · [smaller species] · [M]``. The paper writes one set of steps per regime (≤ 260 °C,
260–300 °C, > 300 °C); here all steps run at every temperature with activation energies of their own, and the
regimes have to come out of them. Written out, with M the monomer:

=====================  ==================================  =============================
step                   change                              rate
=====================  ==================================  =============================
conversion             P → M                               k [P]
nucleation             12 M → Nucl                         k [M]²
Nucl to 382 / 403      Nucl + 13 M / 25 M → MSC            k [Nucl] [M]
382 to 437             CdSe-382 + 35 M → CdSe-437          k [382] [M]
403 to 437             CdSe-403 + 23 M → CdSe-437          k [403] [M]
437 to 465             CdSe-437 + 22 M → CdSe-465          k [437] [M]
465, 403, Nucl to NC   X + (100 − n_X) M → NC of 100       k [X] [M]
NC growth              M → unit in NC                      k [M] [NC]^⅓ [NC units]^⅔
dissolution            MSC → n M                           k [MSC]
=====================  ==================================  =============================

The growth law is that of a reaction at the surface (area per mL ∝ number^⅓ · volume^⅔). An NC enters with 100
units, where the sizing curve leaves the families (480 nm). The nucleus of 12 units is nominal: it is below
the smallest family and never observed. Not in it: ripening among the nanocrystals, backmixing, heating-up.
"""

from msc_plans.kinetics.mechanism import Mechanism, Prior, Species, Step

__all__ = ["FAMILIES", "MONOMER", "NC_NUMBER", "NC_UNITS", "PRECURSOR", "palencia_2020"]

PRECURSOR, MONOMER, NUCLEUS = "precursor", "monomer", "nucleus"
NC_NUMBER, NC_UNITS = "NC number", "NC units"
FAMILIES = ("CdSe-382", "CdSe-403", "CdSe-437", "CdSe-465")
UNITS = {NUCLEUS: 12, "CdSe-382": 25, "CdSe-403": 37, "CdSe-437": 60, "CdSe-465": 82}
"""CdSe units: families from the paper's sizing (volume of the sphere over 0.0562 nm³)."""

NC_ENTRY_UNITS = 100


def _addition(start: str, end: str, log10_k: Prior, energy: Prior) -> Step:
    label = f"{start.removeprefix('CdSe-')} to {end.removeprefix('CdSe-')}"
    if end == "NC":
        added = NC_ENTRY_UNITS - UNITS[start]
        products = {NC_NUMBER: 1.0, NC_UNITS: float(NC_ENTRY_UNITS)}
    else:
        added, products = UNITS[end] - UNITS[start], {end: 1.0}
    return Step(label, {start: -1.0, MONOMER: -added, **products}, {start: 1.0, MONOMER: 1.0}, log10_k, energy)


def _dissolution(family: str) -> Step:
    return Step(
        f"dissolution of {family.removeprefix('CdSe-')}",
        {family: -1.0, MONOMER: float(UNITS[family])},
        {family: 1.0},
        Prior(
            -1.7,
            1.0,
            "MSCs outlive 14 s in the window and not at 350 °C (Palencia 2020): about 0.02 s⁻¹ at 280 °C",
        ),
        Prior(
            150.0,
            40.0,
            "breaking up costs several bonds; above the growth steps, as dissolution is a hot step",
        ),
    )


def palencia_2020() -> Mechanism:
    """Return the union mechanism with its priors (15 steps, 9 species)."""
    addition = Prior(
        75.0, 30.0, "surface incorporation of chalcogenides: 40–110 kJ/mol in the crystal-growth literature"
    )
    fast = Prior(
        0.9,
        0.8,
        "families follow one another within the first 1.5 s at [M] of some 0.1 mM (Palencia 2020, Fig. 2)",
    )
    slow = Prior(0.1, 0.8, "CdSe-437 is the most persistent family: k(437) > k(465) (Palencia 2020)")
    direct = Prior(0.0, 0.9, "a path besides the families; the paper names it for one regime only")
    nanocrystal = Prior(90.0, 30.0, "leaving a magic size needs more than one more monomer: above the additions")
    return Mechanism(
        "Palencia 2020",
        (
            Species(PRECURSOR, 1),
            Species(NUCLEUS, UNITS[NUCLEUS]),
            *(Species(family, UNITS[family]) for family in FAMILIES),
            Species(NC_NUMBER, 0, entry_content=NC_ENTRY_UNITS),
            Species(NC_UNITS, 1),
            # Last, as everything depends on it: so the elimination in the solver stays sparse.
            Species(MONOMER, 1),
        ),
        (
            Step(
                "conversion",
                {PRECURSOR: -1.0, MONOMER: 1.0},
                {PRECURSOR: 1.0},
                Prior(-1.2, 0.7, "3–36 µM/s near 230 °C from some 10 mM (Owen 2010), carried to 280 °C"),
                Prior(90.0, 25.0, "precursor conversion of phosphine chalcogenides, 60–120 kJ/mol"),
            ),
            Step(
                "nucleation",
                {MONOMER: -float(UNITS[NUCLEUS]), NUCLEUS: 1.0},
                {MONOMER: 2.0},
                Prior(-0.8, 1.0, "0.02 mM of 3.6 nm NCs hold 10 mM of Cd; they nucleate within seconds"),
                Prior(110.0, 35.0, "'temperatures above 300 °C induce a high nucleation rate' (Palencia 2020)"),
            ),
            _addition(NUCLEUS, "CdSe-382", Prior(0.3, 0.9, "seen in the hot pathway only (Palencia 2020)"), addition),
            _addition(NUCLEUS, "CdSe-403", fast, addition),
            _addition("CdSe-382", "CdSe-437", fast, addition),
            _addition("CdSe-403", "CdSe-437", fast, addition),
            _addition("CdSe-437", "CdSe-465", slow, nanocrystal),
            _addition(
                "CdSe-465",
                "NC",
                Prior(0.5, 0.8, "CdSe-465 is rarer than CdSe-437 (Palencia 2020)"),
                nanocrystal,
            ),
            _addition("CdSe-403", "NC", direct, nanocrystal),
            _addition(NUCLEUS, "NC", direct, nanocrystal),
            Step(
                "NC growth",
                {MONOMER: -1.0, NC_UNITS: 1.0},
                {MONOMER: 1.0, NC_NUMBER: 1 / 3, NC_UNITS: 2 / 3},
                Prior(
                    0.9,
                    0.7,
                    "100 to 435 units (480 to 572 nm) in about 10 s at [M] of 0.1 mM (Palencia 2020)",
                ),
                Prior(60.0, 25.0, "surface reaction of CdSe nanocrystals, 40–100 kJ/mol"),
            ),
            *(_dissolution(family) for family in FAMILIES),
        ),
    )
