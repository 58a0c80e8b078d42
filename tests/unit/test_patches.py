"""What a patch does that meets a package it wasn't written for."""

import logging
from dataclasses import replace
from importlib.metadata import version

import pytest

from devices.core import caproto_patch
from msc_plans import patches
from msc_plans.patches import Patch, PatchError, applies

PATCH = Patch(
    name="numpy: nothing", package="numpy", versions=">=1", targets=("numpy.linalg:norm", "numpy:ndarray.sum"),
    kind="correctness", test="", fault="",
)  # fmt: skip
NEWER = replace(PATCH, versions=">=99,<100")
GONE = replace(PATCH, targets=("numpy:ndarray.sum", "numpy.linalg:norm.of_nothing"))
MOVED = replace(PATCH, targets=("numpy.nowhere:norm",))


def test_it_applies_to_what_it_was_written_for():
    assert applies(PATCH)


@pytest.mark.parametrize("kind", ["correctness", "security"])
@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (NEWER, f"numpy {version('numpy')} is installed; the patch 'numpy: nothing' was written for numpy>=99,<100"),
        (GONE, "has no numpy.linalg:norm.of_nothing"),
        (MOVED, "has no numpy.nowhere:norm"),
    ],
)
def test_what_must_hold_is_refused_by_name_and_with_what_to_install(patch, says, kind):
    with pytest.raises(PatchError) as caught:
        applies(replace(patch, kind=kind))
    assert says in str(caught.value)
    assert f"pip install 'numpy{patch.versions}'" in str(caught.value)


@pytest.mark.parametrize("patch", [NEWER, GONE, MOVED])
def test_what_only_makes_things_faster_steps_aside_with_one_warning(patch, caplog):
    patches._warn_once.cache_clear()
    caplog.set_level(logging.WARNING)
    assert [applies(replace(patch, kind="speed")) for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1
    assert "numpy" in caplog.text


def test_a_caproto_that_the_patch_does_not_know_is_refused(monkeypatch):
    monkeypatch.setattr(caproto_patch, "VERSIONS", ">=99")
    with pytest.raises(caproto_patch.CaprotoVersionError, match=r"install caproto>=99, or take pyepics"):
        caproto_patch._check()


def test_a_caproto_without_the_method_is_refused(monkeypatch):
    from caproto.threading.client import Context

    monkeypatch.delattr(Context, "_process_search_results_loop")
    with pytest.raises(caproto_patch.CaprotoVersionError, match="can't be kept from losing an IOC"):
        caproto_patch._check()
