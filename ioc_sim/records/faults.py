"""Records that break things: one for each of :data:`ioc_sim.physics.faults.KINDS`, below ``Sim:Fault:``."""

from ioc_sim.physics.faults import KINDS, Faults
from ioc_sim.records.table import Setting, Spec

__all__ = ["FAULT_RECORDS", "FaultModel"]


class FaultModel:
    """The switches by the names and values of their records.

    Parameters
    ----------
    faults : Faults
        The twin's.
    """

    _faults: Faults

    def __init__(self, faults: Faults) -> None:
        object.__setattr__(self, "_faults", faults)

    def __getattr__(self, name: str) -> float | str:
        return self._faults.value(name)

    def __setattr__(self, name: str, value: float | str) -> None:
        self._faults.switch(name, value)


FAULT_RECORDS: tuple[Spec, ...] = tuple(
    Setting(
        name, name, kind.doc, choices=kind.choices, units=kind.units,
        limits=None if kind.choices else kind.limits, readback="", always=True,
    )
    for name, kind in KINDS.items()
)  # fmt: skip
