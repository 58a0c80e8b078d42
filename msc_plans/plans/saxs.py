"""Plans of the SAXS station: calibration and background, and the mesophase of the precursors before nucleation."""

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator, plan

from msc_plans.plan_stubs import ask_person, read_stream, safely, trigger_and_read
from msc_plans.plans.check import as_numbers, check_words
from msc_plans.plans.measure import RunMetadata, arm, check_exposure, recorded
from msc_plans.plans.refill import require_volumes
from msc_plans.protocols import Reactor, SaxsLike

__all__ = ["mesophase_scan", "saxs_calibrate"]

SOLVENT = "solvent"
STANDARDS = ("silver behenate", "glassy carbon", "water", "empty cell", SOLVENT)
_UNHEATED_C = 120.0
_VOLUMES = 3.0


def _frames(
    reactor: Reactor, saxs: SaxsLike, why: RunMetadata, num: int, fill: MsgGenerator[None], **start: Any
) -> MsgGenerator[str]:
    """Fill the cell, then take frames: one run."""
    metadata = why.start(None, detectors=[saxs.name], motors=[reactor.name], **start)

    def run() -> MsgGenerator[Any]:
        yield from bps.checkpoint()
        yield from fill
        yield from read_stream("baseline", [reactor])
        for _ in range(num):
            yield from trigger_and_read([saxs, reactor])

    return (yield from recorded(run(), metadata, reactor))


def _purpose(standard: str) -> str:
    return "background" if standard == SOLVENT else "calibration"


@plan
def saxs_calibrate(
    reactor: Reactor,
    saxs: SaxsLike,
    standards: Sequence[str] = (SOLVENT,),
    frame_exposure_s: float = 10.0,
    num: int = 3,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Take frames of standards and of the solvent: what geometry, scale and background come from.

    The run of the solvent has the purpose ``background`` and is subtracted from the frames after it. For every other
    standard the plan pauses until a person has mounted it and resumes.

    Parameters
    ----------
    reactor, saxs
        The devices.
    standards
        In this order: ``silver behenate``, ``glassy carbon``, ``water``, ``empty cell``, ``solvent``.
    frame_exposure_s : float
        Of each frame, s.
    num : int
        Frames of each.
    md
        Further entries of the start documents.

    Returns
    -------
    list of str
        The runs' uids.

    Raises
    ------
    ValueError
        An unknown standard, or a number out of range; nothing has moved.
    """
    check_words("standards", standards, STANDARDS)
    whys = {one: RunMetadata(_purpose(one), sample=one, md=md or {}) for one in standards}
    check_exposure(frame_exposure_s, num)

    def fill(standard: str) -> MsgGenerator[None]:
        if standard == SOLVENT:
            yield from bps.abs_set(reactor.solvent, _VOLUMES, group="fill")
            yield from bps.abs_set(saxs.cell, 0.0, group="fill")
            yield from bps.wait("fill")

    def runs() -> MsgGenerator[list[str]]:
        uids = []
        for standard in standards:
            if standard != SOLVENT:
                yield from ask_person(f"mount {standard} in the beam")
            run = _frames(
                reactor, saxs, whys[standard], num, fill(standard), plan_name="saxs_calibrate", standard=standard
            )
            uids.append((yield from run))
        return uids

    return (yield from safely(arm(runs(), saxs, frame_exposure_s), reactor, None, saxs))


@plan
def mesophase_scan(
    reactor: Reactor,
    saxs: SaxsLike,
    liquids: Sequence[str] = ("Mixture", "Cd only", "Se only"),
    cell_temperatures: Sequence[float] = (25.0, 50.0, 100.0),
    oven_temperature: float = 100.0,
    frame_exposure_s: float = 10.0,
    num: int = 1,
    sample: str = "precursors",
    lots: dict[str, str] | None = None,
    background_uid: str = "",
    campaign_uid: str = "",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Take frames of the precursors before nucleation, in a heated cell (Fig. 3).

    Parameters
    ----------
    reactor, saxs
        The devices.
    liquids
        ``Mixture``, ``Cd only``, ``Se only``.
    cell_temperatures
        Of the SAXS cell, °C.
    oven_temperature : float
        Of both ovens, °C: so cold that nothing nucleates, 120 at the most.
    frame_exposure_s : float
        Of each frame, s.
    num : int
        Frames of each.
    sample, lots
        What flows, and the precursor lots by name.
    background_uid : str
        Run of the solvent to subtract; empty: the session's latest.
    campaign_uid : str
        Joins the runs; default: none.
    md
        Further entries of the start documents.

    Returns
    -------
    list of str
        The runs' uids.

    Raises
    ------
    ValueError
        A liquid or temperature that can't be had, or a syringe without enough to fill the cells; nothing has moved.
    """
    streams = {"Mixture": reactor.mixture, "Cd only": reactor.cd_only, "Se only": reactor.se_only}
    check_words("liquids", liquids, streams)
    temperatures = as_numbers("cell_temperatures", cell_temperatures)
    for oven in (reactor.nucleation, reactor.growth):
        oven.check_value(oven_temperature)
    if not oven_temperature <= _UNHEATED_C:
        raise ValueError(f"oven_temperature {oven_temperature:g} °C: above {_UNHEATED_C:g} °C clusters form")
    for temperature in temperatures:
        saxs.cell.check_value(temperature)
        if not temperature > 0:
            raise ValueError(f"cell temperature {temperature:g} °C: it must be above 0 (0 follows the growth oven)")
    check_exposure(frame_exposure_s, num)
    why = RunMetadata("mesophase_scan", campaign_uid, "", sample, lots or {}, background_uid, md or {})
    filling_ul = _VOLUMES * reactor.geometry.swept_ul * len(temperatures)
    share = reactor.geometry.cd_fraction
    shares = {"Mixture": (share, 1.0 - share), "Cd only": (1.0, 0.0), "Se only": (0.0, 1.0)}
    cd_ul, se_ul = (filling_ul * sum(shares[liquid][part] for liquid in liquids) for part in (0, 1))
    yield from require_volumes(reactor, {"Cd": cd_ul, "Se": se_ul}, "mesophase_scan")

    def fill(liquid: str, temperature: float) -> MsgGenerator[None]:
        yield from bps.abs_set(reactor.nucleation, oven_temperature, group="fill")
        yield from bps.abs_set(reactor.growth, oven_temperature, group="fill")
        yield from bps.abs_set(saxs.cell, temperature, group="fill")
        yield from bps.wait("fill")
        yield from bps.abs_set(streams[liquid], _VOLUMES, wait=True)

    def runs() -> MsgGenerator[list[str]]:
        uids = []
        for liquid in liquids:
            for temperature in temperatures:
                start = {"plan_name": "mesophase_scan", "liquid": liquid, "cell_temperature": float(temperature)}
                uids.append((yield from _frames(reactor, saxs, why, num, fill(liquid, temperature), **start)))
        yield from bps.abs_set(saxs.cell, 0.0, wait=True)
        return uids

    return (yield from safely(arm(runs(), saxs, frame_exposure_s), reactor, None, saxs))
