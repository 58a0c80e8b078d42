"""Guard patches of other people's packages: each is declared once, and applied only to what it was written for."""

import logging
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Literal

from packaging.specifiers import SpecifierSet

__all__ = ["Patch", "PatchError", "applies"]

log = logging.getLogger(__name__)


class PatchError(RuntimeError):
    """A package that has to be patched isn't one that the patch was written for."""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """What is patched, why, and in which versions.

    Attributes
    ----------
    name : str
        Name by which tests switch it off, ``package: subject``.
    package : str
        Distribution, as pip names it.
    versions : str
        Versions that it was written for and tested with, as a PEP 440 specifier.
    targets : tuple of str
        What must be there: ``module:attribute.attribute``.
    kind : {'security', 'correctness', 'speed'}
        Without a patch of the first two kinds the program must not go on; without one of speed it is slower.
    test : str
        The test that fails without it.
    fault : str
        The fault upstream, in a paragraph that can be reported as it is.
    """

    name: str
    package: str
    versions: str
    targets: tuple[str, ...]
    kind: Literal["security", "correctness", "speed"]
    test: str
    fault: str


def applies(patch: Patch) -> bool:
    """Return whether a patch may be applied to what is installed.

    Returns
    -------
    bool
        True; False for a patch of speed that doesn't fit, which is warned of once in each process.

    Raises
    ------
    PatchError
        A patch of security or correctness doesn't fit; the message names the package, its version and what to install.
    """
    problem = _problem(patch)
    if not problem:
        return True
    text = (
        f"{problem}; the patch {patch.name!r} was written for {patch.package}{patch.versions}. "
        f"Install such a version: pip install '{patch.package}{patch.versions}'"
    )
    if patch.kind == "speed":
        _warn_once(text)
        return False
    raise PatchError(text)


def _problem(patch: Patch) -> str:
    found = version(patch.package)
    if not SpecifierSet(patch.versions).contains(found, prereleases=True):
        return f"{patch.package} {found} is installed"
    for target in patch.targets:
        module, _, path = target.partition(":")
        try:
            thing = import_module(module)
            for name in path.split("."):
                thing = getattr(thing, name)
        except (ImportError, AttributeError):
            return f"{patch.package} {found} has no {target}"
    return ""


@cache
def _warn_once(text: str) -> None:
    log.warning("%s. It works without, only slower", text)
