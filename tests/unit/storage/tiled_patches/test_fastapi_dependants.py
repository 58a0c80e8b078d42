"""FastAPI's requests after `remember_dependants`."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Security
from fastapi.dependencies import utils
from fastapi.security import SecurityScopes

from msc_plans.storage.tiled_patches.fastapi_dependants import remember_dependants


def place():
    return "as written"


def asked(scopes: SecurityScopes, where: Annotated[str, Depends(place)], limit: int = 3):
    return {"scopes": scopes.scopes, "limit": limit, "where": where}


@pytest.fixture
def inspected(monkeypatch):
    """What FastAPI has inspected since."""
    calls = []
    original = utils.get_dependant

    def counted(**kwargs):
        calls.append(kwargs["call"])
        return original(**kwargs)

    monkeypatch.setattr(utils, "get_dependant", counted)
    return calls


def test_each_dependency_is_inspected_once_and_requests_are_answered_as_before(inspected):
    app = FastAPI()

    @app.get("/read")
    def read(told: Annotated[dict, Security(asked, scopes=["read"])]) -> dict:
        return told

    @app.get("/write")
    def write(told: Annotated[dict, Security(asked, scopes=["write", "read"])]) -> dict:
        return told

    app.dependency_overrides[place] = lambda: "overridden"
    before = answers(app)
    assert asked in inspected
    assert before[1] == {"scopes": ["read"], "limit": 5, "where": "overridden"}
    assert before[2]["scopes"] == ["write", "read"]
    remember_dependants()
    remember_dependants()
    assert answers(app) == before
    inspected.clear()
    assert answers(app) == before
    assert inspected == []


def answers(app):
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            paths = ("/read", "/read?limit=5", "/write", "/read?limit=many")
            return [(await client.get(path)).json() for path in paths]

    return asyncio.run(ask())
