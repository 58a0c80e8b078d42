"""Fill syringes, by hand or by drawing from their reservoirs, and know when they must be."""

from collections.abc import Mapping, Sequence
from typing import Literal

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator, plan

from msc_plans.condition import Condition
from msc_plans.plan_stubs import FLUSH_VOLUMES, ask_person, safely
from msc_plans.plans.check import check_choice, check_words
from msc_plans.plans.preflight import syringes
from msc_plans.plans.schedule import Pace
from msc_plans.protocols import Reactor

__all__ = [
    "REFILLS",
    "Refill",
    "refill",
    "refill_for_reference",
    "refill_if_needed",
    "require_filled",
    "require_reference",
    "require_volumes",
]

Refill = Literal["ask", "draw"]
"""``ask`` a person and wait until the plan is resumed, or ``draw`` from the reservoirs."""

REFILLS = ("ask", "draw")

_SPARE = 1.2


@plan
def refill(
    reactor: Reactor, liquids: Sequence[str] = ("Cd", "Se", "Solvent"), how: Refill = "ask"
) -> MsgGenerator[None]:
    """Fill syringes; the mixture must not be flowing, so solvent does meanwhile.

    Parameters
    ----------
    reactor
        The reactor.
    liquids
        ``Cd``, ``Se``, ``Solvent``: which ones.
    how
        ``ask`` a person and wait for a resume, or ``draw`` from the reservoirs.

    Raises
    ------
    ValueError
        A liquid that there is no syringe of.
    """
    known = syringes(reactor)
    check_words("liquids", liquids, known)
    check_choice("how", how, REFILLS)
    yield from safely(_fill(reactor, liquids, how), reactor)


def _fill(reactor: Reactor, liquids: Sequence[str], how: Refill) -> MsgGenerator[None]:
    """Steps of :func:`refill`, for plans that make the reactor safe themselves."""
    pumps = [syringes(reactor)[name] for name in liquids]
    if how == "ask":
        yield from ask_person(f"fill the syringes of {', '.join(liquids)}")
    yield from bps.checkpoint()
    for pump in pumps:
        yield from bps.abs_set(pump, "filled" if how == "ask" else "drawn", group="refill")
    yield from bps.wait("refill")


def refill_if_needed(
    reactor: Reactor, here: Condition, condition: Condition, exposure_s: float, how: Refill
) -> MsgGenerator[None]:
    """Fill the syringes of precursors that do not hold enough for the next condition."""
    pace = Pace.of(reactor)
    mixture = pace.mixture_ul(here, condition, exposure_s) * _SPARE
    need = {"Cd": pace.cd_fraction * mixture, "Se": (1 - pace.cd_fraction) * mixture, "Solvent": _SPARE * pace.flush_ul}
    yield from _fill_below(reactor, need, how)


def refill_for_reference(reactor: Reactor, how: Refill) -> MsgGenerator[None]:
    """Fill the syringe of solvent if it does not hold enough for a reference: it ran on while nobody was there."""
    yield from _fill_below(reactor, {"Solvent": _SPARE * _reference_ul(reactor)}, how)


def _fill_below(reactor: Reactor, need_ul: Mapping[str, float], how: Refill) -> MsgGenerator[None]:
    empty = []
    for name, needed in need_ul.items():
        left = yield from bps.rd(syringes(reactor)[name].content_ul)
        if left < needed:
            empty.append(name)
    if empty:
        yield from _fill(reactor, empty, how)


def _reference_ul(reactor: Reactor) -> float:
    return FLUSH_VOLUMES * reactor.geometry.swept_ul


def require_reference(reactor: Reactor) -> MsgGenerator[None]:
    """Refuse a reference for which the syringe of solvent does not hold enough.

    Raises
    ------
    ValueError
        It must be filled first; with what it holds.
    """
    yield from require_volumes(reactor, {"Solvent": _reference_ul(reactor)}, "a reference")


def require_filled(reactor: Reactor, condition: Condition, exposure_s: float) -> MsgGenerator[None]:
    """Refuse a condition for which a syringe does not hold enough, even with the ovens there already.

    Raises
    ------
    ValueError
        A syringe that must be filled first, with what it holds.
    """
    pace = Pace.of(reactor)
    mixture = pace.mixture_ul(condition, condition, exposure_s)
    need = {"Cd": pace.cd_fraction * mixture, "Se": (1 - pace.cd_fraction) * mixture}
    yield from require_volumes(reactor, need, str(condition))


def require_volumes(reactor: Reactor, need_ul: Mapping[str, float], what: str) -> MsgGenerator[None]:
    """Refuse what takes more of a liquid, µL, than its syringe holds.

    Raises
    ------
    ValueError
        A syringe that must be filled first, with what it holds.
    """
    for name, pump in syringes(reactor).items():
        left = yield from bps.rd(pump.content_ul)
        if left < need_ul.get(name, 0.0):
            raise ValueError(
                f"the syringe of {name} holds {left:.0f} µL, and {what} takes {need_ul[name]:.0f} µL; "
                f"fill it: refill(reactor, ['{name}'])"
            )
