"""Spectra of a product and its size-selected fractions, injected one by one (Fig. 4)."""

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator, plan

from msc_plans.condition import Condition
from msc_plans.plan_stubs import read_stream, safely, trigger_and_read
from msc_plans.plans.check import check_count, check_words
from msc_plans.plans.measure import RunMetadata, recorded, require_dark_and_reference
from msc_plans.protocols import Reactor, SpectrometerLike
from msc_plans.vocabulary import FRACTIONS

__all__ = ["measure_fractions"]


@plan
def measure_fractions(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    fractions: Sequence[str] = FRACTIONS,
    nucleation_temperature: float = 350.0,
    growth_temperature: float = 350.0,
    residence_time: float = 4.5,
    num: int = 1,
    sample: str = "",
    lots: dict[str, str] | None = None,
    campaign_uid: str = "",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Inject fractions from the sample loop into the optical cell and take a spectrum of each: a run each.

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    fractions
        As the loop's record names them; ``Fi`` is the whole product.
    nucleation_temperature, growth_temperature : float
        At which the product was made, °C; recorded, nothing is heated.
    residence_time : float
        In which it was made, s.
    num : int
        Spectra of each.
    sample, lots
        What was made (default: the material of the session's family table), and the precursor lots by name.
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
        A fraction that the loop does not know, or a spectrometer without dark and reference; nothing has moved.
    """
    made = Condition(nucleation_temperature, growth_temperature, residence_time)
    why = RunMetadata("measure_fractions", campaign_uid, "", sample, lots or {}, md=md or {})
    check_words("fractions", fractions, FRACTIONS)
    check_count("num", num)
    for fraction in fractions:
        reactor.loop.check_value(fraction)
    yield from require_dark_and_reference(spectrometer)

    def one(fraction: str) -> MsgGenerator[str]:
        start = {"plan_name": "measure_fractions", "fraction": fraction, "motors": [reactor.name]}

        def run() -> MsgGenerator[Any]:
            yield from bps.checkpoint()
            yield from bps.abs_set(reactor.loop, fraction, group="inject")
            yield from bps.abs_set(spectrometer.spectrum_type, "Corrected Sample", group="inject")
            # make_safe has closed it, if the last plan failed or was ended
            yield from bps.abs_set(spectrometer.shutter, "Open", group="inject")
            yield from read_stream("baseline", [reactor])
            yield from read_stream("dark_reference", [spectrometer.calibration])
            yield from bps.wait("inject")
            for _ in range(num):
                yield from trigger_and_read([spectrometer, reactor])

        return (yield from recorded(run(), why.start(made, detectors=[spectrometer.name], **start), reactor))

    def runs() -> MsgGenerator[list[str]]:
        uids = []
        for fraction in fractions:
            uid = yield from one(fraction)
            uids.append(uid)
        yield from bps.abs_set(reactor.solvent, 1.0, wait=True)
        return uids

    return (yield from safely(runs(), reactor, spectrometer))
