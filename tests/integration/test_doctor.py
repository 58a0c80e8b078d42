"""``msc doctor``: what it finds is so, it says what to do, it ends in time, and nothing it starts is left."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from msc_plans.checkup import Finding, machine, network, services
from msc_plans.checkup.examine import examine
from msc_plans.checkup.records import RecordFacts, check_records, compare, records_wanted
from msc_plans.settings import LimitSettings, SaxsSettings, Settings
from msc_plans.storage import TiledServer

MSC = [sys.executable, "-c", "import sys; from msc_plans.cli import main; sys.exit(main())"]


def doctor(folder, *arguments, **environment):
    return subprocess.run(
        [*MSC, "doctor", *arguments], cwd=folder, env=os.environ | {"COLUMNS": "80"} | environment,
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wanted():
    return records_wanted("MSC:", saxs=True)


def test_a_healthy_machine_and_reactor(ioc, tmp_path):
    done = doctor(tmp_path, "--json", "--prefix", "MSC:", "--timeout", "60")
    findings = {one["about"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout + done.stderr
    assert findings["units, limits"]["state"] == "fine"
    number = int(findings["reactor MSC:"]["found"].split()[0])
    assert number > 100
    assert findings["reactor MSC:"]["found"] == f"{number} of {number} records answer"
    assert {"Python", "disk", "clock", "Channel Access", "Tiled key", "store", "Redis"} < set(findings)
    assert list(tmp_path.iterdir()) == [], "it left something"


@pytest.mark.long
def test_what_is_broken_has_a_remedy_and_fits_the_terminal(tmp_path):
    port = str(_unused_port())
    done = doctor(tmp_path, "--prefix", "NOBODY:", EPICS_CA_SERVER_PORT=port, TZ="Nowhere/Atlantis")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    words = " ".join(done.stdout.split())
    assert "BROKEN reactor NOBODY: none of its" in words
    assert "A simulated one: msc ioc" in words
    assert "BROKEN clock" in words
    assert "set TZ to a name such as Europe/Berlin" in words
    assert "2 broken; the arrows say what to do." in words


def test_without_a_reactor_asked_for_its_absence_is_a_note(monkeypatch):
    monkeypatch.setattr("msc_plans.checkup.records._ask", lambda names, timeout_s: ({}, 0.0))
    (named,) = check_records(Settings(), timeout_s=1.0, named=True)
    (not_named,) = check_records(Settings(), timeout_s=1.0, named=False)
    assert (named.state, not_named.state) == ("broken", "note")


def test_the_records_wanted_are_those_the_contract_serves(wanted):
    assert wanted["MSC:Oven:Growth:LOOP1:PV:RBV"] == RecordFacts("degC")
    assert wanted["MSC:Reactor:Valve"].choices[:2] == ("Mixture", "Cd only")
    assert not any(":Saxs:" in name for name in records_wanted("MSC:", saxs=False))


def test_wrong_units_lacking_choices_and_narrow_limits_are_named(wanted):
    answers = wanted | {
        "MSC:Pump:Cd:IVOLUME:RBV": RecordFacts("mL"),
        "MSC:Reactor:Valve": RecordFacts(choices=("Mixture", "Solvent")),
        "MSC:Oven:Growth:LOOP1:SP": RecordFacts("°C", limits=(0.0, 300.0)),
        "MSC:Reactor:Pressure": RecordFacts(""),
    }
    found = {one.about: one for one in compare(wanted, answers, Settings())}
    assert found["choices"].found == "MSC:Reactor:Valve lacks Cd only, Sample loop, Se only"
    assert found["limits"].found == "MSC:Oven:Growth:LOOP1:SP takes 0 to 300, settings allow 20 to 350"
    both = [one for one in compare(wanted, answers, Settings()) if one.about == "units"]
    assert [(one.state, one.found) for one in both] == [
        ("broken", "MSC:Pump:Cd:IVOLUME:RBV mL instead of uL"),
        ("note", "no unit on MSC:Reactor:Pressure"),
    ]
    fits = compare(wanted, answers, Settings(limits=LimitSettings(growth_temperature=(20.0, 300.0))))
    assert "limits" not in {one.about for one in fits}


def test_a_silent_saxs_station_can_be_switched_off(wanted, monkeypatch):
    answers = {name: one for name, one in wanted.items() if ":Saxs:" not in name}
    monkeypatch.setattr("msc_plans.checkup.records._ask", lambda names, timeout_s: (answers, 0.0))
    assert "use = false" in check_records(Settings(), timeout_s=1.0, named=True)[0].todo
    without = check_records(Settings(saxs=SaxsSettings(use=False)), timeout_s=1.0, named=True)
    assert {one.state for one in without} == {"fine"}


def test_a_clock_that_is_ahead_is_named(wanted, monkeypatch):
    import time

    monkeypatch.setattr("msc_plans.checkup.records._ask", lambda *_: (wanted, time.time() + 3600.0))
    (found,) = [one for one in check_records(Settings(), timeout_s=1.0, named=True) if one.state == "broken"]
    assert found.found == "the IOC's clock is 3600 s ahead"


@pytest.mark.parametrize(
    ("environment", "state", "words"),
    [
        ({}, "fine", "searches all networks of this machine, port 5064"),
        ({"EPICS_CA_ADDR_LIST": "127.0.0.1", "EPICS_CA_AUTO_ADDR_LIST": "NO"}, "fine", "searches 127.0.0.1, port 5064"),
        ({"EPICS_CA_AUTO_ADDR_LIST": "NO"}, "broken", "nothing is searched"),
        ({"EPICS_CA_SERVER_PORT": "abc"}, "broken", "EPICS_CA_SERVER_PORT=abc isn't a port number"),
        ({"EPICS_CA_ADDR_LIST": "127.0.0.1:x"}, "broken", "127.0.0.1:x of EPICS_CA_ADDR_LIST isn't an address"),
    ],
)
def test_channel_access_addresses(environment, state, words):
    found = network.check_addresses(environment)
    assert found.state == state
    assert words in found.found


def test_who_has_a_port():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        port = busy.getsockname()[1]
        busy.listen()
        assert f"process {os.getpid()}, " in network.holder_of(port)
        assert network.check_ports({"EPICS_CA_SERVER_PORT": str(port)})[0].state == "note"
    assert network.holder_of(port) == ""


def test_a_store_that_is_not_there_yet_and_a_server_that_is_not():
    assert "not there yet" in services.check_store(Path("no-such-folder"), "").found
    broken = services.check_store(Path("no-such-folder"), f"http://127.0.0.1:{_unused_port()}")
    assert broken.state == "broken"
    assert "is that server running" in broken.todo


@pytest.mark.long
def test_the_store_opens_served_or_not(tmp_path):
    with TiledServer(tmp_path) as server:
        served = services.check_store(tmp_path, "")
        assert (served.state, "served at" in served.found) == ("fine", True), served
        assert services.check_store(tmp_path, f"{server.uri}/api/v1?api_key={server.api_key}").state == "fine"
    assert services.check_store(tmp_path, "").found == f"{tmp_path} opens, 0 runs"


def test_a_key_that_others_can_read_is_broken(tmp_path):
    assert services.check_key(tmp_path).state == "fine"
    key = tmp_path / "api_key"
    key.write_text("abc")
    key.chmod(0o644)
    assert "mode 0644" in services.check_key(tmp_path).found
    key.chmod(0o600)
    assert services.check_key(tmp_path).state == "fine"


def test_redis_of_ones_own_is_asked():
    assert services.check_redis().state == "fine"
    assert "does not answer" in services.check_redis(f"127.0.0.1:{_unused_port()}").found
    for answer, state in ((b"+PONG\r\n", "fine"), (b"HTTP/1.1 400\r\n", "broken")):
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=_answer_once, args=(server, answer))
            thread.start()
            found = services.check_redis(f"127.0.0.1:{server.getsockname()[1]}")
            thread.join()
        assert found.state == state


def _answer_once(server, answer):
    connection, _ = server.accept()
    with connection:
        connection.recv(64)
        connection.sendall(answer)


def test_disk_and_python(tmp_path, monkeypatch):
    assert machine.check_python().state in ("fine", "note")
    assert machine.check_disk(tmp_path / "not" / "there").state == "fine"
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 5e8}))
    assert machine.check_disk(tmp_path).state == "broken"
    monkeypatch.setattr("msc_plans.checkup.machine.requires", lambda name: ["no-such-package>=1"])
    assert "no-such-package>=1" in machine.check_python().found


def test_a_check_that_hangs_or_fails_is_a_finding():
    release = threading.Event()

    def hang():
        release.wait(30)
        return Finding("slow", "fine", "")

    def fail():
        raise RuntimeError("no such thing")

    found = examine({"slow": hang, "failing": fail}, 0.2)
    release.set()
    assert [(one.about, one.state) for one in found] == [("slow", "broken"), ("failing", "broken")]
    assert found[0].found == "no answer within 0.2 s"
    assert found[1].found == "RuntimeError: no such thing"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--timeout", "0"], "--timeout must be above 0"), (["--prefix", "A:", "--nothing"], "--nothing")],
)
def test_bad_input(tmp_path, arguments, words):
    done = doctor(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_wrong_settings_file_is_one_line(tmp_path):
    Path(tmp_path / "msc.toml").write_text("[geometry]\ncoil_ul = -1\n")
    done = doctor(tmp_path)
    assert done.returncode == 2
    assert "coil_ul" in done.stderr
    assert "Traceback" not in done.stderr


def _unused_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
