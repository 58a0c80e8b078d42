"""The Tiled server on a folder, in the foreground: ``python -m msc_plans.storage.serve FOLDER``."""

import argparse
import gc
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from .config import catalog_config, create_database, prepare_folder, read_api_key
from .confine import confine_files
from .dependants import remember_dependants
from .lock import Holder, StoreLock
from .server import HOST, listen
from .tables import share_tables

_NICE = 10
_SECONDS_TO_END = 5.0


def _end_with(parent: int) -> None:
    """End this process when `parent` is no longer its parent.

    Not PR_SET_PDEATHSIG: that fires when the *thread* that started us ends.
    """
    while os.getppid() == parent:
        time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_SECONDS_TO_END)
    os._exit(1)


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


def serve(folder: Path, listener: socket.socket, *, public: bool = False) -> None:
    """Serve the store in `folder` on a listening socket until SIGTERM or SIGINT; `public`: reading needs no key."""
    # Half of the start-up is imports; their objects live for ever, and collecting them costs a fifth of it.
    gc.disable()
    import uvicorn
    from tiled.server.app import build_app_from_config

    create_database(folder)
    confine_files()
    share_tables()
    app = build_app_from_config(catalog_config(folder, read_api_key(folder), public=public))
    remember_dependants()
    gc.freeze()
    gc.enable()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = uvicorn.Config(
        _StreamsClosed(app),
        loop="auto",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[listener])


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m msc_plans.storage.serve", description=__doc__)
    parser.add_argument("folder", type=Path, help="the store's folder; made where missing")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--public", action="store_true", help="let clients read without a key")
    parser.add_argument("--inherited", type=int, nargs=3, help=argparse.SUPPRESS)  # lock, socket, parent
    options = parser.parse_args(arguments)
    if options.inherited:
        lock_descriptor, socket_descriptor, parent = options.inherited
        if parent:
            threading.Thread(target=_end_with, args=(parent,), name="parent-watch", daemon=True).start()
        StoreLock(options.folder, lock_descriptor)  # held until this process ends
        # what its parent measures goes before what is stored
        os.nice(_NICE)
        serve(options.folder, socket.socket(fileno=socket_descriptor))
        return
    folder = prepare_folder(options.folder)
    lock = StoreLock(folder)
    with listen(options.port) as listener:
        uri = f"http://{HOST}:{listener.getsockname()[1]}"
        lock.note(Holder(os.getpid(), uri))
        reading = ", to read without a key" if options.public else ""
        print(f"serving {folder} at {uri}{reading} (key: {folder / 'api_key'})", flush=True)
        serve(folder, listener, public=options.public)
    lock.release()


if __name__ == "__main__":
    main()
