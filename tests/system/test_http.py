"""People told apart by their keys: a real HTTP server in front of a real RE Manager on a real Redis."""

import http.client
import json
import socket
import stat
from contextlib import ExitStack
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from msc_plans.cli.queue import startup_folder
from msc_plans.queue.http_access import AccessError, GroupOfRole, people_of, prepare_keys
from msc_plans.queue.http_server import HttpServer, read_config
from msc_plans.queue.server import QueueServer
from tests.system.http_calls import BODIES, CALLS, CLOSED, FEW, VISITORS
from tests.unit.queue.test_profile import GOOD, MEASURING, SAFE

PROFILE = startup_folder(None)
PEOPLE = PROFILE.parent / "httpserver.yml"


class Site:
    """The server, and what each visitor is told."""

    def __init__(self, server, manager):
        self.address = urlsplit(server.uri).netloc
        self.manager = manager
        self.keys = {path.name: path.read_text().strip() for path in server.keys.iterdir()}
        self.keys["wrong key"] = "0" * 64

    def call(self, visitor, method, path, body=None, headers=None):
        """Return the status and, where the answer is a whole one, what it says."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            kind = "application/json" if isinstance(body, dict) else "application/x-www-form-urlencoded"
            told = {"Content-Type": kind} | (headers or {})
            if visitor in self.keys:
                told["Authorization"] = f"ApiKey {self.keys[visitor]}"
            if isinstance(body, dict):
                body = json.dumps(body)
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            if "stream" in path or method == "WS":
                return answer.status, None
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text
        finally:
            connection.close()

    def is_let_in(self, visitor, call):
        method, path = call.split()
        path = path.replace("{uuid}", "0" * 32).replace("{session_id}", "0" * 32)
        if method == "WS":
            upgrade = {
                "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            }  # fmt: skip
            status, _ = self.call(visitor, "GET", path, headers=upgrade)
            assert status in (101, 403), (visitor, call, status)
            return status == 101
        status, said = self.call(visitor, method, path, BODIES.get(call, {}))
        assert status < 500, (visitor, call, status, said)
        return status not in (401, 403, 404)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with ExitStack() as stack:
        queue = stack.enter_context(QueueServer(folder, PROFILE))
        server = HttpServer(PEOPLE, folder / "http", 0, control=queue.address, info=queue.info_address)
        yield Site(stack.enter_context(server), queue.manager)


def judge(site, calls):
    """Try each call as each visitor; returns how many cells there are, and those that are not as they should be."""
    # the environment must not open here: there is no reactor
    site.manager.ask("lock", environment=True, lock_key="held", user="test")
    try:
        cells = [(visitor, call) for call in calls for visitor in VISITORS]
        return len(cells), [cell for cell in cells if site.is_let_in(*cell) != (cell[0] in CALLS[cell[1]])]
    finally:
        site.manager.ask("unlock", lock_key="held")


def test_a_few_calls_are_open_to_those_who_may_and_to_nobody_else(site):
    cells, wrong = judge(site, FEW)
    assert (cells, wrong) == (40, [])


@pytest.mark.long
def test_every_call_is_open_to_those_who_may_and_to_nobody_else(site):
    _, offered = site.call("nobody", "GET", "/openapi.json")
    listed = {f"{method.upper()} {path}" for path, methods in offered["paths"].items() for method in methods}
    assert listed == {call for call in CALLS if not call.startswith("WS ")} - set(CLOSED)
    cells, wrong = judge(site, CALLS)
    print(f"{cells} cells ({len(CALLS)} calls, {len(VISITORS)} visitors), {len(wrong)} wrong")
    assert not wrong


# -- what a role may queue


@pytest.mark.long
@pytest.mark.parametrize("role", ["observer", "operator", "expert"])
def test_each_role_may_queue_what_its_group_may(site, role):
    may = {"observer": set(), "operator": MEASURING | SAFE, "expert": MEASURING | SAFE | {"saxs_calibrate"}}[role]
    taken = set()
    for name, kwargs in GOOD.items():
        item = {"item_type": "plan", "name": name, "kwargs": {"reactor": "reactor"} | kwargs}
        # a group of one's own choice changes nothing
        for asked in ({}, {"user_group": "primary", "user": "somebody"}):
            _, said = site.call(role, "POST", "/api/queue/item/add", {"item": item} | asked)
            if said.get("success"):
                assert (said["item"]["user_group"], said["item"]["user"]) == (role, role)
                taken.add(name)
    assert taken == may
    _, offered = site.call(role, "GET", "/api/plans/allowed", {"user_group": "primary"})
    assert set(offered.get("plans_allowed", {})) in (may, set())
    site.manager.ask("queue_clear")


def test_no_role_but_expert_may_run_functions(site):
    item = {"item_type": "function", "name": "session.close", "args": []}
    for role, group in (("operator", "operator"), ("expert", "expert")):
        status, said = site.call(role, "POST", "/api/function/execute", {"item": item, "user_group": "primary"})
        assert status == 200
        assert not said["success"], "no environment is open"
        assert "not allowed" in said["msg"] or "environment" in said["msg"].lower(), (group, said)


def test_a_spreadsheet_is_not_evaluated(site, tmp_path):
    made = tmp_path / "made"
    cell = f"__import__('pathlib').Path({str(made)!r}).touch()"
    csv = f'name,args\ncount,"{cell}"\n'
    body = (
        "--b\r\nContent-Disposition: form-data; name=spreadsheet; filename=a.csv\r\nContent-Type: text/csv\r\n\r\n"
        f"{csv}\r\n--b--\r\n"
    )
    told = {"Content-Type": "multipart/form-data; boundary=b"}
    status, _ = site.call("expert", "POST", "/api/queue/upload/spreadsheet", body, told)
    assert status == 404
    assert not made.exists()


def test_nobody_logs_in_without_a_key(site):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for password in ("", "expert", "None"):
        body = urlencode({"username": "expert", "password": password})
        assert site.call("nobody", "POST", "/api/auth/provider/keys/token", body, form)[0] in (401, 422)
    for forged in ("Bearer eyJhbGciOiJub25lIn0.e30.", f"ApiKey {'g' * 64}", "ApiKey ", "ApiKey é"):
        sent = {"Authorization": forged.encode("latin-1")}
        assert site.call("nobody", "GET", "/api/status", {}, sent)[0] in (400, 401)


# -- keys and people


def test_keys_are_made_once_and_private(tmp_path):
    keys = prepare_keys(tmp_path / "keys", ["ann", "zoë"])
    assert [len(key) for key in keys.values()] == [64, 64]
    assert len(set(keys.values())) == 2
    assert prepare_keys(tmp_path / "keys", ["zoë", "ann"]) == keys
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "ann").stat().st_mode) == 0o600


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path):
    prepare_keys(tmp_path, ["ann"])
    (tmp_path / "ann").chmod(0o640)
    with pytest.raises(AccessError, match=r"ann can be read or changed by others \(mode 640\); chmod 600"):
        prepare_keys(tmp_path, ["ann"])
    (tmp_path / "ann").chmod(0o600)
    (tmp_path / "ann").write_text("secret")
    with pytest.raises(AccessError, match="ann holds no key of 64 hexadecimal digits") as refused:
        prepare_keys(tmp_path, ["ann"])
    assert "secret" not in str(refused.value)
    (tmp_path / "bob").symlink_to(tmp_path / "ann")
    with pytest.raises(AccessError, match="bob can't be read"):
        prepare_keys(tmp_path, ["bob"])


def changed(**changes):
    config = read_config(PEOPLE)
    for path, value in changes.items():
        *above, last = path.split("__")
        table = config
        for name in above:
            table = table[name]
        table[last] = value
    return config


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"authentication__allow_anonymous_access": True}, "no anonymous access"),
        ({"authentication__providers": []}, "provider 'keys' alone"),
        ({"authentication": None}, "provider 'keys' alone"),
        ({"resource_access": None}, "all are of the group primary"),
        ({"resource_access__args": {"users": {"ann": {"roles": "expert"}}}}, "name different users"),
        ({"api_access__args__users": {}, "resource_access__args__users": {}}, "must name people"),
        *(
            ({"api_access__args__users": users, "resource_access__args__users": users}, says)
            for users, says in [
                ({"ann": {"roles": "admin"}}, "ann has the role 'admin'; give one of observer, operator, expert"),
                ({"ann": {"roles": ["operator", "expert"]}}, "ann has the role"),
                ({"ann": None}, "ann has the role None"),
                ({"../ann": {"roles": "expert"}}, "can't be a person's name"),
                ({".ann": {"roles": "expert"}}, "can't be a person's name"),
                ({7: {"roles": "expert"}}, "can't be a person's name"),
            ]
        ),
    ],
)
def test_people_that_would_open_the_door_too_far_are_refused(changes, says):
    with pytest.raises(AccessError, match=says):
        people_of(changed(**changes))


def test_an_unknown_person_is_in_the_group_that_queues_nothing():
    groups = GroupOfRole(users={"ann": {"roles": ["operator"]}})
    assert (groups.get_resource_group("ann"), groups.get_resource_group("eve")) == ("operator", "observer")


@pytest.mark.parametrize("text", ["", "[]", "7", "a: [", "a: 1", "!!python/object/apply:os.getpid []", "\0", "é" * 9])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text):
    path = tmp_path / "people.yml"
    path.write_text(text)
    with pytest.raises(AccessError):
        people_of(read_config(path))


def test_every_group_of_the_roles_exists():
    from msc_plans.queue.http_access import GROUPS
    from tests.unit.queue.test_profile import PERMISSIONS

    assert set(GROUPS) < set(yaml.safe_load(PERMISSIONS.read_text())["user_groups"])


def test_a_busy_port_is_refused(tmp_path):
    from msc_plans.storage import PortBusyError

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortBusyError, match="cannot listen on"):
            HttpServer(PEOPLE, tmp_path, taken.getsockname()[1], control="tcp://127.0.0.1:1", info="tcp://127.0.0.1:2")
