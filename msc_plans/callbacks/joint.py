"""Live joint analysis: both signals of a raw run together, once UV-vis and SAXS have given theirs."""

from collections.abc import Mapping, Sequence
from typing import Any

from msc_plans.analysis import joint
from msc_plans.callbacks.raw_run import Analysis, Observer, RawRun, RawRunCallback
from msc_plans.families import FamilyTable, built_in_families
from msc_plans.protocols import Documents

__all__ = ["JointCallback"]

_PARTS = ("uvvis", "saxs")


class JointCallback(RawRunCallback):
    """Combine what UV-vis and SAXS say of each raw run; see :class:`RawRunCallback`.

    It is an observer of both (:meth:`take`) and gets the documents after them; a run that lacks one is left alone.

    Parameters
    ----------
    path_length_cm : float
        Of the optical cell.
    listeners, observers : sequence of callables
        Get documents and results.
    families : FamilyTable, optional
        What both were searched for; its material's extinction must be known. Default: the built-in table.
    """

    name = "joint"

    def __init__(
        self,
        path_length_cm: float,
        listeners: Sequence[Documents],
        observers: Sequence[Observer] = (),
        *,
        families: FamilyTable | None = None,
    ) -> None:
        self._families = built_in_families() if families is None else families
        told = {"path_length_cm": path_length_cm, "family_table": self._families.as_document()}
        super().__init__(told, listeners, observers)
        self._path_length_cm = path_length_cm
        self._results: dict[str, dict[str, Any]] = {}

    def take(self, analysis: str, start: Mapping[str, Any], result: Any) -> None:
        """Take a result of one signal."""
        if analysis in _PARTS and start["uid"] in self._runs:
            self._results.setdefault(start["uid"], {})[analysis] = result

    def _finish(self, run: RawRun, stop: Mapping[str, Any]) -> None:
        super()._finish(run, stop)
        self._results.pop(run.uid, None)

    def _concerns(self, run: RawRun) -> bool:
        return set(self._results.get(run.uid, ())) == set(_PARTS)

    def _analyse(self, run: RawRun) -> Sequence[Analysis]:
        uvvis, saxs = (self._results[run.uid][part] for part in _PARTS)
        result = joint.combine(uvvis, saxs, families=self._families, path_length_cm=self._path_length_cm)
        return [Analysis(self.name, result, joint.outcome(result))]
