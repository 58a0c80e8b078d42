"""A real session on the simulated reactor, and the person who looks after it: what chaos, kills and soak share.

``python benchmarks/_reliability_session.py STORE UID`` runs a campaign of conditions from a list in a process of its
own, until the file ``STORE/over`` is there, and goes on after whatever ends it; started again, it resumes.
"""

import argparse
import json
import logging
import math
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.condition import Condition
from msc_plans.session.simulator import Simulator

SCENARIO = "fast"
TIME_SCALE = 200.0
FRAME_S = 1.0
_SAFE_WITHIN_S = 60.0
_STANDBY_UL_MIN = 5.0

log = logging.getLogger("benchmark")


def until(true: Callable[[], bool], what: str, seconds: float = 120.0) -> float:
    """Wait; returns how long."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > seconds:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.01)
    return time.perf_counter() - began


def condition(number: int) -> Condition:
    """The `number`-th condition: all differ, none is far from the others."""
    nucleation = round(115.0 + 25.0 * math.modf(number * 0.6180339887498949)[0], 3)
    return Condition(nucleation, nucleation - 2.0, 14.0)


class ListAdvisor:
    """Suggests the first condition that has not been learnt; what failed is suggested again.

    Parameters
    ----------
    over : callable
        Takes how many conditions are learnt; whether that is enough.
    """

    def __init__(self, over: Callable[[int], bool]) -> None:
        self._over = over
        self._next = 0
        self._learnt: set[Condition] = set()
        self._asked = 0

    def suggest(self, num_points: int | None = None) -> Sequence[Mapping[str, Any]]:
        while condition(self._next) in self._learnt:
            self._next += 1
        self._asked += 1
        return [{"_id": f"asked-{self._asked}", **condition(self._next).as_dict()}]

    def explain(self, trial_id: str) -> Any:
        from msc_plans.advisor.cost import Cost
        from msc_plans.advisor.suggestion import Interval, Suggestion

        known = Interval(0.1, 0.0, 0.2)
        now = condition(self._next)
        return Suggestion(trial_id, now, "a list", "it is next", known, known, known, 0.5, None, Cost(1.0, 2.0))

    def ingest(self, points: Sequence[Mapping[str, Any]]) -> None:
        self._learnt |= {Condition.from_mapping(point) for point in points}

    def register_failures(self, suggestions: Sequence[Mapping[str, Any]]) -> None:
        pass

    def should_stop(self) -> tuple[bool, str | None]:
        return self._over(len(self._learnt)), "the list is done"


def simulator(store: Path, seed: int = 0, time_scale: float = TIME_SCALE) -> Simulator:
    """The reactor of a store, with its state kept there; its environment is this process's from now on."""
    store.mkdir(parents=True, exist_ok=True)
    made = Simulator(
        scenario=SCENARIO, seed=seed, time_scale=time_scale, state=store / "ioc.json", data_root=store / "frames",
        log=store / "ioc.log",
    )  # fmt: skip
    os.environ |= made.environment | {"OPHYD_CONTROL_LAYER": "caproto"}
    return made


def open_session(store: Path, *, saxs: bool = True, listeners: Sequence[Any] = ()) -> Any:
    """The session of a site with this reactor; suspenders let go half a second after their cause has gone."""
    from msc_plans.session import session as wiring
    from msc_plans.settings import GeometrySettings, SaxsSettings, Settings

    scenario = load_scenario(SCENARIO)
    volumes = {name: getattr(scenario.plumbing, name) for name in ("chamber_ul", "coil_ul", "dead_ul", "cell_ul")}
    settings = Settings(
        store=store, tiled_uri="", geometry=GeometrySettings(**volumes), syringe_ul=scenario.pump.capacity_ul,
        flush_flow_ul_min=200.0, saxs=SaxsSettings(use=saxs), connect_timeout_s=20.0,
    )  # fmt: skip
    soon = [one.model_copy(update={"wait_s": 0.5}) for one in settings.suspenders]
    session = wiring.open_session(settings.model_copy(update={"suspenders": soon}), listeners=listeners)
    session.RE.waiting_hook = None
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    # as small as this reactor: at this time scale the usual flow empties a syringe within half a minute
    with suppress(Exception):
        session.reactor.standby_flow.put(_STANDBY_UL_MIN, wait=True)
    if session.saxs is not None:
        # as the station's own people leave it: a campaign without frames does not touch it
        session.saxs.shutter.put("Closed", wait=True)
    return session


