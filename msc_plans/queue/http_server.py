"""The HTTP server in front of the RE Manager, a child of ``msc queue``: bluesky-httpserver, a little narrower."""

import argparse
import gc
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msc_plans.queue.http_access import AccessError, people_of, prepare_keys, write_database

__all__ = ["HttpServer", "HttpServerError", "close_open_doors", "read_config", "serve"]

_HOST = "127.0.0.1"
_ANSWERS_WITHIN_S = 60.0
# What is wrong with bluesky-httpserver 0.0.14 where people have keys and nobody logs in.
_CLOSED = {
    "/api/queue/upload/spreadsheet",  # cells are evaluated as Python: whoever may queue could run code as this user
    "/session/refresh",
    "/session/revoke/{session_id}",  # falls over
}
# What is answered without a key, or falls over: the scope that is asked for.
_GUARDED = {"/api/plans/existing": "read:resources", "/whoami": "read:status"}


class HttpServerError(RuntimeError):
    """The HTTP server ended, or did not answer, at its start."""


class HttpServer:
    """bluesky-httpserver on a loopback port, in front of a RE Manager.

    Parameters
    ----------
    people : Path
        Configuration of bluesky-httpserver: who has which role.
    folder : Path
        Of keys, database and log; made where missing.
    port : int
        0 takes a free one.
    control, info : str
        0MQ addresses of the RE Manager.

    Raises
    ------
    AccessError
        The configuration or a key can't be used.
    PortBusyError
        The port is taken.
    """

    def __init__(self, people: Path, folder: Path, port: int, *, control: str, info: str) -> None:
        from msc_plans.storage.server import listen

        self.keys = folder / "keys"
        self._log = folder / "http.log"
        self._arguments = [str(people), str(folder)]
        self._environment = {"QSERVER_ZMQ_CONTROL_ADDRESS": control, "QSERVER_ZMQ_INFO_ADDRESS": info}
        prepare_keys(self.keys, people_of(read_config(people)))
        self._listener = listen(port)
        self.uri = f"http://{_HOST}:{self._listener.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        descriptor = self._listener.fileno()
        with self._listener, self._log.open("ab") as log:
            command = [
                sys.executable,
                "-m",
                __name__,
                *self._arguments,
                "--inherited",
                str(descriptor),
                str(os.getpid()),
            ]
            self._process = subprocess.Popen(
                command,
                pass_fds=[descriptor],
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the queue, which ends this one last
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it: SIGTERM, then SIGKILL; idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_until_it_answers(self) -> None:
        # The socket listens already: the request waits in its backlog until the server takes it.
        connection = http.client.HTTPConnection(self.uri.removeprefix("http://"), timeout=_ANSWERS_WITHIN_S)
        try:
            connection.request("GET", "/openapi.json")
            why = f"answers with HTTP status {status}" if (status := connection.getresponse().status) != 200 else ""
        except TimeoutError:
            why = f"did not answer within {_ANSWERS_WITHIN_S:g} s"
        except (OSError, http.client.HTTPException) as error:
            why = f"ended at its start ({error})"
        finally:
            connection.close()
        if why:
            raise HttpServerError(f"the HTTP server {why}; see {self._log}")


def read_config(path: Path) -> dict[str, Any]:
    """Return a configuration of bluesky-httpserver.

    Raises
    ------
    AccessError
        It can't be read, or is none.
    """
    import yaml
    from bluesky_httpserver.config import parse_configs
    from bluesky_httpserver.config_schemas.loading import ConfigError

    try:
        config = parse_configs(path)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, ConfigError, yaml.YAMLError) as error:
        raise AccessError(f"{path} is no configuration of the HTTP server: {' '.join(str(error).split())}") from error
    return config


def close_open_doors() -> None:
    """Take from bluesky-httpserver what lets people in where they don't belong, before an app is built of it."""
    from bluesky_httpserver.authentication import base_authentication_router, get_current_principal
    from bluesky_httpserver.routers.core_api import router
    from fastapi import Security

    for some in (router, base_authentication_router):
        routes: Any = some.routes
        unguarded = [route for route in routes if route.path in _GUARDED]
        routes[:] = [route for route in routes if route.path not in {*_CLOSED, *_GUARDED}]
        for route in unguarded:
            asked = Security(get_current_principal, scopes=[_GUARDED[route.path]])
            some.add_api_route(route.path.removeprefix(some.prefix), route.endpoint, dependencies=[asked])


def serve(people: Path, folder: Path, listener: socket.socket) -> None:
    """Serve on a listening socket until SIGTERM."""
    import uvicorn
    from bluesky_httpserver.app import build_app
    from bluesky_httpserver.config import construct_build_app_kwargs

    config = read_config(people)
    database = folder / "keys.db"
    write_database(database, prepare_keys(folder / "keys", people_of(config)))
    config["database"] = {"uri": f"sqlite:///{database}"}
    config["authentication"]["allow_anonymous_access"] = False  # or the environment could say otherwise
    close_open_doors()
    # Not bluesky_httpserver.server: it writes the key that signs its tokens into the log.
    app = build_app(**construct_build_app_kwargs(config, source_filepath=str(people)))
    gc.freeze()
    # No access log: a key may stand in a request's query.
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3)
    )
    server.run(sockets=[listener])


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5.0)
    os._exit(1)


def main() -> None:
    """Read the command line of the child and serve."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__)
    parser.add_argument("people", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inherited", type=int, nargs=2, required=True, metavar=("SOCKET", "PARENT"))
    options = parser.parse_args()
    descriptor, parent = options.inherited
    threading.Thread(target=_end_with, args=(parent,), name="parent-watch", daemon=True).start()
    serve(options.people, options.folder, socket.socket(fileno=descriptor))


if __name__ == "__main__":
    main()
