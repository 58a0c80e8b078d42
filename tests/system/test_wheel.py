"""The wheel works outside of the sources: built, installed in an environment of its own, used in an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ["msc_plans", "devices", "ioc_sim", "pyproject.toml", "README.md", "LICENSE"]


def run(command, cwd, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=kept | environment,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist, built from a copy of the sources without any package index."""
    folder = tmp_path_factory.mktemp("build")
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite*", "db", "log", "pid", "security")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name, **({"ignore": ignored} if copy is shutil.copytree else {}))
    done = run([sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """``msc`` of an environment that holds the wheel, sees the dependencies here, and not the sources."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    done = run([python, "-m", "pip", "install", "--no-deps", "--no-index", built[0]], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # appended after the environment's own packages, and without editable installs, which .pth files in it would add
    here = [sysconfig.get_path("purelib"), *(path for path in sys.path if path.endswith("site-packages"))]
    (site / "dependencies.pth").write_text("\n".join(dict.fromkeys(here)) + "\n")
    where = run([python, "-c", "import msc_plans, devices, ioc_sim; print(msc_plans.__file__)"], folder)
    assert str(site) in where.stdout, where.stdout + where.stderr
    return folder / "venv" / "bin" / "msc"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_wheel_and_sdist_hold_what_is_not_python(built):
    wheel, sdist = built
    names = zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as archive:
        members = [name.partition("/")[2] for name in archive.getnames()]
    tracked = subprocess.run(["git", "ls-files", *SOURCES[:3]], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = tracked.stdout.split()
    assert [name for name in wanted if name not in names] == []
    assert [name for name in wanted if name not in members] == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_installed_program_works_in_an_empty_home(installed, tmp_path):
    home = tmp_path / "home"
    home.mkdir()

    def msc(*arguments):
        done = run([installed, *arguments], tmp_path, HOME=str(home), IPYTHONDIR=str(home / "ipython"))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Begin with:" in msc("--help")
    assert "--time-scale" in msc("ioc", "--help")
    assert "MSC:Oven:Growth:LOOP1:PV:RBV" in msc("ioc", "--list").split()
    assert "residence_time_scan" in msc("plan", "list")
    assert "4 conditions" in msc("plan", "check", "residence_time_scan", "residence_times=[7,9,11,14]")
    assert "Nothing is broken." in msc("doctor", "--timeout", "60")
    shown = msc("demo", "--max-conditions", "1")
    assert "1 conditions in" in shown
    assert (tmp_path / "msc-demo" / "campaign.png").exists()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_session_and_queue_find_their_startup(installed, tmp_path):
    script = (
        "from pathlib import Path\n"
        "from msc_plans.cli.queue import startup_folder\n"
        "from msc_plans.cli.session import STARTUP\n"
        "assert STARTUP.exists() and startup_folder(None) == STARTUP.parent\n"
        "print(sorted(path.name for path in STARTUP.parent.iterdir() if path.is_file()))\n"
    )
    done = run([installed.parent / "python", "-c", script], tmp_path)
    assert done.stdout.split("'")[1::2] == [
        "00_session.py", "existing_plans_and_devices.yaml", "user_group_permissions.yaml",
    ], done.stderr  # fmt: skip
    session = subprocess.run(
        [installed, "session", "--simulate", "fast", "--time-scale", "200"],
        cwd=tmp_path, input="print('FOUND', reactor.name, len(catalog))\nexit\n", text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": "", "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"},
        timeout=300, check=False,
    )  # fmt: skip
    assert "FOUND reactor 0" in session.stdout, session.stdout + session.stderr
    assert session.returncode == 0
