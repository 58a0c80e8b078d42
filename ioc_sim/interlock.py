"""The reactor's own interlock: it needs no client, latches, and says why.

It trips on an oven above its limit or without a reading, on pressure above its limit, on a heartbeat that
has not come for longer than ``HeartbeatTimeout``, and when the IOC starts again while a heartbeat was watched: pumps
have stopped then under a session that thinks they run. What a trip does, with the valve at solvent and the X-ray
shutter closed in every case:

=============  ===========  =============  ================
cause          precursors   solvent        heaters
=============  ===========  =============  ================
oven           stop         standby flow   off
pressure       stop         stop           off
heartbeat      stop         standby flow   standby temperature
restart        stop         standby flow   standby temperature
=============  ===========  =============  ================

A second cause, while the latch is set by another, still stops what it must.
"""

import math

from ioc_sim.physics.twin import Twin

__all__ = ["InterlockLogic"]

PRECURSORS = ("Cd", "Se")


class InterlockLogic:
    """Watches a twin and makes it safe.

    Parameters
    ----------
    twin : Twin
        The reactor; its valve, pumps and ovens are what a trip moves.
    temperature_limit_c, pressure_limit_bar : float
        Above these it trips.

    Attributes
    ----------
    message : str
        Why it tripped; empty while it has not.
    standby_flow_ul_min, standby_temperature_c : float
        What a trip leaves the reactor at.
    heartbeat_timeout_s : float
        Twin seconds that may pass without a heartbeat; 0 switches the watch off.
    """

    def __init__(self, twin: Twin, *, temperature_limit_c: float = 370.0, pressure_limit_bar: float = 20.0) -> None:
        self._twin = twin
        self.temperature_limit_c = temperature_limit_c
        self.pressure_limit_bar = pressure_limit_bar
        self.message = ""
        self._acted: set[str] = set()
        self.standby_flow_ul_min = 100.0
        self.standby_temperature_c = 100.0
        self._timeout_s = 0.0
        self._last_beat_s = twin.clock_s

    @property
    def tripped(self) -> bool:
        """Whether the latch is set."""
        return bool(self.message)

    @property
    def heartbeat_timeout_s(self) -> float:
        """Twin seconds without a heartbeat after which it trips; 0 = off."""
        return self._timeout_s

    @heartbeat_timeout_s.setter
    def heartbeat_timeout_s(self, value: float) -> None:
        self._timeout_s = value
        self.beat()

    def beat(self) -> None:
        """Take a heartbeat."""
        self._last_beat_s = self._twin.clock_s

    def reset(self) -> None:
        """Release the latch.

        Raises
        ------
        ValueError
            The cause is still there.
        """
        causes = self._hazards()
        if causes:
            raise ValueError(f"the interlock stays tripped: {', '.join(causes.values())}")
        self.message = ""
        self._acted.clear()
        self.beat()
        for oven in self._twin.ovens.values():
            oven.heater_enabled = True

    def watch(self) -> None:
        """Trip if something is wrong; called at every step of the twin."""
        new = {hazard: cause for hazard, cause in self._hazards().items() if hazard not in self._acted}
        if new:
            self._trip("; then ".join(filter(None, (self.message, *new.values()))))
            self._acted |= new.keys()
            self._switch_off()
        elif self._timeout_s and not self.tripped and self._twin.clock_s - self._last_beat_s > self._timeout_s:
            self._trip(f"no heartbeat for {self._timeout_s:g} s")

    def _hazards(self) -> dict[str, str]:
        """What is wrong now, in words, by what it makes us stop: ``oven`` or ``pressure``."""
        causes = {}
        for name, oven in self._twin.ovens.items():
            if math.isnan(oven.reading_c):
                causes["oven"] = f"{name} oven gives no reading, its thermocouple is broken"
            elif oven.reading_c > self.temperature_limit_c:
                causes["oven"] = f"{name} oven at {oven.reading_c:.0f} degC, limit {self.temperature_limit_c:.0f}"
        if self._twin.pressure_bar > self.pressure_limit_bar:
            causes["pressure"] = f"pressure {self._twin.pressure_bar:.1f} bar, limit {self.pressure_limit_bar:.0f}"
        return causes

    def _trip(self, cause: str) -> None:
        self.message = cause
        twin = self._twin
        for name in PRECURSORS:
            twin.pumps[name].stop()
        solvent = twin.pumps["Solvent"]
        solvent.target_volume_ul = 0.0
        solvent.target_rate_ul_min = self.standby_flow_ul_min
        solvent.infuse()
        twin.valve = "Solvent"
        twin.beam.shutter_open = False
        for oven in twin.ovens.values():
            oven.manual = False
            oven.setpoint_c = self.standby_temperature_c

    def _switch_off(self) -> None:
        for oven in self._twin.ovens.values():
            oven.heater_enabled = False
        if "pressure" in self._acted:
            self._twin.pumps["Solvent"].stop()

    def state(self) -> dict[str, object]:
        """Return what must survive a restart."""
        return {
            "message": self.message,
            "acted": sorted(self._acted),
            "standby_flow_ul_min": self.standby_flow_ul_min,
            "standby_temperature_c": self.standby_temperature_c,
            "heartbeat_timeout_s": self._timeout_s,
        }

    def restore(self, state: dict) -> None:
        """Take up what :meth:`state` returned, once the twin has its own; trip if a heartbeat was watched."""
        self.message = str(state["message"])
        self._acted = set(state["acted"])
        self.standby_flow_ul_min = float(state["standby_flow_ul_min"])
        self.standby_temperature_c = float(state["standby_temperature_c"])
        self.heartbeat_timeout_s = float(state.get("heartbeat_timeout_s", 0.0))
        if self._timeout_s and not self.tripped:
            self._trip("the IOC was restarted under a session")
