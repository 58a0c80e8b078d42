"""All checks of ``msc doctor``, side by side."""

import threading
import time
from collections.abc import Callable, Mapping

from msc_plans.checkup import Finding
from msc_plans.settings import Settings

__all__ = ["Check", "checks_of", "examine"]

Check = Callable[[], "Finding | list[Finding]"]

_SEARCH_S = 5.0


def checks_of(settings: Settings, redis_addr: str, timeout_s: float) -> dict[str, Check]:
    """Return all checks by name: of this machine, its services, the store and the reactor.

    Parameters
    ----------
    settings : Settings
        Store, server and prefix that are looked at.
    redis_addr : str
        ``HOST:PORT`` of a site's Redis; empty for none.
    timeout_s : float
        Seconds that all checks may take, of which the search for records has a part.
    """
    from msc_plans.checkup import machine, network, services
    from msc_plans.checkup.records import check_records

    named = "prefix" in settings.model_fields_set

    def reactor() -> list[Finding]:
        # a part for the search: what is found is then still to be read
        return check_records(settings, timeout_s=min(timeout_s / 4, _SEARCH_S), named=named)

    return {
        "Python": machine.check_python,
        "disk": lambda: machine.check_disk(settings.store),
        "clock": machine.check_clock,
        "Channel Access": network.check_addresses,
        "ports": network.check_ports,
        "Tiled key": lambda: services.check_key(settings.store),
        "store": lambda: services.check_store(settings.store, settings.tiled_uri),
        "Redis": lambda: services.check_redis(redis_addr),
        "reactor": reactor,
    }


def examine(checks: Mapping[str, Check], timeout_s: float) -> list[Finding]:
    """Run all checks side by side for ``timeout_s`` at most; one that fails, or does not end, is a finding, too."""
    deadline = time.monotonic() + timeout_s
    found: dict[str, list[Finding]] = {name: [] for name in checks}
    threads = {
        name: threading.Thread(target=_kept, args=(name, check, found[name]), name=f"check {name}", daemon=True)
        for name, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    findings: list[Finding] = []
    for name, thread in threads.items():
        thread.join(max(deadline - time.monotonic(), 0.0))
        late = Finding(name, "broken", f"no answer within {timeout_s:g} s", "on a slow disk or network: --timeout 60")
        findings += found[name] if not thread.is_alive() else [late]
    return findings


def _kept(name: str, check: Check, found: list[Finding]) -> None:
    try:
        answer = check()
    except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
        why = (str(error).strip().splitlines() or [""])[0]
        found.append(Finding(name, "broken", f"{type(error).__name__}: {why}", "if this is not clear, report it"))
    else:
        found += [answer] if isinstance(answer, Finding) else answer
