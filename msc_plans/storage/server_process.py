"""The Tiled server on a folder, in the foreground: ``python -m msc_plans.storage.server_process FOLDER``."""

import argparse
import gc
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from msc_plans.processes import end_with_parent
from msc_plans.storage.config import catalog_config, prepare_folder, read_api_key
from msc_plans.storage.database import Database, create_database, read_ahead, read_database, write_database
from msc_plans.storage.lock import Holder, StoreLock
from msc_plans.storage.server import HOST, listen
from msc_plans.storage.server_workers import keep_running

_NICE = 10
_CAN_NOT_START = 3


class _StreamsClosed:
    """Answer 'this stream of writes has ended' at once.

    TiledWriter says it of every node of a run, a third of its requests. Without a streaming cache, and this server
    has none, there is nothing to end, but Tiled looks up node and permissions first: about 40 ms each.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "DELETE" or "/stream/close/" not in scope["path"]:
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def serve(folder: Path, listener: socket.socket, *, public: bool = False, parent: int = 0) -> int:
    """Serve the store in `folder` on a listening socket until SIGTERM or SIGINT.

    Parameters
    ----------
    folder : Path
        Of the store.
    listener : socket
        Listens already.
    public : bool
        Reading needs no key.
    parent : int
        Ends with this process, too; 0: with none.

    Returns
    -------
    code : int
        0, or 3 where the server could not start.
    """
    # Half of the start-up is imports; their objects live for ever, and collecting them costs a fifth of it.
    gc.disable()
    threading.Thread(target=read_ahead, args=(folder,), name="read ahead", daemon=True).start()
    import uvicorn
    from tiled.server.app import build_app_from_config

    from msc_plans.storage.tiled_patches import patch_tiled, remember_dependants, server_class

    processes = read_database(folder).processes
    create_database(folder)
    patch_tiled()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    def work() -> int:
        app = build_app_from_config(catalog_config(folder, read_api_key(folder), public=public))
        remember_dependants()
        gc.freeze()
        gc.enable()
        config = uvicorn.Config(
            _StreamsClosed(app),
            loop="auto",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,
            # A client that kept its connection would keep its process, however idle the others are.
            headers=[("Connection", "close")] if processes > 1 else [],
        )
        server = server_class()(config) if processes > 1 else uvicorn.Server(config)
        server.run(sockets=[listener])
        return 0 if server.started else _CAN_NOT_START

    if processes > 1:
        return keep_running(processes, work, parent)
    if parent:
        end_with_parent(parent)
    return work()


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m msc_plans.storage.server_process", description=__doc__)
    parser.add_argument("folder", type=Path, help="the store's folder; made where missing")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--public", action="store_true", help="let clients read without a key")
    parser.add_argument("--postgresql", metavar="URI", help="database of the store, from now on")
    parser.add_argument("--processes", type=int, help="that serve it, with PostgreSQL, from now on")
    parser.add_argument("--inherited", type=int, nargs=3, help=argparse.SUPPRESS)  # lock, socket, parent
    options = parser.parse_args(arguments)
    if options.inherited:
        lock_descriptor, socket_descriptor, parent = options.inherited
        StoreLock(options.folder, lock_descriptor)  # held until this process ends
        # what its parent measures goes before what is stored
        os.nice(_NICE)
        return serve(options.folder, socket.socket(fileno=socket_descriptor), parent=parent)
    folder = prepare_folder(options.folder)
    lock = StoreLock(folder)
    try:
        database = read_database(folder)
        if options.postgresql is not None or options.processes is not None:
            where = database.postgresql if options.postgresql is None else options.postgresql
            database = Database(where, database.processes if options.processes is None else options.processes)
            write_database(folder, database)
        with listen(options.port) as listener:
            uri = f"http://{HOST}:{listener.getsockname()[1]}"
            lock.note(Holder(os.getpid(), uri))
            held = f", kept in {database.postgresql}," if database.postgresql else ""
            reading = ", to read without a key" if options.public else ""
            print(f"serving {folder}{held} at {uri}{reading} (key: {folder / 'api_key'})", flush=True)
            return serve(folder, listener, public=options.public)
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main())
