"""What is imported is declared: nobody gets a package only because another one happens to need it."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OURS = {"msc_plans", "devices", "ioc_sim"}


def imported():
    """Top-level modules that the packages import, with a file of each."""
    found = {}
    for package in sorted(OURS):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names = [node.module]
                for name in names:
                    found.setdefault(name.split(".")[0], str(path.relative_to(ROOT)))
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | OURS}


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_every_import_is_declared():
    distributions = packages_distributions()
    missing = {
        name: path
        for name, path in imported().items()
        if not {canonicalize_name(one) for one in distributions.get(name, [name])} & declared()
    }
    assert missing == {}
