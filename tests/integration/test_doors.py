"""Who listens where, who may read and write the store, and what must not leave a process."""

import http.client
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from msc_plans.errors import InputError
from msc_plans.storage import opened
from tests.conftest import wait_until

MSC = Path(sys.executable).parent / "msc"


def open_to_others(process):
    """Return the sockets of a process and its children that somebody on another machine could reach."""
    found = []
    for one in (process, *process.children(recursive=True)):
        for socket in one.net_connections(kind="inet"):
            bound = socket.status == psutil.CONN_LISTEN or (socket.type.name == "SOCK_DGRAM" and not socket.raddr)
            if bound and socket.laddr and not socket.laddr.ip.startswith(("127.", "::1")):
                found.append((" ".join(one.cmdline())[:200], socket.type.name, socket.laddr))
    return found


def listens(process):
    return {
        socket.laddr.port
        for one in (process, *process.children(recursive=True))
        for socket in one.net_connections(kind="inet")
        if socket.status == psutil.CONN_LISTEN
    }


@contextmanager
def running(folder, *arguments, until):
    out = folder / "out.txt"
    with out.open("w") as log:
        process = subprocess.Popen([MSC, *arguments], stdout=log, stderr=log, cwd=folder, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: re.search(until, out.read_text()) or process.poll() is not None, seconds=60, what=until)
        assert process.poll() is None, out.read_text()
        yield psutil.Process(process.pid), out.read_text()
    finally:
        process.terminate()
        process.wait(30)


def test_the_ioc_listens_on_the_loopback_only(tmp_path):
    from msc_plans.session.simulator import free_port

    port = free_port()
    with running(tmp_path, "ioc", "--scenario", "fast", "--port", str(port), until="Ctrl-C") as (process, _):
        wait_until(lambda: port in listens(process), what="the server")
        assert open_to_others(process) == []


# -- the store


def ask(uri, method, path, key=None, body=None):
    connection = http.client.HTTPConnection(urlsplit(uri).netloc, timeout=30)
    try:
        told = {"Content-Type": "application/json"} | ({"Authorization": f"Apikey {key}"} if key else {})
        connection.request(method, path, json.dumps(body) if body is not None else None, told)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from msc_plans.storage import TiledServer

    with TiledServer(tmp_path_factory.mktemp("store")) as server:
        yield server


NEW = {"structure_family": "container", "metadata": {}, "data_sources": [], "specs": []}
ASKED = [
    ("GET", "/api/v1/metadata/", None), ("GET", "/api/v1/search/", None), ("POST", "/api/v1/metadata/", NEW),
    ("POST", "/api/v1/register/", NEW), ("DELETE", "/api/v1/metadata/?recursive=true", None),
    ("PATCH", "/api/v1/metadata/", {"metadata": {"x": 1}}),
]  # fmt: skip


@pytest.mark.parametrize("public", [False, True])
def test_the_store_is_read_with_the_key_or_if_it_is_public_and_written_with_the_key_alone(tmp_path, public):
    options = ["--public"] if public else []
    with running(tmp_path, "tiled", "--store", "store", *options, until="serving") as (process, said):
        uri = re.search(r"http://\S+?(?=,|\s)", said)[0]
        wait_until(lambda: ask(uri, "GET", "/healthz")[0] == 200, what="the server")
        key = (tmp_path / "store" / "api_key").read_text()
        assert open_to_others(process) == []
        codes = {
            who: [ask(uri, *request[:2], shown, request[2])[0] for request in ASKED]
            for who, shown in (("nobody", None), ("wrong", "0" * 64), ("right", key))
        }
        assert codes["wrong"] == [401] * len(ASKED)
        assert codes["nobody"] == ([200, 200] if public else [401, 401]) + [401] * (len(ASKED) - 2)
        assert codes["right"][:4] == [200] * 4
        assert key not in said + (tmp_path / "out.txt").read_text()
        assert not any(key in word for word in process.cmdline())


@pytest.mark.long
def test_the_environment_does_not_open_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("TILED_ALLOW_ANONYMOUS_ACCESS", "true")
    monkeypatch.setenv("TILED_SINGLE_USER_API_KEY", "known")
    with running(tmp_path, "tiled", "--store", "store", until="serving") as (_, said):
        uri = re.search(r"http://\S+", said)[0]
        wait_until(lambda: ask(uri, "GET", "/healthz")[0] == 200, what="the server")
        assert [ask(uri, "GET", "/api/v1/metadata/", key)[0] for key in (None, "known")] == [401, 401]


@pytest.mark.parametrize(
    ("place", "served"),
    [
        ("{frames}/own.h5", True), ("{out}/other.h5", False), ("{frames}/../../out/other.h5", False),
        ("{frames}/link/other.h5", False), ("{frames}/%2e%2e/%2e%2e/out/other.h5", False),
    ],
)  # fmt: skip
def test_the_store_serves_no_file_from_outside_its_folder(server, place, served):
    import h5py
    import numpy as np
    from tiled.structures.array import ArrayStructure
    from tiled.structures.data_source import Asset, DataSource, Management

    frames, out = server.folder / "frames", server.folder.parent / "out"
    out.mkdir(exist_ok=True)
    for path in (frames / "own.h5", out / "other.h5"):
        with h5py.File(path, "w") as file:
            file["x"] = np.arange(4.0)
    (frames / "link").unlink(missing_ok=True)
    (frames / "link").symlink_to(out)
    source = DataSource(
        management=Management.external,
        mimetype="application/x-hdf5",
        structure_family="array",
        structure=ArrayStructure.from_array(np.arange(4.0)),
        parameters={"dataset": "x"},
        assets=[
            Asset(
                data_uri=f"file://localhost{place.format(out=out, frames=frames)}",
                is_directory=False, parameter="data_uris", num=0,
            )
        ],
    )  # fmt: skip
    with opened(server.uri, server.api_key) as catalog:
        name = catalog.new("array", [source]).path_parts[-1]
    wanted = f"/api/v1/array/full/{name}?format=application/json"
    status, said = ask(server.uri, "GET", wanted, server.api_key)
    assert (status == 200) == served, said
    if served:
        assert json.loads(said) == [0.0, 1.0, 2.0, 3.0]
    else:
        assert "1.0" not in said


# -- keys of the RE Manager


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "192.0.2.1", "::"])
def test_the_re_manager_leaves_the_loopback_only_with_keys(host, monkeypatch):
    from msc_plans.cli.queue import _check_host

    for name in ("QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER", "QSERVER_ZMQ_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    for local in ("127.0.0.1", "localhost"):
        _check_host(local)
    with pytest.raises(InputError, match="listens beyond the loopback only with keys"):
        _check_host(host)
    monkeypatch.setenv("QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER", "x")
    with pytest.raises(InputError, match="QSERVER_ZMQ_PUBLIC_KEY not set"):
        _check_host(host)
    monkeypatch.setenv("QSERVER_ZMQ_PUBLIC_KEY", "x")
    _check_host(host)
