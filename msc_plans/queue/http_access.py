"""Who may do what over HTTP: a key for each person, and the group that a person's role stands for.

Keys are the store's ``http/keys/NAME``, 64 hexadecimal digits, mode 0600. They are the only truth: the server's
database of their hashes is made anew at each start.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["GROUPS", "AccessError", "GroupOfRole", "people_of", "prepare_keys", "read_key", "write_database"]

# of profile_collection/startup/user_group_permissions.yaml; `primary`, who may do everything, is for the shell
GROUPS = ("observer", "operator", "expert")
_PROVIDER = "keys"


class AccessError(ValueError):
    """The people, or one of their keys, can't be taken as they are; the message says which and what to do."""


class GroupOfRole:
    """bluesky-httpserver's resource access policy: a person's group is their role.

    Parameters
    ----------
    users : dict
        As of ``api_access``: name to ``{"roles": …}``, one of :data:`GROUPS`.

    Raises
    ------
    AccessError
        Somebody has another role, none, or several.
    """

    def __init__(self, *, users: Mapping[str, Any]) -> None:
        if not isinstance(users, Mapping) or not users:
            raise AccessError(f"users must name people and their roles, not {users!r}")
        self._groups = {name: _role(name, told) for name, told in users.items()}

    def get_resource_group(self, username: str) -> str:
        """Return the group of a person; of somebody unknown, the one that may queue nothing."""
        return self._groups.get(username, "observer")


def _role(name: str, told: Any) -> str:
    roles = told.get("roles") if isinstance(told, Mapping) else None
    if isinstance(roles, list) and len(roles) == 1:
        roles = roles[0]
    if not isinstance(roles, str) or roles not in GROUPS:
        raise AccessError(f"{name} has the role {roles!r}; give one of {', '.join(GROUPS)}")
    return roles


def people_of(config: Mapping[str, Any]) -> list[str]:
    """Return the names in a configuration of bluesky-httpserver.

    Raises
    ------
    AccessError
        It lets people in without a key, or names nobody, or a name that can't be a file's.
    """
    authentication = config.get("authentication") or {}
    listed = authentication.get("providers")
    providers = [one.get("provider") for one in listed or [] if isinstance(one, Mapping)]
    if authentication.get("allow_anonymous_access") or providers != [_PROVIDER]:
        raise AccessError(
            f"authentication must have the provider {_PROVIDER!r} alone and no anonymous access; "
            "see profile_collection/httpserver.yml"
        )
    users = ((config.get("api_access") or {}).get("args") or {}).get("users") or {}
    resources = config.get("resource_access") or {}
    if resources.get("policy") != f"{__name__}:GroupOfRole":
        raise AccessError(
            f"resource_access must have the policy {__name__}:GroupOfRole, or all are of the group primary"
        )
    if (resources.get("args") or {}).get("users") != users:
        raise AccessError(
            "api_access and resource_access name different users; let both be one list (&people, *people)"
        )
    GroupOfRole(users=users)
    for name in users:
        if not isinstance(name, str) or name.startswith(".") or "/" in name or "\0" in name or len(name) > 100:
            raise AccessError(f"{name!r} can't be a person's name here: it names a file")
    return list(users)


def prepare_keys(folder: Path, people: Iterable[str]) -> dict[str, str]:
    """Return each person's key; make those that are missing, readable by this user alone.

    Raises
    ------
    AccessError
        A key can be read by others, or isn't a key.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {name: read_key(folder / name) or _make_key(folder / name) for name in people}


def read_key(path: Path) -> str | None:
    """Return a person's key, or None where the file is missing.

    Raises
    ------
    AccessError
        Others can read it, or it isn't a key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AccessError(f"{path} can't be read: {error.strerror}") from error
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise AccessError(
                f"{path} can be read or changed by others (mode {mode:o}); chmod 600, or delete it for a new key"
            )
        key = file.read(200).strip()
    if len(key) != 64 or not set(key) <= set("0123456789abcdef"):
        raise AccessError(f"{path} holds no key of 64 hexadecimal digits; delete it, and the next start makes one")
    return key


def _make_key(path: Path) -> str:
    key = secrets.token_hex(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    return key


def write_database(path: Path, keys: Mapping[str, str]) -> None:
    """Write the server's database anew: of each key its hash, and whose it is."""
    from bluesky_httpserver.database.core import create_user, initialize_database
    from bluesky_httpserver.database.orm import APIKey
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    engine = create_engine(f"sqlite:///{path}")
    try:
        initialize_database(engine)
        with Session(engine) as session:
            for name, key in keys.items():
                person = create_user(session, _PROVIDER, name)
                row: dict[str, Any] = {
                    "principal_id": person.id,
                    "scopes": ["inherit"],  # those of the person's role, as they are when the key is shown
                    "first_eight": key[:8],
                    "hashed_secret": hashlib.sha256(bytes.fromhex(key)).digest(),
                }
                session.add(APIKey(**row))
            session.commit()
    finally:
        engine.dispose()
