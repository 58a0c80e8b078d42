import subprocess
import sys

import h5py
import numpy as np
import pytest

from ioc_sim.areadetector.hdf_file import Frame, FrameFile


def test_a_file_too_large_for_the_system_keeps_its_frames(tmp_path):
    """HDF5's own failure, not a simulated one: the system refuses to let the file grow."""
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(tmp_path)!r})
from pathlib import Path
import numpy as np
from ioc_sim.areadetector.hdf_file import Frame, FrameFile
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
file = FrameFile(Path({str(tmp_path / "big.h5")!r}), (300, 300), compression="None", level=1, swmr=True)
try:
    for number in range(9):
        file.write(Frame(np.full((300, 300), number, np.int32), number, 1.7e9, 0.0))
except (OSError, RuntimeError) as error:
    print(file.written, file.failed, file.write(Frame(np.zeros((300, 300), np.int32), 0, 0.0, 0.0)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "1 True False\n", done.stderr
    with h5py.File(tmp_path / "big.h5", "r", swmr=True) as file:
        assert file["/entry/data/data"][0, 0, 0] == 0


def test_what_a_killed_writer_leaves_can_be_read(tmp_path):
    script = f"""
import os
from pathlib import Path
import numpy as np
from ioc_sim.areadetector.hdf_file import Frame, FrameFile
file = FrameFile(Path({str(tmp_path / "left.h5")!r}), (6, 4), compression="zlib", level=1, swmr=True)
for number in range(3):
    file.write(Frame(np.full((6, 4), number, np.int32), number, 1.7e9, 0.0))
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    with h5py.File(tmp_path / "left.h5", "r", swmr=True) as file:
        assert file["/entry/data/data"][:, 0, 0].tolist() == [0, 1, 2]


def test_a_file_that_could_not_be_made_whole_is_not_left_behind(tmp_path, monkeypatch):
    file = FrameFile(tmp_path / "x.h5", (6, 4), compression="zlib", level=1, swmr=True)

    def fail(_):
        raise RuntimeError("no more room")

    monkeypatch.setattr(file, "_lay_out", fail)
    with pytest.raises(RuntimeError, match="no more room"):
        file.write(Frame(np.zeros((6, 4), np.int32), 1, 1.7e9, 0.0))
    assert list(tmp_path.iterdir()) == []
