"""Servers that share a socket: an idle one takes what comes."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvicorn

from msc_plans.storage.tiled_patches import fair_server
from tests.conftest import wait_until


class Slow:
    """Answers with its name; ``/slow`` only when `go_on` is set."""

    def __init__(self, name):
        self.name, self.busy, self.go_on = name, 0, threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/slow":
            self.busy += 1
            await asyncio.to_thread(self.go_on.wait)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.name.encode()})


@pytest.fixture
def pair(monkeypatch):
    """The URI of two servers, and their apps."""
    # longer than a busy machine takes to wake the other one
    monkeypatch.setattr(fair_server, "_COURTESY_S", 0.5)
    apps = [Slow("one"), Slow("other")]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        servers = [
            fair_server.server_class()(
                uvicorn.Config(app, lifespan="off", log_config=None, headers=[("Connection", "close")])
            )
            for app in apps
        ]
        threads = [
            threading.Thread(target=server.run, kwargs={"sockets": [listener.dup()]}, name="fair server")
            for server in servers
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(server.started for server in servers), what="the servers")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", apps
        for app in apps:
            app.go_on.set()
        for server, thread in zip(servers, threads, strict=True):
            server.should_exit = True
            thread.join()


def test_while_one_works_the_other_takes_what_comes_and_nobody_waits_when_both_do(pair):
    uri, apps = pair
    with ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.get, f"{uri}/slow", timeout=60)
        wait_until(lambda: sum(app.busy for app in apps) == 1, what="the first request")
        (idle,) = (app.name for app in apps if not app.busy)
        assert {httpx.get(uri).text for _ in range(12)} == {idle}
        second = pool.submit(httpx.get, f"{uri}/slow", timeout=60)
        wait_until(lambda: all(app.busy for app in apps), what="the second request")
        assert httpx.get(uri, timeout=60).text in ("one", "other")
        for app in apps:
            app.go_on.set()
        assert {first.result().text, second.result().text} == {"one", "other"}


def test_a_client_that_leaves_before_it_was_served_does_no_harm(pair):
    uri, _ = pair
    host, port = uri.removeprefix("http://").split(":")
    for _ in range(5):
        socket.create_connection((host, int(port))).close()
    assert httpx.get(uri, timeout=60).status_code == 200
