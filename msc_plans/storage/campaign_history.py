"""What a campaign has done so far, read from the catalogue: the protocol ``History``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msc_plans.storage.runs import documents

if TYPE_CHECKING:
    from bluesky_tiled_plugins.clients.bluesky_run import BlueskyRunV3
    from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns

__all__ = ["CatalogHistory"]

_DERIVED = ("analysis", "suggestion")


class CatalogHistory:
    """The runs of campaigns in a catalogue.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        From `open_catalog`.
    """

    def __init__(self, catalog: "CatalogOfBlueskyRuns"):
        self._catalog = catalog

    def done_trials(self, campaign_uid: str) -> set[str]:
        """Return the trial ids of the campaign whose raw run ended in success, with something measured.

        A run that a person has stopped ends in success, too, maybe with nothing.
        """
        return set(self._raw_runs(campaign_uid))

    def raw_documents(self, campaign_uid: str, trial_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the documents of a trial's raw run that ended in success.

        Raises
        ------
        KeyError
            There is none.
        """
        return list(documents(self._raw_runs(campaign_uid)[trial_id]))

    def _raw_runs(self, campaign_uid: str) -> "dict[str, BlueskyRunV3]":
        from tiled.queries import Key

        found: dict[str, BlueskyRunV3] = {}
        for run in self._runs(campaign_uid, Key("stop.exit_status") == "success"):
            start, stop = _start(run), dict(run.metadata["stop"])  # type: ignore[call-overload]
            measured = stop.get("num_events", {}).get("primary", 0)  # type: ignore[union-attr]
            if start.get("purpose") not in _DERIVED and "trial_id" in start and measured:
                found[start["trial_id"]] = run
        return found

    def outcomes(self, campaign_uid: str) -> list[dict[str, Any]]:
        """Return one dict a trial: ``_id`` (the trial id), the condition's values and the analysed ones.

        Several analyses of a trial are merged; of two that give the same key the later one counts. Analyses
        without a result (no event) are left out.
        """
        from tiled.queries import Key

        trials: dict[str, dict[str, Any]] = {}
        for run in self._runs(campaign_uid, Key("purpose") == "analysis"):
            start = _start(run)
            results = [doc["data"] for name, doc in run.documents() if name == "event"]
            if results:
                outcome = trials.setdefault(start["trial_id"], {"_id": start["trial_id"]})
                outcome.update(start["condition"])
                outcome.update(results[-1])
        return list(trials.values())

    def suggestions(self, campaign_uid: str) -> list[dict[str, Any]]:
        """Return the start documents of the campaign's suggestion runs, oldest first."""
        from tiled.queries import Key

        return [dict(_start(run)) for run in self._runs(campaign_uid, Key("purpose") == "suggestion")]

    def failures(self, campaign_uid: str) -> dict[str, dict[str, float]]:
        """Return the conditions of the trials whose run or analysis failed, by trial id.

        A trial that was repeated may be among the outcomes too.
        """
        from tiled.queries import Key

        found = self._runs(campaign_uid, Key("stop.exit_status") == "fail")
        starts = [_start(run) for run in found]
        return {one["trial_id"]: dict(one["condition"]) for one in starts if {"trial_id", "condition"} <= set(one)}

    def campaigns(self) -> list[str]:
        """Return the uids of all campaigns; the one with the latest run is the last."""
        from tiled.queries import KeyPresent

        latest: dict[str, float] = {}
        for run in self._catalog.search(KeyPresent("start.campaign_uid")).values():
            uid, time = _start(run)["campaign_uid"], _start(run)["time"]
            latest[uid] = max(time, latest.get(uid, time))
        return sorted(latest, key=lambda uid: latest[uid])

    def _runs(self, campaign_uid: str, query: Any) -> "Iterator[BlueskyRunV3]":
        from tiled.queries import Key

        found = self._catalog.search(Key("campaign_uid") == campaign_uid).search(query)
        # Replayed runs come last in the catalogue's own order.
        yield from sorted(found.values(), key=lambda run: _start(run)["time"])


def _start(run: Any) -> Any:
    return run.metadata["start"]
