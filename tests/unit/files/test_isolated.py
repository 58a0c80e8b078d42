"""Files that crash or hang the HDF5 library end their own process, not their reader's."""

import io
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from msc_plans.files import ReadError, isolated, isolated_server, read_spectra
from msc_plans.files.isolated import close, is_hdf5, read_isolated
from tests.conftest import wait_until

WAVELENGTH = np.linspace(350.0, 700.0, 30)


@pytest.fixture
def spectrum(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["wavelength"], file["absorbance"] = WAVELENGTH, WAVELENGTH / 700
    return path


@pytest.fixture
def endless(tmp_path):
    """What is opened, and never read: HDF5 waits in C for who writes."""
    path = tmp_path / "endless.h5"
    os.mkfifo(path)
    return path


def servers():
    children = psutil.Process().children()
    return [child.pid for child in children if any("isolated_server" in word for word in child.cmdline())]


def fork_of(server):
    forks = []
    wait_until(lambda: forks.extend(psutil.Process(server).children()) or forks, what="a fork that reads")
    return forks[0].pid


def test_files_are_read_by_one_server_and_close_ends_it(spectrum):
    close()
    assert servers() == []
    for _ in range(3):
        (found,) = read_spectra(spectrum)
        assert found.absorbance == pytest.approx(WAVELENGTH / 700, abs=0)
    (server,) = servers()
    assert read_isolated(spectrum, "spectra")[0].names == ("wavelength", "absorbance")
    assert servers() == [server]
    if sys.platform == "linux":
        assert psutil.Process(server).rlimit(psutil.RLIMIT_CORE) == (0, 0)
    close()
    close()
    assert not psutil.pid_exists(server)


def test_a_byte_that_crashes_the_library_is_a_damaged_file(spectrum):
    with h5py.File(spectrum, "a") as file:
        file.attrs["default"] = "entry"
    damaged = bytearray(spectrum.read_bytes())
    kind = damaged.index(b"default\0") + 9
    assert damaged[kind] == 1  # text of any length
    damaged[kind] = 3  # neither this nor a sequence
    kept = spectrum.with_name("damaged.h5")
    kept.write_bytes(damaged)
    with pytest.raises(ReadError, match=r"damaged.h5: (is damaged|can't be read as HDF5)") as caught:
        read_spectra(kept)
    if h5py.version.hdf5_version == "2.0.0":
        assert "crashed the HDF5 library (signal 11)" in str(caught.value)
    assert len(read_spectra(spectrum)) == 1


def test_what_crashes_the_library_is_named_and_the_next_file_is_read(spectrum, endless):
    read_isolated(spectrum, "spectra")
    (server,) = servers()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_isolated, endless, "spectra")
        os.kill(fork_of(server), signal.SIGSEGV)
        with pytest.raises(ReadError, match=r"endless.h5: is damaged: .* crashed the HDF5 library \(signal 11\); copy"):
            reading.result()
        reading = pool.submit(read_isolated, endless, "spectra")
        os.kill(fork_of(server), signal.SIGKILL)
        with pytest.raises(ReadError, match="is memory short"):
            reading.result()
    assert len(read_spectra(spectrum)) == 1
    assert servers() == [server]


def test_a_file_that_never_ends_is_given_up(spectrum, endless, monkeypatch):
    monkeypatch.setattr(isolated, "_SECONDS", 0.5)
    with pytest.raises(ReadError, match=r"endless.h5: is damaged, or its disk hangs: reading took more than 0.5 s"):
        read_isolated(endless, "spectra")
    monkeypatch.undo()
    assert len(read_spectra(spectrum)) == 1


