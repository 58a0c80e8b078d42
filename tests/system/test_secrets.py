"""A session with known keys: nothing listens to others, and no key is in arguments, logs, documents or answers."""

import http.client
import json
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from msc_plans.storage import opened
from msc_plans.storage.config import read_api_key
from tests.conftest import wait_until
from tests.integration.test_doors import open_to_others
from tests.system.queue_server import CONDITION, DEVICES, served


def test_a_measured_condition_leaves_no_trace_of_a_key_and_nothing_listens_to_others(tmp_path, monkeypatch):
    import zmq

    public, private = (key.decode() for key in zmq.curve_keypair())
    monkeypatch.setenv("QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER", private)
    monkeypatch.setenv("QSERVER_ZMQ_PUBLIC_KEY", public)
    monkeypatch.setenv("TILED_SINGLE_USER_API_KEY", other := secrets.token_hex(16))
    store = tmp_path / "store"
    store.mkdir()
    known = {"the store's": read_api_key(store), "0MQ's": private, "0MQ's public": public, "another": other}
    arguments = set()
    with served(store, "--http", "0") as queue:
        (server,) = (one for one in psutil.Process().children() if "queue" in one.cmdline())
        known |= {f"{path.name}'s": path.read_text().strip() for path in (store / "http" / "keys").iterdir()}
        uri = re.search(r"answers at (http://\S+),", (store / "out.txt").read_text())[1]
        # asked well and badly, with the key in every place where it can stand
        for key in (known["operator's"], known["observer's"], "0" * 64, "nonsense"):
            for path in ("/api/status", "/api/queue/start", "/api/nowhere", "/api/queue/item/add"):
                for shown in ({"Authorization": f"ApiKey {key}"}, {"Authorization": f"Bearer {key}"}):
                    assert key not in ask(uri, "POST", path, shown)
                ask(uri, "GET", f"{path}?api_key={key}", {})
        queue.run(("bring_up", DEVICES | {"nucleation_temperature": 130.0, "growth_temperature": 120.0}))
        (ended,) = queue.run(("measure_condition", DEVICES | CONDITION))
        for one in server.children(recursive=True):
            arguments.add("\0".join(one.cmdline()))
        # The worker is a client of Channel Access: replies to its searches come in by one UDP socket, on any address.
        reached = open_to_others(server)
        assert [(kind, "start_manager" in whose) for whose, kind, _ in reached] in ([], [("SOCK_DGRAM", True)])
        uid = ended["result"]["run_uids"][0]
        with opened(store) as catalog:
            wait_until(lambda: uid in catalog and catalog[uid].metadata.get("stop"), seconds=60, what="the run")
            documents = json.dumps([list(run.documents()) for run in catalog.values()], default=str)
        said = json.dumps([queue.history(), queue.status(), queue.ask("config_get")])
    assert len(arguments) >= 5
    own = {store / "api_key", *(store / "http" / "keys").iterdir()}
    files = {str(path): path.read_bytes() for path in store.rglob("*") if path.is_file() and path not in own}
    assert {Path(name).name for name in files} >= {
        "queue.log",
        "redis.log",
        "http.log",
        "tiled.log",
        "ioc.log",
        "out.txt",
    }
    places = {
        "arguments": "".join(arguments).encode(),
        "documents": documents.encode(),
        "answers": said.encode(),
    } | files
    found = [(whose, place) for whose, key in known.items() for place, text in places.items() if key.encode() in text]
    print(
        f"{len(known)} keys looked for in {len(files)} files, {len(arguments)} processes, {len(documents)} characters"
    )
    assert found == []


def ask(uri, method, path, headers):
    connection = http.client.HTTPConnection(urlsplit(uri).netloc, timeout=30)
    try:
        connection.request(method, path, "{}", {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.read().decode()
    finally:
        connection.close()


pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
