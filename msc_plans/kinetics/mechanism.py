"""Reaction mechanisms as data: species, steps with mass-action rate laws, priors of their rate constants.

A step runs at the rate ``r = k · Π [species]^order`` (mM/s) with the Arrhenius constant

``k(T) = 10^log10_k · exp(-E/R · (1/T − 1/T_ref))``,  T_ref = 553.15 K (280 °C)

and changes each species by ``stoichiometry · r``. The reference temperature lies inside the explored range,
which keeps ``log10_k`` and ``E`` nearly uncorrelated. Concentrations are mM in the solution at 25 °C.

Every species has a content of CdSe units; a step that makes or loses units is refused. Nanocrystals are
carried as two moments: their number (content 0) and the CdSe units in them (content 1), whose quotient is
the mean size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

__all__ = ["REFERENCE_TEMPERATURE", "Mechanism", "Prior", "Species", "Step"]

REFERENCE_TEMPERATURE = 280.0
"""Temperature at which ``log10_k`` is stated, °C."""

MAX_REACTANTS = 3


@dataclass(frozen=True)
class Prior:
    """A normal prior and why it is what it is.

    Parameters
    ----------
    mean, sigma : float
        Centre and standard deviation, in the unit of the quantity.
    reason : str
        The source, or the argument, in one sentence.
    """

    mean: float
    sigma: float
    reason: str

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"a prior needs a sigma above 0, not {self.sigma!r} ({self.reason})")


@dataclass(frozen=True)
class Species:
    """One species of a mechanism.

    Parameters
    ----------
    name : str
        Its name, e.g. ``"CdSe-437"``.
    content : float
        CdSe units in one of it.
    entry_content : float, optional
        Typical content for the error scale where ``content`` is 0 (a number of nanocrystals).
    """

    name: str
    content: float
    entry_content: float | None = None

    def __post_init__(self) -> None:
        if not self.content >= 0:
            raise ValueError(f"species {self.name!r}: content must be 0 or more, not {self.content!r}")


@dataclass(frozen=True)
class Step:
    """One step: what it changes, how its rate depends on concentrations, and what is believed of its
    constant.

    Parameters
    ----------
    name : str
        Its name, e.g. ``"403 to 437"``.
    stoichiometry : mapping
        Change of each species per event (negative: consumed).
    orders : mapping
        Order of the rate in each species. 1 and 2 are mass action; fractions (1/3, 2/3) state a surface.
    log10_k : Prior
        Decadic logarithm of k at 280 °C, k in s⁻¹ mM^(1 − sum of orders).
    activation_energy : Prior
        E in kJ/mol.
    """

    name: str
    stoichiometry: Mapping[str, float]
    orders: Mapping[str, float]
    log10_k: Prior
    activation_energy: Prior

    def __post_init__(self) -> None:
        if not 1 <= len(self.orders) <= MAX_REACTANTS:
            raise ValueError(f"step {self.name!r}: needs 1 to {MAX_REACTANTS} reactants, got {len(self.orders)}")
        for name, order in self.orders.items():
            if not order > 0:
                raise ValueError(f"step {self.name!r}: the order in {name!r} must be above 0, not {order!r}")


@dataclass(frozen=True)
class Mechanism:
    """Species and steps, checked when made.

    Parameters
    ----------
    name : str
        Its name.
    species : tuple of Species
        The species; the first one is fed to the reactor.
    steps : tuple of Step
        The steps.

    Raises
    ------
    ValueError
        A name occurs twice, a step names an unknown species, or a step does not keep the CdSe units.
    """

    name: str
    species: tuple[Species, ...]
    steps: tuple[Step, ...]
    index: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for kind, names in (
            ("species", [one.name for one in self.species]),
            ("step", [one.name for one in self.steps]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"mechanism {self.name!r}: {kind} {', '.join(twice)} given more than once")
        index = {one.name: number for number, one in enumerate(self.species)}
        object.__setattr__(self, "index", index)
        for step in self.steps:
            unknown = sorted((set(step.stoichiometry) | set(step.orders)) - set(index))
            if unknown:
                raise ValueError(
                    f"step {step.name!r}: unknown species {', '.join(unknown)}; known are {', '.join(index)}"
                )
            made = sum(change * self.species[index[name]].content for name, change in step.stoichiometry.items())
            if made != 0:
                raise ValueError(f"step {step.name!r} is not balanced: it makes {made:g} CdSe units per event")

    @cached_property
    def contents(self) -> np.ndarray:
        """CdSe units in one of each species."""
        return np.array([one.content for one in self.species])

    @cached_property
    def error_weights(self) -> np.ndarray:
        """Units that turn each concentration into mM of CdSe, for the solver's absolute error."""
        return np.array([one.content or one.entry_content or 1.0 for one in self.species])

    @cached_property
    def stoichiometry(self) -> np.ndarray:
        """Change of each species per event, shape (steps, species)."""
        matrix = np.zeros((len(self.steps), len(self.species)))
        for row, step in enumerate(self.steps):
            for name, change in step.stoichiometry.items():
                matrix[row, self.index[name]] = change
        return matrix

    @cached_property
    def reactants(self) -> np.ndarray:
        """Index of the species each rate depends on, shape (steps, 3); -1 where there is none."""
        table = np.full((len(self.steps), MAX_REACTANTS), -1, dtype=np.int64)
        for row, step in enumerate(self.steps):
            table[row, : len(step.orders)] = [self.index[name] for name in step.orders]
        return table

    @cached_property
    def orders(self) -> np.ndarray:
        """Order of the rate in each reactant, shape (steps, 3)."""
        table = np.zeros((len(self.steps), MAX_REACTANTS))
        for row, step in enumerate(self.steps):
            table[row, : len(step.orders)] = list(step.orders.values())
        return table

    @cached_property
    def prior_mean(self) -> np.ndarray:
        """Prior means: ``log10_k`` of all steps, then ``E`` (kJ/mol) of all steps."""
        return np.array([s.log10_k.mean for s in self.steps] + [s.activation_energy.mean for s in self.steps])

    @cached_property
    def prior_sigma(self) -> np.ndarray:
        """Prior standard deviations, in the order of :attr:`prior_mean`."""
        return np.array([s.log10_k.sigma for s in self.steps] + [s.activation_energy.sigma for s in self.steps])

    def __len__(self) -> int:
        """Return the number of rate parameters: two a step."""
        return 2 * len(self.steps)
