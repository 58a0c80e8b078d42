"""The layout: no import circle, and only the rooms that may know devices and simulator do."""

import grimp
import networkx
import pytest

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