class Counted:
    """A subscriber that counts documents by run, frames, and conditions begun."""

    def __init__(self) -> None:
        self.documents: Counter[str] = Counter()
        self.frames = self.begun = 0
        self.last = time.monotonic()
        self._streams: dict[str, tuple[str, list[str]]] = {}

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        self.last = time.monotonic()
        if name == "start":
            self.documents[doc["uid"]] += 1
            self.begun += doc.get("purpose") == "campaign"
        elif name == "descriptor":
            images = [key for key, told in doc["data_keys"].items() if told.get("external")]
            self._streams[doc["uid"]] = (doc["run_start"], images)
            self.documents[doc["run_start"]] += 1
        elif name == "event":
            run, images = self._streams[doc["descriptor"]]
            self.documents[run] += 1
            self.frames += len(images)
        elif name == "stop":
            self.documents[doc["run_start"]] += 1

    @property
    def all(self) -> int:
        """Documents without those that only say where a frame is."""
        return sum(self.documents.values())


class Person:
    """Who works with a session: sees whether the reactor is safe, resets the interlock, goes on with the campaign."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.unsafe: list[str] = []
        """What was not safe within a minute while nothing ran."""
        self.slowest_s = 0.0
        """Until the reactor was safe."""

    def dangers(self) -> list[str]:
        """What is not as it must be while nothing runs; asked of the records themselves."""
        reactor, saxs = self.session.reactor, self.session.saxs
        try:
            found = []
            if reactor.valve.get(use_monitor=False) != "Solvent":
                found.append(f"the valve is at {reactor.valve.get()}")
            precursors = (reactor.pump_cd, reactor.pump_se)
            found += [f"{one.name} infuses" for one in precursors if one.status.get(use_monitor=False) == "Infusing"]
            standby = reactor.standby_temperature.get(use_monitor=False)
            ovens = {one.name: one.setpoint.get(use_monitor=False) for one in (reactor.nucleation, reactor.growth)}
            found += [f"{name} is set to {value:g} °C" for name, value in ovens.items() if value > standby]
            if saxs is not None and saxs.shutter.get(use_monitor=False) != "Closed":
                found.append("the X-ray shutter is open")
            return found
        except Exception as error:  # noqa: BLE001  whatever it is, nothing is known of the reactor
            return [f"no answer ({type(error).__name__})"]

    def see_that_it_is_safe(self) -> None:
        """Wait until nothing is dangerous; a minute at most, then it is noted."""
        try:
            took = until(lambda: not self.dangers(), "a safe reactor", _SAFE_WITHIN_S)
            self.slowest_s = max(self.slowest_s, took)
        except TimeoutError:
            self.unsafe.append("; ".join(self.dangers()))

    @property
    def tripped(self) -> bool:
        """Whether the interlock is tripped; False where nobody answers."""
        try:
            return self.session.reactor.interlock.state.get(use_monitor=False, timeout=2.0) == "Tripped"
        except Exception:  # noqa: BLE001  the IOC may be away
            return False

    def reset(self) -> None:
        """Reset the interlock, once the cause is gone; a reset that comes sooner is refused."""

        def released() -> bool:
            with suppress(Exception):
                self.session.reactor.interlock.reset.put(1, wait=True, timeout=1.0)
            return not self.tripped

        if self.tripped:
            until(released, "the reset of the interlock", 180.0)

    def run(
        self,
        uid: str,
        over: Callable[[int], bool],
        *,
        begun: bool = False,
        saxs: bool = False,
        mended: Callable[[], None] = lambda: None,
    ) -> int:
        """Run a campaign, and go on after whatever ends it; returns how often that was.

        Parameters
        ----------
        begun : bool
            Something is stored of it already.
        mended : callable
            Waits until what has gone wrong is mended.
        """
        from msc_plans.plans import msc_campaign

        session, times = self.session, 0
        while True:
            ended_well = False
            try:
                session.RE(
                    msc_campaign(
                        session.reactor, session.spectrometer, ListAdvisor(over), session.uvvis, session.publish,
                        max_conditions=10_000, saxs=session.saxs if saxs else None, frame_exposure_s=FRAME_S,
                        refills="draw", history=session.history() if begun else None, resume=uid if begun else "",
                        campaign_uid="" if begun else uid,
                    )
                )  # fmt: skip
                ended_well = True
            except ValueError:  # what is asked for can't be done
                raise
            except Exception as error:  # noqa: BLE001  a person reads it and goes on
                print(f"{time.strftime('%H:%M:%S')} the campaign ended: {error.__cause__ or error!r}", flush=True)
            mended()
            self.see_that_it_is_safe()
            if ended_well:
                return times
            begun = begun or bool(session.history().suggestions(uid))
            times += 1
            self.reset()


def look_after_the_interlock(person: Person) -> None:
    """Reset the interlock, from a thread, whenever it is tripped: a plan that its trip suspends waits for that."""

    def work() -> None:
        while True:
            time.sleep(1.0)
            if person.tripped:
                person.see_that_it_is_safe()
                person.reset()

    threading.Thread(target=work, name="person", daemon=True).start()


def child_of(pid: int, words: str) -> psutil.Process | None:
    """The process that another has started, by words of its command line."""
    with suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                if words in " ".join(process.cmdline()):
                    return process
    return None


def tally(store: Path) -> dict[str, Any]:
    """Compare journals and catalogue, and count what was measured.

    Returns
    -------
    dict
        ``documents`` (without those that only say where a frame is), ``frames`` readable, ``problems``,
        ``conditions``: how often each was measured in success, and the ``trials`` that were.
    """
    from msc_plans.storage import close_catalog, open_catalog, verify
    from msc_plans.storage.journal import journals, read_journal, stored_journals

    found: dict[str, Any] = {
        "documents": 0,
        "runs": 0,
        "frames": 0,
        "problems": [],
        "conditions": Counter(),
        "trials": [],
    }
    catalog = open_catalog(store)
    for path in stored_journals(store / "journal"):
        documents = read_journal(path)
        report = verify(catalog, path)
        found["problems"] += [f"{report.uid}: {problem}" for problem in report.problems[:1]]
        found["documents"] += sum(name not in ("resource", "datum") for name, _ in documents)
        found["runs"] += 1
        found["frames"] += 0 if report.problems else report.frames
        start, (name, stop) = documents[0][1], documents[-1]
        if start.get("purpose") == "campaign" and name == "stop" and stop["exit_status"] == "success":
            found["conditions"][Condition.from_mapping(start["condition"])] += 1
            found["trials"].append(start["trial_id"])
    found["problems"] += [f"{path.name} is not stored" for path in journals(store / "journal")]
    if len(catalog) != found["runs"]:
        found["problems"].append(f"{len(catalog)} runs in the catalogue, {found['runs']} journals")
    close_catalog(catalog)
    return found


def main() -> None:
    """Run or resume a campaign; the child of the kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("uid")
    args = parser.parse_args()
    store: Path = args.store

    def tell(name: str, doc: Mapping[str, Any]) -> None:
        # after the writer, which was subscribed first: the call that journals it has returned
        with returned.open("ab", buffering=0) as file:
            uid = doc["uid"] if name == "start" else doc.get("run_start", "")
            told = {"name": name, "run": uid, "purpose": doc.get("purpose", "")}
            file.write(json.dumps(told).encode() + b"\n")

    returned = store / "returned.jsonl"
    session = open_session(store, saxs=False, listeners=[tell])
    session.RE.subscribe(tell)
    person = Person(session)
    person.see_that_it_is_safe()
    person.reset()
    look_after_the_interlock(person)
    begun = bool(session.history().suggestions(args.uid))
    (store / "ready").write_text(str(os.getpid()))
    times = person.run(args.uid, lambda _: (store / "over").exists(), begun=begun)
    session.history()  # which waits as long as runs are stored
    flushed = session.flush(60.0)
    session.close()
    (store / "told.json").write_text(json.dumps({"times": times, "unsafe": person.unsafe, "flushed": flushed}))
    sys.exit(0)


if __name__ == "__main__":
    main()
