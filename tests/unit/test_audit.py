"""The check of pins, against an index on the loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests import audit

KNOWN = {
    "info": {},
    "vulnerabilities": [{"id": "PYSEC-1", "fixed_in": ["1.2"]}, {"id": "PYSEC-2", "withdrawn": "2020"}],
}
ANSWERS = {
    "/pypi/bad/1.0/json": KNOWN,
    "/pypi/good/2.0/json": {"vulnerabilities": []},
    "/pypi/mute/3/json": {"info": {}},
}


@pytest.fixture
def index():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            told = ANSWERS.get(self.path)
            self.send_response(200 if told else 404)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def audited(monkeypatch, tmp_path, index, pins):
    monkeypatch.setattr(audit, "configured_index", lambda: f"{index}/simple")
    monkeypatch.setattr(audit, "PINS", tmp_path / "pins.txt")
    audit.PINS.write_text("# pins\n" + "\n".join(pins))
    return audit.main([])


@pytest.mark.parametrize(
    ("pins", "code", "says"),
    [
        (["good==2.0"], 0, "1 of 1 pins checked, 0 known weaknesses"),
        (["bad==1.0", "good==2.0"], 1, "bad 1.0: PYSEC-1, mended in 1.2\n2 of 2 pins checked, 1 known weaknesses"),
        (["good==2.0", "mute==3"], 3, "mute 3 could not be checked: the index says nothing of weaknesses"),
        (["gone==4", "good==2.0"], 3, "0 of 2 pins checked: this index does not tell."),
    ],
)
def test_what_the_index_tells_is_told_and_what_it_does_not_is_not_called_good(
    monkeypatch, tmp_path, capsys, index, pins, code, says
):
    assert audited(monkeypatch, tmp_path, index, pins) == code
    assert says in capsys.readouterr().out


def test_an_index_that_does_not_answer_keeps_its_password(monkeypatch, tmp_path, capsys):
    assert audited(monkeypatch, tmp_path, "http://ann:secret@127.0.0.1:9", ["good==2.0"]) == 3
    told = capsys.readouterr()
    assert "could not be checked" in told.out
    assert "secret" not in told.out + told.err


def test_the_pins_of_the_project_are_found():
    found = dict(audit.pins(audit.PINS.read_text()))
    assert len(found) > 150
    assert {"tiled", "bluesky", "bluesky-httpserver"} <= set(found)
