"""The runs that ``scale.py`` measures with: a few real ones, and their copies."""

import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _scale_store import clone_runs, row_form

from msc_plans.storage.database import read_database

__all__ = ["FAMILIES", "NAMES", "Size", "prepare", "say", "uids"]

NAMES = ("nucleation_temperature", "growth_temperature", "residence_time")
FAMILIES = ("CdSe-382", "CdSe-403", "CdSe-437", "CdSe-465")


@dataclass(frozen=True)
class Size:
    """How much is done."""

    templates: int
    runs: int
    """In the catalogue: so many raw ones, and as many analyses."""
    reprocessed: int
    """With spectrum and frame, in a quick run with spectra alone."""
    memory: int
    """Spectra alone."""
    frames: bool = True


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def uids(seed: int, number: int) -> list[str]:
    source = random.Random(seed)
    return [str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(number)]


def condition(number: int) -> dict[str, float]:
    values = (200.0 + number * 7 % 140, 160.0 + number * 11 % 180, 5.0 + number * 13 % 300 / 10)
    return dict(zip(NAMES, values, strict=True))


def found_in(number: int) -> list[str]:
    return [family for place, family in enumerate(FAMILIES) if number // 3**place % 3 == 0]


def start_of(number: int) -> float:
    return 1.79e9 + 60.0 * number


def described(uid: str, number: int, campaign: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "time": start_of(number),
        "condition": condition(number),
        "campaign_uid": campaign,
        "trial_id": f"{campaign}-{number}",
    }


def spread(folder: Path, templates: Sequence[str], starts: Sequence[dict[str, Any]]) -> None:
    for place, template in enumerate(templates):
        clone_runs(folder, template, starts[place :: len(templates)])


def make_store(folder: Path, size: Size) -> dict[str, Any]:
    """Write templates and copy them; returns their uids."""
    from live import SCENARIO, raw_run

    from msc_plans.callbacks.uvvis import UvVisCallback
    from msc_plans.families import built_in_families
    from msc_plans.session.analyses import uvvis_settings
    from msc_plans.settings import OpticsSettings
    from msc_plans.storage import RunWriter, TiledServer, opened

    say(f"measure {size.templates} conditions of {SCENARIO.name} and write them")
    with TiledServer(folder), opened(folder) as catalog:
        writer = RunWriter(folder, folder / "journal")
        uvvis = UvVisCallback(uvvis_settings(OpticsSettings(), built_in_families(), "spectrometer"), [writer])

        def send(name: str, document: Any) -> None:
            if name == "start":
                document = {**document, "campaign_uid": "templates", "trial_id": f"template-{document['uid']}"}
            writer(name, document)
            uvvis(name, document)

        behind = raw_run(folder / "frames", None, 1)
        raws = [raw_run(folder / "frames", condition(31 * k + 5), k, behind.uid) for k in range(size.templates + 1)]
        for raw in (behind, *raws):
            for name, document in raw.documents:
                send(name, document)
        spectra = [spectrum_only(writer, raw) for raw in raws]
        writer.close()
        if writer.waiting:
            raise RuntimeError(f"{writer.waiting} runs could not be written")
        from msc_plans.storage.search import analyses_of

        analyses = [runs[0].metadata["start"]["uid"] for runs in analyses_of(catalog, [r.uid for r in raws]).values()]
    say(f"copy them to {size.runs} runs and as many analyses, and {size.reprocessed} + {size.memory} to reprocess")
    templates = [raw.uid for raw in raws]
    known = uids(1, size.runs)
    spread(folder, templates, [described(uid, k, f"campaign-{k // 40}") for k, uid in enumerate(known)])
    derived = [
        described(uid, k, f"campaign-{k // 40}")
        | {"raw_uid": known[k], "raw_time": start_of(k), "families": found_in(k), "time": start_of(k) + 5.0}
        for k, uid in enumerate(uids(2, size.runs))
    ]
    spread(folder, analyses, derived)
    return {
        "templates": templates,
        "spectra": spectra,
        "analyses": analyses,
        "copy": known[0],
        "derived": derived[0]["uid"],
    }


def spectrum_only(writer: Any, raw: Any) -> str:
    """Write a raw run once more without its frame; returns the uid."""
    named = dict.fromkeys([raw.uid], str(uuid.uuid4()))
    kept = {"saxs_image", "saxs_i0", "saxs_i1", "saxs_cell_temperature"}

    def renamed(document: Any) -> Any:
        return {
            key: named.setdefault(v, str(uuid.uuid4())) if key in ("uid", "run_start", "descriptor") else v
            for key, v in document.items()
        }

    for name, document in raw.documents:
        if name in ("resource", "datum"):
            continue
        other = renamed(document)
        if name == "descriptor":
            other["data_keys"] = {key: v for key, v in document["data_keys"].items() if key not in kept}
            other["configuration"], other["object_keys"], other["hints"] = {}, {}, {}
        if name == "event":
            other |= {
                part: {key: v for key, v in document[part].items() if key not in kept}
                for part in ("data", "timestamps")
            }
            other["filled"] = {}
        writer(name, other)
    return named[raw.uid]


def prepare(folder: Path, size: Size, chunks: int) -> dict[str, Any]:
    made = make_store(folder, size)
    raw = made["templates"] if size.frames else made["spectra"]
    spectra = made["spectra"]
    later = start_of(size.runs + 1)
    spread(folder, raw, [described(uid, k, "warm-up") | {"time": later} for k, uid in enumerate(uids(3, 4))])
    for chunk in range(chunks):
        known = uids(10 + chunk, size.reprocessed // chunks)
        spread(folder, raw, [described(uid, k, f"part-{chunk}") | {"time": later} for k, uid in enumerate(known)])
    for name, seed, number in (("tenth", 4, size.memory // 10), ("all", 5, size.memory)):
        spread(
            folder,
            spectra,
            [described(uid, k, f"memory-{name}") | {"time": later} for k, uid in enumerate(uids(seed, number))],
        )
    if read_database(folder).postgresql:
        return {}
    same = row_form(folder, made["templates"][1]) == row_form(folder, made["copy"])
    same &= row_form(folder, made["analyses"][1]) == row_form(folder, made["derived"])
    size_mb = (folder / "catalog.db").stat().st_size / 1e6
    say(f"catalogue of {size_mb:.0f} MB; rows of copies are {'' if same else 'NOT '}as those that were written")
    return {"rows_as_written": float(same)}