def test_a_read_takes_so_much_memory_and_no_more():
    code = (
        "import os, psutil\n"
        "from msc_plans.files import isolated_server\n"
        "isolated_server._confine(60.0, psutil.Process().memory_info().vms + (200 << 20))\n"
        "kept = bytearray(50 << 20)\n"
        "try:\n"
        "    bytearray(400 << 20)\n"
        "except MemoryError:\n"
        "    os._exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 3


@pytest.mark.parametrize(
    ("error", "says"),
    [(MemoryError(), "takes more than 4 GiB"), (ArithmeticError("odd"), "ArithmeticError: odd; please report")],
)
def test_whatever_a_file_makes_the_reader_raise_is_said(error, says, monkeypatch):
    def read(*_):
        raise error

    monkeypatch.setattr(isolated_server, "read_nexus", read)
    out = io.BytesIO()
    isolated_server._answer(Path("a.h5"), "spectra", out)
    refusal, tables = isolated._parsed(Path("a.h5"), out.getvalue())
    assert says in refusal
    assert tables == ()


@pytest.mark.parametrize("answer", [b"", b"[]\n", b'{"refusal": "", "tables": [{"names": ["a"], "rows": 9}]}\n'])
def test_an_answer_that_is_none_is_a_damaged_file(answer, spectrum, monkeypatch):
    monkeypatch.setattr(isolated, "_ask", lambda _: (0, answer))
    with pytest.raises(ReadError, match=r"a.h5: is damaged"):
        read_isolated(spectrum, "spectra")


def test_threads_get_each_its_own_file(tmp_path):
    def written_and_read(number):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file["wavelength"], file["absorbance"] = WAVELENGTH, np.full(30, float(number))
        return {read_isolated(path, "spectra")[0].values[:, 1].mean() for _ in range(3)}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(written_and_read, range(8))) == [{float(number)} for number in range(8)]
    assert len(servers()) == 1


def test_a_server_that_somebody_ended_is_replaced(spectrum):
    read_isolated(spectrum, "spectra")
    (server,) = servers()
    os.kill(server, signal.SIGKILL)
    assert len(read_spectra(spectrum)) == 1
    assert servers() != [server]


def test_a_server_that_can_not_be_had_is_said(spectrum, monkeypatch):
    close()
    monkeypatch.setattr(isolated, "_SERVE", "")
    with pytest.raises(ReadError, match="the process that reads HDF5 files has ended"):
        read_isolated(spectrum, "spectra")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(ReadError, match="No such file"):
        read_isolated(spectrum, "spectra")


def test_ctrl_c_ends_a_read_and_what_came_of_it_answers_nobody(spectrum, endless):
    read_isolated(spectrum, "spectra")
    (server,) = servers()

    def interrupt():
        fork_of(server)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        read_isolated(endless, "spectra")
    thread.join()
    assert not psutil.pid_exists(server)
    assert len(read_spectra(spectrum)) == 1


def test_a_script_its_fork_and_the_end_of_both(spectrum, tmp_path):
    (tmp_path / "h5py.py").write_text("raise ImportError('a module beside the data was imported')")
    code = (
        "import os, sys\n"
        "from msc_plans.files import isolated, read_spectra\n"
        "def read(): print(len(read_spectra(sys.argv[1])), isolated._server.pid, flush=True)\n"
        "read()\n"
        "os.chdir(os.path.dirname(sys.argv[1]))\n"
        "isolated.close()\n"
        "read()\n"
        "if os.fork() == 0:\n"
        "    read()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "read()\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(spectrum)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found = [line.split() for line in done.stdout.splitlines()]
    assert [count for count, _ in found] == ["1"] * 4
    _, own, forks, again = (int(pid) for _, pid in found)
    assert own == again
    assert own != forks
    for pid in (own, forks):
        wait_until(lambda pid=pid: not psutil.pid_exists(pid), what=f"the end of server {pid}")


def test_hdf5_is_known_by_its_signature(tmp_path, spectrum):
    block = tmp_path / "block.h5"
    with h5py.File(block, "w", userblock_size=1024) as file:
        file["wavelength"], file["absorbance"] = WAVELENGTH, WAVELENGTH / 700
    text = tmp_path / "a.csv"
    text.write_text("nm,abs\n" * 1000)
    (tmp_path / "empty").touch()
    late = tmp_path / "late"
    late.write_bytes(b"\0" * 700 + spectrum.read_bytes())
    for path in (spectrum, block, text, tmp_path / "empty", late, tmp_path / "none"):
        assert is_hdf5(path) == bool(h5py.is_hdf5(path))
    assert [is_hdf5(path) for path in (block, text, late)] == [True, False, False]
    assert len(read_spectra(block)) == 1
    assert not is_hdf5(tmp_path)
