"""Nodes of Tiled after `look_up_at_once`."""

import asyncio

import pytest
from fastapi import HTTPException
from tiled.server import router
from tiled.server.core import NoEntry

from msc_plans.storage.lookup import look_up_at_once


class Node:
    """A node of a made-up catalogue, which counts what is looked up."""

    structure_family = "container"

    def __init__(self, children, looked_up):
        self.children = children
        self.looked_up = looked_up

    async def lookup_adapter(self, segments):
        self.looked_up.append(segments)
        node = self
        for segment in segments:
            if segment not in node.children:
                raise NoEntry(segments)
            node = node.children[segment]
        return node


@pytest.fixture
def tree(monkeypatch):
    monkeypatch.setattr(router, "get_entry", router.get_entry)
    look_up_at_once()
    look_up_at_once()
    looked_up = []
    leaf = Node({}, looked_up)
    return Node({"run": Node({"primary": Node({"counts": leaf}, looked_up)}, looked_up)}, looked_up), leaf


class Policy:
    """Lets everybody do everything."""

    async def allowed_scopes(self, *_):
        return {"read:metadata"}

    async def filters(self, *_):
        return []


def found(root, path, policy=None):
    return asyncio.run(
        router.get_entry(
            path, ["read:metadata"], None, None, {"read:metadata"}, root, {}, {"acl": {"dur": 0.0}}, None, policy
        )
    )


def test_a_path_is_looked_up_at_once(tree):
    root, leaf = tree
    assert found(root, "run/primary/counts") is leaf
    assert root.looked_up == [["run", "primary", "counts"]]
    assert found(root, "") is root
    named = {
        "path": "/run//primary/", "security_scopes": [], "principal": None, "authn_access_tags": None,
        "authn_scopes": set(), "root_tree": root, "session_state": {}, "metrics": {},
    }  # fmt: skip
    assert asyncio.run(router.get_entry(**named)) is root.children["run"].children["primary"]


def test_what_is_not_there_is_said_by_tiled_itself(tree):
    with pytest.raises(HTTPException, match=r"No such entry: \['run', 'secondary'\]"):
        found(tree[0], "run/secondary")


def test_an_access_policy_is_asked_at_every_step(tree):
    root, leaf = tree
    assert found(root, "run/primary/counts", Policy()) is leaf
    assert root.looked_up == [["run"], ["primary"], ["counts"]]
