"""The simulated reactor as a child process on a free loopback port."""

import os
import random
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from msc_plans.errors import InputError
from msc_plans.processes import Child, ChildError

__all__ = ["Simulator", "SimulatorError", "check_scenario", "free_port", "settings_of_scenario", "use_loopback"]


class SimulatorError(ChildError):
    """The simulated reactor ended, or did not answer, at its start."""


def free_port() -> int:
    """Return a loopback port that nothing uses now, TCP and UDP."""
    while True:
        # below those that the system itself gives to connections: nobody gets it between now and the server's start
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port


def use_loopback(port: int) -> dict[str, str]:
    """Return the environment in which Channel Access clients find a server on a loopback port only."""
    return {
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(port),
    }


def check_scenario(scenario: str, port: int = 0) -> None:
    """Refuse a scenario that can't be loaded, and a Channel Access port that another program holds.

    Parameters
    ----------
    scenario : str
        Built-in name, or path of a TOML file.
    port : int
        0 for any free one.

    Raises
    ------
    InputError
        The message names what is wrong and what to do.
    """
    from ioc_sim.physics.scenario_file import load_scenario
    from ioc_sim.server import PortInUseError, check_port

    try:
        load_scenario(scenario)
        if port:
            check_port(port)
    except (ValueError, OSError, PortInUseError) as error:
        raise InputError(str(error)) from error


def settings_of_scenario(scenario: str) -> dict[str, str]:
    """Return the settings that a scenario's volumes ask for, as variables of the environment.

    Raises
    ------
    InputError
        The scenario can't be loaded.
    """
    from ioc_sim.physics.scenario_file import load_scenario

    check_scenario(scenario)
    found = load_scenario(scenario)
    volumes = ("chamber_ul", "coil_ul", "dead_ul", "cell_ul")
    return {
        "MSC_SYRINGE_UL": str(found.pump.capacity_ul),
        **{f"MSC_GEOMETRY__{name.upper()}": str(getattr(found.plumbing, name)) for name in volumes},
    }


class Simulator:
    """``python -m ioc_sim`` as a child; it ends with this process, however this one ends.

    Parameters
    ----------
    scenario, prefix, seed, time_scale, state, data_root
        As for ``msc ioc``.
    port : int
        Channel Access port; 0 takes a free one.
    log : Path, optional
        Where the child's output goes; default nowhere.
    keep : bool
        Let it outlive this process.
    """

    def __init__(
        self,
        *,
        scenario: str = "palencia2020",
        prefix: str = "MSC:",
        seed: int = 0,
        time_scale: float = 1.0,
        port: int = 0,
        state: Path | None = None,
        data_root: Path | None = None,
        log: Path | None = None,
        keep: bool = False,
    ) -> None:
        self.prefix = prefix
        self.port = port or free_port()
        self._log = log
        self._keep = keep
        self._arguments = [
            "--scenario", scenario, "--prefix", prefix, "--seed", str(seed),
            "--time-scale", f"{time_scale:g}", "--port", str(self.port),
            *(["--state", str(state)] if state else []),
            *(["--data-root", str(data_root)] if data_root else []),
            *([] if keep else ["--end-with-parent", str(os.getpid())]),
        ]  # fmt: skip
        self._child: Child | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment needs to find it."""
        return use_loopback(self.port)

    @property
    def pid(self) -> int:
        """Process id of the running simulator."""
        if self._child is None:
            raise SimulatorError("the simulated reactor has not been started")
        return self._child.pid

    def launch(self) -> Self:
        """Start the process; :meth:`wait_ready` waits for it."""
        command = [sys.executable, "-m", "ioc_sim", *self._arguments]
        self._child = Child(
            "the simulated reactor", command, log=self._log, environment=self.environment, error=SimulatorError
        )
        return self

    def wait_ready(self, timeout_s: float = 180.0) -> Self:
        """Wait until it listens; the first start after an installation compiles for half a minute.

        Raises
        ------
        SimulatorError
            It has not been started, ended, or does not listen within ``timeout_s``.
        """
        if self._child is None:
            raise SimulatorError("the simulated reactor has not been started")
        try:
            self._child.wait_until(self._listens, timeout_s, "does not listen")
        except SimulatorError:
            self.stop()
            raise
        return self

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.5).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End it; stopping twice does nothing."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def __enter__(self) -> Self:
        return self.launch().wait_ready()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
