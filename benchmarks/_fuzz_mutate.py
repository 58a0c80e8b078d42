"""Bad inputs made of good ones: bytes cut, doubled and replaced; values within JSON and TOML replaced by odd ones."""

import copy
import json
import math
import tomllib
from random import Random
from typing import Any

__all__ = ["mutated"]

_TOKENS = [
    b"nan", b"-inf", b"1e999", b"-1", b"0", b"1e-320", b"9" * 400, b"9" * 5000, b"1_000", b"0x1F", b"null", b"true",
    b"NaN", b"Infinity", b"1979-05-27T07:32:00Z", b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3\xa9",
    b"\xe2\x80\xae", b"\xed\xa0\x80", b"\n", b"\r", b"\r\n", b"\t", b";", b",", b"|", b'"', b"'", b"#", b"[", b"]",
    b"{", b"}", b"=", b"..", b"/", b"%s", b"%99999d", b"%n", b"{root}", b"x" * 5000, b"[" * 3000, b"{" * 3000,
    b"(" * 3000, b'{"a":' * 1500, b"[[a]]\n", b"a.b.c = 1\n", b'base = "own"\n', b'base = "../../../../etc/passwd"\n',
    b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"&a [*a]", b"!!python/name:os.system ",
]  # fmt: skip
_ODD: list[Any] = [
    math.nan, math.inf, -math.inf, 0, -0.0, -1, 1, 1e308, -1e308, 1e-320, 10**400, 2**63, -(2**63) - 1, True, False,
    None, "", "nan", "1", "é", "\0", "x" * 5000, "..", "../..", "/", [], {}, [[]], [math.nan], {"": {}}, [1, "a"],
]  # fmt: skip


def mutated(seeds: list[bytes], tree: str, random: Random) -> bytes:
    """Return a bad input made of one of the good ones.

    Parameters
    ----------
    seeds : list of bytes
        Good inputs.
    tree : str
        ``json``, ``lines`` or ``toml`` where values within may be changed, else empty.
    random : Random
        Where the choices come from.
    """
    data = random.choice(seeds)
    if tree and random.random() < 0.6:
        return _in_tree(data, tree, random)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        data = _in_bytes(data, seeds, random)
    return data[:200_000]


def _in_bytes(data: bytes, seeds: list[bytes], random: Random) -> bytes:
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + int(random.expovariate(0.05)) + 1)
    kind = random.randrange(9)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + data[start:]
    if kind == 2:
        return data[:start] + random.choice(_TOKENS) + data[start:]
    if kind == 3:
        return data[:start] + random.choice(_TOKENS) + data[end:]
    if kind == 4:
        return data[:start] + bytes([random.randrange(256)]) + data[start + 1 :]
    if kind == 5:
        return data[:start] + random.randbytes(end - start) + data[end:]
    if kind == 6:
        other = random.choice(seeds)
        return data[:start] + other[random.randrange(len(other) + 1) :]
    if kind == 7:
        return data[:start]
    lines = data.split(b"\n")
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[two] = lines[two], random.choice((lines[one], lines[two], b""))
    return b"\n".join(lines)


def _in_tree(data: bytes, tree: str, random: Random) -> bytes:
    if tree == "toml":
        value: Any = tomllib.loads(data.decode())
    elif tree == "lines":
        value = [json.loads(line) for line in data.splitlines() if line.strip()]
    else:
        value = json.loads(data)
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 2, 4))):
        _change(value, random)
    if tree == "toml":
        return "\n".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items() if one is not None).encode()
    if tree == "lines":
        return "\n".join(json.dumps(one) for one in value).encode()
    return json.dumps(value).encode()


def _change(value: Any, random: Random) -> None:
    """Change something within a table or a list: replace, remove, add, rename."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = random.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and random.random() < 0.75:
            value = value[key]
            continue
        break
    kind = random.randrange(6)
    odd = copy.deepcopy(random.choice(_ODD))
    if kind <= 2:
        value[key] = odd
    elif kind == 3:
        del value[key]
    elif isinstance(value, dict):
        value[random.choice(["", "é", "x", "base", "failed", "\0", str(key) + "x"])] = odd if kind == 4 else value[key]
    else:
        value.insert(key, odd if kind == 4 else copy.deepcopy(value[key]))


def _key(key: Any) -> str:
    return json.dumps(str(key), ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value if one is not None) + "]"
    if isinstance(value, str):
        return _key(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
