"""What reads what people and instruments give, each a function of bytes: it refuses in its own words, or takes them."""

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["TARGETS", "Target"]

ROOT = Path(__file__).resolve().parents[1]
_CRASHED = "crashed the HDF5 library"


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes
    ----------
    read : callable
        Takes bytes and a folder of its own.
    refusals : tuple of exception types
        What it may raise: its documented refusals.
    seeds : callable
        Returns good inputs.
    tree : str
        How inputs are taken apart to change a value within: ``json``, ``lines`` (of JSON), ``toml``, or empty.
    share : float
        Of the inputs of other targets: less for one that takes much longer, and is not guided by coverage.
    hangs_s : float
        Processor time above which it hangs.
    counted : str
        Words of a refusal that is counted: no finding, but worth a figure.
    """

    read: Callable[[bytes, Path], Any]
    refusals: Callable[[], tuple[type[Exception], ...]]
    seeds: Callable[[], list[bytes]]
    tree: str = ""
    share: float = 1.0
    hangs_s: float = 10.0
    counted: str = ""


# -- files of spectra and curves


def _value_error() -> tuple[type[Exception], ...]:
    return (ValueError,)


def _read_error() -> tuple[type[Exception], ...]:
    from msc_plans.files import ReadError

    return (ReadError,)


def _command_error() -> tuple[type[Exception], ...]:
    from msc_plans.errors import InputError

    return (InputError,)


def _written(content: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _spectra(content: bytes, folder: Path) -> None:
    from msc_plans.files import read_spectra

    for spectrum in read_spectra(_written(content, folder, "spectrum.csv")):
        assert np.all(np.isfinite(spectrum.wavelength_nm)), "a wavelength that is no number"
        assert np.all(np.diff(spectrum.wavelength_nm) > 0), "wavelengths that don't ascend"
        for column in (spectrum.absorbance, spectrum.counts, spectrum.dark, spectrum.reference):
            assert column is None or column.shape == spectrum.wavelength_nm.shape, "columns of unlike length"


def _curves(content: bytes, folder: Path) -> None:
    from msc_plans.files import read_curves

    for curve in read_curves(_written(content, folder, "curve.dat")):
        assert np.all(np.diff(curve.q_inv_nm) > 0), "q that doesn't ascend"
        assert curve.intensity.shape == curve.q_inv_nm.shape, "columns of unlike length"


def _nexus(content: bytes, folder: Path) -> None:
    from msc_plans.files import ReadError, read_curves, read_spectra

    path = _written(content, folder, "file.h5")
    for read in (read_spectra, read_curves):
        try:
            read(path)
        except ReadError as error:
            if "please report" in error.reason:
                raise AssertionError(error.reason) from error
            if _CRASHED in error.reason:
                raise


def _text_seeds() -> list[bytes]:
    x = np.arange(350.0, 700.0, 12.5)
    y = np.round(0.3 * np.exp(-(((x - 437.0) / 11.0) ** 2)) + 0.01, 6)
    rows = list(zip(x, y, strict=True))
    comma = "\n".join(["Wavelength (nm),Absorbance", *(f"{a:g},{b:g}" for a, b in rows)])
    german = "\r\n".join(
        ["# Küvette 1 mm", "Wellenlänge;Extinktion", *(f"{a:g};{b:g}".replace(".", ",") for a, b in rows)]
    )
    counts = "\n".join(["wavelength\tcounts\tdark\tref", *(f"{a}\t{1e4 * b:.0f}\t101\t9000" for a, b in rows)])
    several = "\n".join(["nm, a, b, c", *(f"{a}, {b}, NaN, {b / 2}" for a, b in rows[::-1])])
    return [comma.encode(), german.encode("latin-1"), counts.encode("utf-16"), several.encode("utf-8-sig")]


def _curve_seeds() -> list[bytes]:
    q = np.round(np.geomspace(0.05, 4.0, 30), 6)
    intensity = np.round(2.0 / (1.0 + q**4) + 0.01, 6)
    rows = [f"{a} {b} {0.01 * b}" for a, b in zip(q, intensity, strict=True)]
    return [
        "\n".join(["# q (nm^-1)  I (cm^-1)  sigma", *rows]).encode(),
        "\n".join(["q(A-1),I(q)", *(row.replace(" ", ",") for row in rows)]).encode(),
        "\r\n".join(rows).encode(),
    ]


@cache
def _nexus_seeds() -> list[bytes]:
    x = np.linspace(350.0, 700.0, 20)

    def made(lay_out: Callable[[Any], None]) -> bytes:
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            lay_out(file)
        return memory.getvalue()

    def plain(file: Any) -> None:
        file["wavelength"], file["absorbance"] = x, x / 700

    def nexus(file: Any) -> None:
        file.attrs["default"] = "entry"
        file.create_group("entry").attrs["default"] = "data"
        data = file.create_group("entry/data")
        data.attrs.update({"NX_class": "NXdata", "signal": "absorbance", "axes": ["wavelength"]})
        data["wavelength"], data["absorbance"] = x, x / 700

    def sas(file: Any) -> None:
        data = file.create_group("entry/sasdata")
        data.attrs.update({"canSAS_class": "SASdata", "I_axes": "Q", "signal": "I"})
        for name, unit in (("Q", "1/angstrom"), ("I", "1/cm"), ("Idev", "1/cm")):
            data.create_dataset(name, data=x, chunks=(5,), compression="gzip").attrs["units"] = unit

    return [made(plain), made(nexus), made(sas)]


# -- what a session is told


def _journal(content: bytes, folder: Path) -> None:
    from msc_plans.storage.journal import read_journal

    documents = read_journal(_written(content, folder, "run.jsonl"))
    assert documents[0][0] == "start", "no start document"
    assert all(isinstance(doc, dict) for _, doc in documents), "a document that is none"


def _journal_seeds() -> list[bytes]:
    documents: list[tuple[str, Any]] = [
        ("start", {"uid": "6f6c", "time": 1.7e9, "plan_name": "measure_condition", "condition": {"growth": 280.0}}),
        ("descriptor", {"uid": "d", "run_start": "6f6c", "data_keys": {"x": {"dtype": "number", "shape": []}}}),
        ("event", {"uid": "e", "descriptor": "d", "seq_num": 1, "data": {"x": float("nan")}, "timestamps": {"x": 1.0}}),
        ("stop", {"uid": "s", "run_start": "6f6c", "exit_status": "success", "num_events": {"primary": 1}}),
    ]
    lines = [json.dumps({"name": name, "doc": doc}) for name, doc in documents]
    return ["\n".join([*lines, ""]).encode(), "\n".join(lines[:1]).encode()]


def _history(content: bytes, _: Path) -> None:
    from msc_plans.cli.arguments.history import _from_lines
    from msc_plans.kinetics.observation import Observables

    history = _from_lines(content, "stdin", Observables())
    assert all(np.isfinite(point.condition.residence_time) for point in history.points), "a time that is no number"


def _history_seeds() -> list[bytes]:
    from msc_plans.kinetics.observation import OPTIONAL_KEYS, Observables

    keys = Observables().outcome_keys
    condition = {"nucleation_temperature": 280, "growth_temperature": 270.0, "residence_time": 14}
    seen = dict.fromkeys(keys, 0.1) | dict.fromkeys(OPTIONAL_KEYS, 0.2)
    lines = [condition | seen, condition | dict.fromkeys(keys, None), condition | {"failed": True}]
    return ["\n".join(map(json.dumps, lines)).encode(), json.dumps(lines[0]).encode()]


def _settings(content: bytes, folder: Path) -> None:
    from msc_plans.settings import read_settings

    _written(content, folder, "msc.toml")
    with chdir(folder):
        read_settings()


def _settings_seeds() -> list[bytes]:
    text = (
        b'prefix = "MSC:"\nstore = "data"\nresidue = 0.01\n[geometry]\ncoil_ul = 240.0\n[limits]\n'
        b'flow_ul_min = [50.0, 12000.0]\n[saxs]\nuse = true\ndetector = "Pilatus 300k"\n'
        b'[[suspenders]]\npv = ":Reactor:Pressure"\nabove = 15.0\nresume = 12.0\nwhy = "a clog?"\n'
    )
    return [text]


def _scenario(content: bytes, folder: Path) -> None:
    from ioc_sim.physics.scenario_file import load_scenario

    load_scenario(_written(content, folder, "scenario.toml"))


def _scenario_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / "ioc_sim" / "scenarios").glob("*.toml"))]


def _mechanisms(content: bytes, folder: Path) -> None:
    from msc_plans.kinetics.mechanism_file import read_mechanisms

    assert read_mechanisms(_written(content, folder, "own.toml")), "no mechanism"


def _mechanism_seeds() -> list[bytes]:
    own = (
        b'base = "palencia2020"\n[steps.x]\nconsumes = {"CdSe-403" = 60}\n'
        b'makes = {"CdSe-437" = 37}\nrate = ["CdSe-403"]\n'
        b'log10_k = [-2, 0.5, "a guess"]\nenergy_kj_mol = [90.0, 10.0, "a guess"]\n'
        b'[mechanisms.mine]\ntitle = "mine"\nsteps = ["x"]\n'
    )
    return [own, (ROOT / "msc_plans/kinetics/mechanisms/palencia2020.toml").read_bytes()]


def _checkpoint(content: bytes, folder: Path) -> None:
    from msc_plans.advisor import Advisor

    Advisor.load(_written(content, folder, "advisor.json"))


@cache
def _checkpoint_seeds() -> list[bytes]:
    import tempfile

    from msc_plans.advisor import Advisor

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "advisor.json"
        Advisor(particles=50, checkpoint_path=path).checkpoint()
        return [path.read_bytes()]


def _people(content: bytes, folder: Path) -> None:
    from msc_plans.queue.http_access import people_of
    from msc_plans.queue.http_server import read_config

    assert people_of(read_config(_written(content, folder, "people.yml"))), "nobody"


def _access_error() -> tuple[type[Exception], ...]:
    from msc_plans.queue.http_access import AccessError

    return (AccessError,)


# -- what the IOC is told


def _ioc_state(content: bytes, folder: Path) -> None:
    from ioc_sim.ioc import Ioc

    ioc = _ioc()
    Ioc._restore(ioc, _written(content, folder, "state.json"))


@cache
def _ioc() -> Any:
    from ioc_sim.ioc import Ioc
    from ioc_sim.physics.scenario_file import load_scenario

    return Ioc(load_scenario("fast"))


@cache
def _ioc_state_seeds() -> list[bytes]:
    ioc = _ioc()
    return [json.dumps({"twin": ioc.twin.state(), "interlock": ioc.interlock.state()}).encode()]


def _frame_paths(content: bytes, folder: Path) -> None:
    from ioc_sim.areadetector.data_root import DataRoot
    from ioc_sim.areadetector.file_naming import FileNaming

    root = folder / "frames"
    root.mkdir(exist_ok=True)
    outside = folder / "outside"
    outside.mkdir(exist_ok=True)
    if not (root / "link").is_symlink():
        (root / "link").symlink_to(outside)
    path, name, template, *_ = [*content.decode("utf-8", errors="replace").split("\n"), "", "", ""]
    naming = FileNaming(DataRoot(root))
    # as a client puts them: each may be refused, the others hold
    for attribute, value in (
        ("file_template", template), ("file_path", path.replace("{root}", str(root))), ("file_name", name),
    ):  # fmt: skip
        try:
            setattr(naming, attribute, value)
        except ValueError:
            continue
    try:
        file = naming.next_path()
    finally:
        assert not any(outside.iterdir()), "something was made outside the root"
    assert file.parent.resolve().is_relative_to(root.resolve()), f"{file} is outside the root"


def _frame_path_seeds() -> list[bytes]:
    return [
        b"{root}/a/b/\nframe\n%s%s_%6.6d.h5", b"{root}/../outside\nf\n%s%s.h5", b"{root}/link\nf\n%s%s",
        b"/etc\n../x\n%s%s%d", b"{root}\n/etc/f\n%s%s",
        "{root}/é/\n../../x\n%s%s".encode(),
    ]  # fmt: skip


# -- commands


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _command(content: bytes, folder: Path) -> None:
    """Run a command as a person types it; it ends with a code, and says why in its own words."""
    from msc_plans.cli import main

    words = [word.replace("{folder}", str(folder)) for word in content.decode("utf-8", errors="replace").split("\n")]
    if not words or words[0] not in ("analyze", "suggest", "fit", "plan", "--version", "nosuch"):
        raise ValueError("would start a server")
    (folder / "curve.dat").write_bytes(_curve_seeds()[0])
    (folder / "history.jsonl").write_bytes(_history_seeds()[1])
    environment = dict(os.environ)
    code: Any = None
    try:
        with chdir(folder), _quiet():
            code = main(words)
    except SystemExit as error:  # argparse
        code = error.code
    finally:
        os.environ.clear()
        os.environ.update(environment)
    assert code in (0, 1, 2), f"exit code {code!r}"


def _command_seeds() -> list[bytes]:
    return [
        b"plan\ncheck\nmeasure_condition\nnucleation_temperature=280\ngrowth_temperature=270\nresidence_time=14",
        b"plan\ncheck\nstandby", b"plan\ncheck\nresidence_time_scan\nresidence_times=[7.6,14]", b"--version", b"nosuch",
        b"analyze\nlamellae\n{folder}/curve.dat\n--json", b"analyze\nuvvis\n{folder}/nosuch",
        b"suggest\n{folder}/nosuch",
        b"suggest\n{folder}/history.jsonl\nnosuch", b"fit\n{folder}", b"analyze\nsaxs\n{folder}",
    ]  # fmt: skip


TARGETS: dict[str, Target] = {
    "spectra": Target(_spectra, _read_error, _text_seeds),
    "curves": Target(_curves, _read_error, _curve_seeds),
    "nexus": Target(_nexus, _read_error, _nexus_seeds, counted=_CRASHED),
    "journal": Target(_journal, _value_error, _journal_seeds, "lines"),
    "history": Target(_history, _command_error, _history_seeds, "lines"),
    "settings": Target(_settings, _command_error, _settings_seeds, "toml"),
    "scenario": Target(_scenario, _value_error, _scenario_seeds, "toml"),
    "mechanisms": Target(_mechanisms, _value_error, _mechanism_seeds, "toml"),
    "people": Target(_people, _access_error, lambda: [(ROOT / "profile_collection/httpserver.yml").read_bytes()]),
    "checkpoint": Target(_checkpoint, _value_error, _checkpoint_seeds, "json", share=0.02, hangs_s=60.0),
    "ioc_state": Target(_ioc_state, _value_error, _ioc_state_seeds, "json"),
    "frame_paths": Target(_frame_paths, _value_error, _frame_path_seeds),
    "command": Target(_command, _value_error, _command_seeds, share=0.01, hangs_s=120.0),
}
