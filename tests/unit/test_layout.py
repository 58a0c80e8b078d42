"""The layout: no import circle, and one name for one thing."""

import ast
from pathlib import Path

import grimp
import networkx
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("msc_plans", "devices", "ioc_sim")


@pytest.fixture(scope="module")
def imports():
    """Who imports whom, module by module, also under TYPE_CHECKING and inside functions."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    return networkx.DiGraph(
        (module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module)
    )


def test_there_is_no_import_circle(imports):
    circles = [sorted(circle) for circle in networkx.strongly_connected_components(imports) if len(circle) > 1]
    assert circles == []


def test_a_circle_would_be_found(imports):
    circle = [("devices.flow.passage", "devices.flow.reactor"), ("devices.flow.reactor", "devices.flow.passage")]
    found = networkx.strongly_connected_components(networkx.DiGraph([*imports.edges, *circle]))
    assert {"devices.flow.passage", "devices.flow.reactor"} in [set(one) for one in found]


def classes():
    """Every class by its name, with the files that define one of that name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    return found


def test_a_class_name_stands_for_one_thing():
    assert {name: files for name, files in classes().items() if len(files) > 1} == {}
