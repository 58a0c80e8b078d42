"""Reaction mechanisms as data: species, steps, rate laws, and what is believed of their rate constants.

A step runs at the rate (mmol L⁻¹ s⁻¹) ``r = k · Π factors`` with one to three factors (a species twice: second order)
and the Arrhenius constant

``k(T) = 10^log10_k · exp(−E/R · (1/T − 1/T_ref))``,  T_ref = 553.15 K (280 °C).

The reference lies inside the explored range, which keeps ``log10_k`` and ``E`` nearly uncorrelated. Concentrations
are mmol/L in the solution at 25 °C; every species holds a number of formula units, and no step may make or lose any.

Nanocrystals are a population. Of n units each, they take up monomer at their surface, ``dn/dt = k [M] n^(2/3)``, so
``x = n^(1/3)`` grows at ``k [M]/3`` whatever its size, and the moments ``Σ x^j``, j = 0 … 3, close exactly (Hulburt &
Katz, *Chem. Eng. Sci.* 1964, 19, 555): number, sum of radii, surface, formula units. They also return whole crystals to
monomer, at one rate for all sizes: the loss of number that ripening makes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOMENTS", "NC", "REFERENCE_TEMPERATURE", "Constant", "Mechanism", "Nanocrystals", "Prior", "Step", "Term"]

REFERENCE_TEMPERATURE: Final = 280.0
"""Temperature at which ``log10_k`` is stated, °C."""
NC: Final = "NC"
"""What steps call a new nanocrystal."""
MOMENTS: Final = ("NC x0", "NC x1", "NC x2", "NC x3")
"""Species that carry the population: Σ xʲ with x = n^(1/3), mmol/L."""
MOST_FACTORS: Final = 3


@dataclass(frozen=True)
class Prior:
    """A normal prior and why it is what it is.

    Parameters
    ----------
    mean, sigma : float
        Centre and standard deviation, in the unit of the quantity.
    source : str
        The source, or the argument, in one sentence.
    """

    mean: float
    sigma: float
    source: str

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"a prior needs a sigma above 0, not {self.sigma!r} ({self.source})")


@dataclass(frozen=True)
class Constant:
    """A rate constant.

    Parameters
    ----------
    log10_k : Prior
        Decadic logarithm of k at 280 °C; k in s⁻¹ (mmol/L)^(1 − number of factors).
    energy_kj_mol : Prior
        Activation energy.
    """

    log10_k: Prior
    energy_kj_mol: Prior


@dataclass(frozen=True)
class Step:
    """One step.

    Parameters
    ----------
    name : str
        Its name, e.g. ``"nucleation"``.
    consumes, makes : mapping
        How many of each species an event takes and gives.
    rate : tuple of str
        Factors of the rate.
    constant : Constant
        Its rate constant.
    """

    name: str
    consumes: Mapping[str, float]
    makes: Mapping[str, float]
    rate: tuple[str, ...]
    constant: Constant

    def __post_init__(self) -> None:
        if not 1 <= len(self.rate) <= MOST_FACTORS:
            raise ValueError(f"step {self.name!r}: its rate needs 1 to {MOST_FACTORS} factors, not {len(self.rate)}")
        for kind, amounts in (("consumes", self.consumes), ("makes", self.makes)):
            for species, amount in amounts.items():
                if not amount > 0:
                    raise ValueError(f"step {self.name!r} {kind} {species}: must be above 0, not {amount!r}")
        idle = sorted(set(self.consumes) - set(self.rate))
        if idle:
            raise ValueError(
                f"step {self.name!r} consumes {', '.join(idle)}, which its rate doesn't depend on: "
                "it would go on with nothing left"
            )


@dataclass(frozen=True)
class Nanocrystals:
    """The population of nanocrystals.

    Parameters
    ----------
    units : float
        formula units of a new one.
    growth : Constant
        Of dn/dt = k [M] n^(2/3).
    dissolution : Constant
        Of the return of whole crystals to monomer, s⁻¹.
    """

    units: float
    growth: Constant
    dissolution: Constant

    def __post_init__(self) -> None:
        if not self.units > 0:
            raise ValueError(f"nanocrystals need more than 0 units, not {self.units!r}")


@dataclass(frozen=True)
class Term:
    """One product of concentrations, and what it changes: what the solver sees of a step."""

    constant: int
    factors: tuple[int, ...]
    changes: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Mechanism:
    """Species and steps, checked when made.

    Parameters
    ----------
    name, title : str
        Its name, and one line on what it says.
    species : mapping
        formula units in one of each; the first is fed to the reactor.
    steps : tuple of Step
        The steps.
    nanocrystals : Nanocrystals, optional
        Needed where a step makes `NC`.
    monomer : str
        The species that nanocrystals grow from and return to.

    Raises
    ------
    ValueError
        A name occurs twice, a step names an unknown species or does not keep the formula units.
    """

    name: str
    title: str
    species: Mapping[str, float]
    steps: tuple[Step, ...]
    nanocrystals: Nanocrystals | None = None
    monomer: str = "M"
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Names of all species that are integrated."""
    terms: tuple[Term, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        steps = [step.name for step in self.steps]
        twice = sorted({name for name in steps if steps.count(name) > 1})
        if twice:
            raise ValueError(f"mechanism {self.name!r}: step {', '.join(twice)} given more than once")
        for name, units in self.species.items():
            if not units > 0:
                raise ValueError(f"species {name!r}: must hold more than 0 formula units, not {units!r}")
        if self.nanocrystals is not None and self.monomer not in self.species:
            raise ValueError(
                f"mechanism {self.name!r}: nanocrystals grow from {self.monomer!r}, which isn't one of its species"
            )
        object.__setattr__(self, "names", (*self.species, *(MOMENTS if self.nanocrystals else ())))
        object.__setattr__(self, "terms", tuple(self._terms()))

    def _terms(self) -> Iterator[Term]:
        known = dict(self.species) | ({NC: self.nanocrystals.units} if self.nanocrystals else {})
        for number, step in enumerate(self.steps):
            unknown = sorted(({*step.consumes, *step.makes} - set(known)) | (set(step.rate) - set(self.species)))
            if unknown:
                raise ValueError(
                    f"step {step.name!r}: unknown species {', '.join(unknown)}; known are {', '.join(known)}"
                )
            if NC in step.consumes:
                raise ValueError(f"step {step.name!r}: what nanocrystals do is said by the table 'nanocrystals'")
            made = sum(known[name] * amount for name, amount in step.makes.items())
            used = sum(known[name] * amount for name, amount in step.consumes.items())
            if abs(made - used) > 1e-9 * used:
                raise ValueError(
                    f"step {step.name!r} is not balanced: it consumes {used:g} formula units and makes {made:g}"
                )
            changes = {name: -amount for name, amount in step.consumes.items()}
            for name, amount in step.makes.items():
                for target, share in self._population().items() if name == NC else ((name, 1.0),):
                    changes[target] = changes.get(target, 0.0) + amount * share
            yield self._term(number, step.rate, changes)
        if self.nanocrystals is None:
            return
        growth, dissolution = len(self.steps), len(self.steps) + 1
        for j in (1, 2, 3):
            loss = {self.monomer: -1.0} if j == 3 else {}
            yield self._term(growth, (self.monomer, MOMENTS[j - 1]), {MOMENTS[j]: j / 3, **loss})
        for j in range(4):
            gain = {self.monomer: 1.0} if j == 3 else {}
            yield self._term(dissolution, (MOMENTS[j],), {MOMENTS[j]: -1.0, **gain})

    def _population(self) -> dict[str, float]:
        """Moments of one new nanocrystal."""
        units = self.nanocrystals.units if self.nanocrystals else 0.0
        return {name: units ** (j / 3) for j, name in enumerate(MOMENTS)}

    def _term(self, constant: int, factors: tuple[str, ...], changes: Mapping[str, float]) -> Term:
        return Term(
            constant,
            tuple(self.index[name] for name in factors),
            tuple((self.index[name], change) for name, change in changes.items() if change),
        )

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Place of each integrated species."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def contents(self) -> NDArray[np.float64]:
        """Formula units that one of each integrated species counts; of the moments only Σ x³ does."""
        return np.array([*self.species.values(), *([0.0, 0.0, 0.0, 1.0] if self.nanocrystals else [])])

    @cached_property
    def error_weights(self) -> NDArray[np.float64]:
        """Units that turn each concentration into mmol/L of formula units, for the solver's absolute error."""
        units = self.nanocrystals.units if self.nanocrystals else 1.0
        moments = [units ** (1 - j / 3) for j in range(4)] if self.nanocrystals else []
        return np.array([*self.species.values(), *moments])

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        """Rate constants by name, in the order of the parameters."""
        own = {step.name: step.constant for step in self.steps}
        if self.nanocrystals:
            own |= {"NC growth": self.nanocrystals.growth, "NC dissolution": self.nanocrystals.dissolution}
        return own

    @cached_property
    def orders(self) -> Mapping[str, int]:
        """Number of factors of each constant's rate, by the constant's name."""
        factors = {term.constant: len(term.factors) for term in self.terms}
        return {name: factors[number] for number, name in enumerate(self.constants)}

    @cached_property
    def priors(self) -> tuple[Prior, ...]:
        """Priors of ``log10_k`` of all constants, then of ``E`` of all."""
        constants = self.constants.values()
        return (*(one.log10_k for one in constants), *(one.energy_kj_mol for one in constants))

    def __len__(self) -> int:
        """Return the number of rate parameters."""
        return 2 * len(self.constants)
