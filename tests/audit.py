"""Known weaknesses of the pinned versions, as the package index tells: ``python -m tests.audit [NAME …]``.

Asks the index that pip is configured for, by its JSON interface (``/pypi/NAME/VERSION/json``, key ``vulnerabilities``).
Exit code 1 if there are any, 3 if something could not be checked.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

PINS = Path(__file__).resolve().parents[1] / "constraints.txt"
_DEFAULT = "https://pypi.org/simple"
_TIMEOUT_S = 20.0


class NotCheckedError(RuntimeError):
    """The index does not tell."""


def pins(text):
    """Return name and version of each pin."""
    return re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", text, re.M)


def json_address(index):
    """Return where the JSON interface of an index is, from the address of its simple interface."""
    parts = urlsplit(index.strip() or _DEFAULT)
    path = re.sub(r"/(simple|\+simple)/?$", "", parts.path.rstrip("/"))
    return urlunsplit((parts.scheme, parts.netloc, f"{path}/pypi", "", ""))


def configured_index():
    """Return the index that pip uses."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or _DEFAULT


def weaknesses(name, version, address):
    """Return what is known of a version, each (identifier, versions that mend it).

    Raises
    ------
    NotCheckedError
        The index has no JSON interface, does not answer, or says nothing of weaknesses. The message names no address:
        it may hold a password.
    """
    try:
        with urlopen(f"{address}/{name}/{version}/json", timeout=_TIMEOUT_S) as answer:
            told = json.load(answer)
    except HTTPError as error:
        raise NotCheckedError(f"the index answers with HTTP status {error.code}") from None
    except (URLError, OSError, ValueError) as error:
        raise NotCheckedError(f"no answer from the index ({type(error).__name__})") from None
    if not isinstance(told, dict) or not isinstance(told.get("vulnerabilities"), list):
        raise NotCheckedError("the index says nothing of weaknesses")
    return [
        (one.get("id", "?"), ", ".join(one.get("fixed_in") or []) or "none")
        for one in told["vulnerabilities"]
        if not one.get("withdrawn")
    ]


def main(names):
    """Check and print; returns the exit code."""
    address = json_address(configured_index())
    wanted = [pin for pin in pins(PINS.read_text()) if not names or pin[0] in names]
    found, checked = 0, 0
    for name, version in wanted:
        try:
            known = weaknesses(name, version, address)
        except NotCheckedError as error:
            print(f"{name} {version} could not be checked: {error}")
            if not checked:
                print(f"0 of {len(wanted)} pins checked: this index does not tell.")
                return 3
            continue
        checked += 1
        found += len(known)
        for identifier, mended in known:
            print(f"{name} {version}: {identifier}, mended in {mended}")
    print(f"{checked} of {len(wanted)} pins checked, {found} known weaknesses")
    return 1 if found else 3 if checked < len(wanted) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
