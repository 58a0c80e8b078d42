"""Channel Access addresses, and who has which port."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from msc_plans.checkup import Finding

__all__ = ["check_addresses", "check_ports", "holder_of"]

_CA_PORT = 5064
_MANAGER_PORT = 60615
_LOOPBACK = "export EPICS_CA_ADDR_LIST=127.0.0.1 EPICS_CA_AUTO_ADDR_LIST=NO"


def check_addresses(environment: Mapping[str, str] = os.environ) -> Finding:
    """Look where Channel Access clients will search for records."""
    listed = environment.get("EPICS_CA_ADDR_LIST", "").split()
    automatic = environment.get("EPICS_CA_AUTO_ADDR_LIST", "YES").strip().upper() != "NO"
    port = environment.get("EPICS_CA_SERVER_PORT", str(_CA_PORT))
    about = "Channel Access"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return Finding(
            about,
            "broken",
            f"EPICS_CA_SERVER_PORT={port} isn't a port number",
            "unset it, or set it to the IOC's (5064)",
        )
    for address in listed:
        host, _, own_port = address.partition(":")
        try:
            socket.getaddrinfo(host, int(own_port or port), socket.AF_INET)
        except (OSError, ValueError) as error:
            return Finding(
                about, "broken", f"{address} of EPICS_CA_ADDR_LIST isn't an address: {error}",
                "correct it: names or IPv4 addresses, with blanks between them",
            )  # fmt: skip
    if not listed and not automatic:
        return Finding(
            about,
            "broken",
            "EPICS_CA_ADDR_LIST is empty and EPICS_CA_AUTO_ADDR_LIST=NO: nothing is searched",
            _LOOPBACK,
        )
    where = ", ".join([*listed, *(["all networks of this machine"] if automatic else [])])
    layer = environment.get("OPHYD_CONTROL_LAYER", "caproto")
    return Finding(about, "fine", f"searches {where}, port {port}, by {layer}")


def check_ports(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look who has the ports of Channel Access and of the RE Manager."""
    port = environment.get("EPICS_CA_SERVER_PORT", "")
    access = int(port) if port.isdecimal() and 0 < int(port) < 65536 else _CA_PORT
    return [
        _port(access, "msc ioc can serve here", f"well if this is your IOC; else choose: msc ioc --port {access + 10}"),
        _port(
            _MANAGER_PORT, "no other RE Manager runs here", "well if this is your site's; msc queue takes a free port"
        ),
    ]


def _port(port: int, if_free: str, if_taken: str) -> Finding:
    holder = holder_of(port)
    if holder:
        return Finding(f"port {port}", "note", f"taken by {holder}", if_taken)
    return Finding(f"port {port}", "fine", f"free: {if_free}")


def holder_of(port: int) -> str:
    """Return who listens on a TCP or UDP port of this machine: command and process id; empty where nobody does."""
    import psutil

    for one in psutil.net_connections("inet4"):
        listening = one.status == psutil.CONN_LISTEN or one.type == socket.SOCK_DGRAM
        if one.laddr and one.laddr.port == port and listening:
            if one.pid is None:
                return "another user's process"
            try:
                words = psutil.Process(one.pid).cmdline()
            except psutil.Error:
                return f"process {one.pid}"
            return f"process {one.pid}, {_short(words)}"
    return ""


def _short(words: list[str]) -> str:
    """Return a command line without the interpreter's path and what of it is long."""
    return " ".join([Path(words[0]).name, *words[1:]])[:60] if words else "?"
