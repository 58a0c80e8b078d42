"""The HTTP server in front of the RE Manager, a child of ``msc queue``: bluesky-httpserver, a little narrower."""

import argparse
import gc
import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from msc_plans.patches import Patch, PatchError, applies
from msc_plans.processes import Child, ChildError, end_with_parent
from msc_plans.queue.http_access import AccessError, people_of, prepare_keys, write_database

__all__ = ["PATCH", "HttpServer", "HttpServerError", "close_open_doors", "read_config", "serve"]

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


PATCH = Patch(
    name="bluesky-httpserver: open doors",
    package="bluesky-httpserver",
    versions=">=0.0.14,<0.1",
    targets=(
        "bluesky_httpserver.authentication:base_authentication_router.routes",
        "bluesky_httpserver.authentication:get_current_principal",
        "bluesky_httpserver.routers.core_api:router.routes",
    ),
    kind="security",
    test="tests/system/test_http.py::test_a_spreadsheet_is_not_evaluated",
    fault=(
        "/api/queue/upload/spreadsheet evaluates the cells of an uploaded spreadsheet with eval, so that whoever may "
        "edit the queue runs code as the server's user; /api/plans/existing answers without any key; /whoami and "
        "/session/revoke raise for API keys without a session; the server's own start writes the key that signs its "
        "tokens to the log. Parse cells with ast.literal_eval, and require a scope on every route."
    ),
)


class HttpServerError(ChildError):
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
        self._child: Child | None = None

    def __enter__(self) -> Self:
        descriptor = self._listener.fileno()
        inherited = ["--inherited", str(descriptor), str(os.getpid())]
        with self._listener:
            self._child = Child(
                "the HTTP server",
                [sys.executable, "-m", __name__, *self._arguments, *inherited],
                log=self._log,
                environment=self._environment,
                descriptors=[descriptor],
                error=HttpServerError,
            )
        try:
            self._child.wait_for_http(self.uri.removeprefix("http://"), "/openapi.json", _ANSWERS_WITHIN_S)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it; stopping twice does nothing."""
        child, self._child = self._child, None
        if child is not None:
            child.end()


def read_config(path: Path) -> dict[str, Any]:
    """Return a configuration of bluesky-httpserver.

    Raises
    ------
    AccessError
        It can't be read, or isn't a configuration.
    """
    import yaml
    from bluesky_httpserver.config import parse_configs
    from bluesky_httpserver.config_schemas.loading import ConfigError

    try:
        config = parse_configs(path)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, ConfigError, yaml.YAMLError) as error:
        raise AccessError(f"{path} isn't a configuration of the HTTP server: {' '.join(str(error).split())}") from error
    return config


def close_open_doors() -> None:
    """Take from bluesky-httpserver what lets people in where they don't belong, before an app is built of it."""
    from bluesky_httpserver.authentication import base_authentication_router, get_current_principal
    from bluesky_httpserver.routers.core_api import router
    from fastapi import Security

    if not applies(PATCH):
        return
    found = {route.path for some in (router, base_authentication_router) for route in cast("Any", some.routes)}
    if missing := {*_CLOSED, *_GUARDED} - found:
        raise PatchError(
            f"bluesky-httpserver has no route {', '.join(sorted(missing))}: it was renamed, or moved, and may be open "
            f"under another name. Install bluesky-httpserver{PATCH.versions}, with which this was tested (0.0.14)"
        )
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


def main() -> None:
    """Read the command line of the child and serve."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__)
    parser.add_argument("people", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inherited", type=int, nargs=2, required=True, metavar=("SOCKET", "PARENT"))
    options = parser.parse_args()
    descriptor, parent = options.inherited
    end_with_parent(parent)
    serve(options.people, options.folder, socket.socket(fileno=descriptor))


if __name__ == "__main__":
    main()
