"""Python and its packages, disk, clock and time zone."""

import os
import shutil
import sys
import time
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from msc_plans.checkup import Finding

__all__ = ["check_clock", "check_disk", "check_python"]

_LITTLE_BYTES = 10e9
_TOO_LITTLE_BYTES = 1e9
_DAY_S = 86400.0


def check_python() -> Finding:
    """Look whether Python is new enough and all packages are there, in versions that fit."""
    here = ".".join(map(str, sys.version_info[:3]))
    needed = metadata("msc-plans")["Requires-Python"]
    if not SpecifierSet(needed).contains(here):
        return Finding(
            "Python", "broken", f"{here}; needed is {needed}", "make PYTHON=/path/to/a/newer/python3 install"
        )
    wanted = [Requirement(line) for line in requires("msc-plans") or []]
    missing = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    missing = [one for one in missing if not _installed(one)]
    if missing:
        names = ", ".join(str(one) for one in missing)
        return Finding("Python", "broken", f"{here}; not installed, or too old: {names}", "pip install msc-plans again")
    for extra in ("session", "queue"):
        lacking = [one.name for one in wanted if _belongs(one, extra) and not _installed(one)]
        if lacking:
            return Finding(
                "Python", "note", f"{here}; msc {extra} can't run without {', '.join(lacking)}",
                f"pip install 'msc-plans[{extra}]'",
            )  # fmt: skip
    return Finding("Python", "fine", f"{here} with all packages, msc-plans {version('msc-plans')}")


def _belongs(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


def check_disk(store: Path) -> Finding:
    """Look how much room the store's disk has, and whether the store's folder can be written."""
    place = next(one for one in (store.resolve(), *store.resolve().parents) if one.exists())
    if not _writable(place):
        return Finding(
            "disk", "broken", f"{place} can't be written by this user",
            "choose another store (--store, MSC_STORE, msc.toml), or let its owner give the right to it",
        )  # fmt: skip
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free for {store}"
    if free < _TOO_LITTLE_BYTES:
        return Finding("disk", "broken", found, "make room, or choose a store on another disk (MSC_STORE)")
    if free < _LITTLE_BYTES:
        return Finding("disk", "note", found, "make room before frames are taken")
    return Finding("disk", "fine", found)


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def check_clock() -> Finding:
    """Look whether the clock can be right, and which time zone documents will carry."""
    from tzlocal import get_localzone

    now = time.time()
    newest = max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    if now < newest - _DAY_S:
        return Finding(
            "clock", "broken", f"{shown}, before this program was installed",
            "set the clock (chronyc makestep, or timedatectl set-ntp true)",
        )  # fmt: skip
    try:
        zone = str(get_localzone())
    except Exception as error:  # noqa: BLE001  tzlocal raises what it meets in the system's files
        return Finding(
            "clock", "broken", f"{shown}; the time zone can't be told: {error}",
            "set TZ to a name such as Europe/Berlin, or /etc/localtime",
        )  # fmt: skip
    return Finding("clock", "fine", f"{shown}, time zone {zone}")
