"""ophyd's own, unchanged classes on the SAXS station: ``python -m tests.integration.saxs_client PREFIX FOLDER``.

Prints what happened as JSON. OPHYD_CONTROL_LAYER and EPICS_CA_* choose how the station is reached.
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from bluesky.plans import count
from bluesky.run_engine import RunEngine
from ophyd import Component, PilatusDetector, SingleTrigger
from ophyd.areadetector.filestore_mixins import FileStoreHDF5IterativeWrite
from ophyd.areadetector.plugins import HDF5Plugin
from ophyd.signal import EpicsSignalBase

from devices import disconnect

# what an unwatched set() would wait for without end
EpicsSignalBase.set_defaults(timeout=10, write_timeout=20, connection_timeout=20)

READER = (
    "import h5py, sys\n"
    "with h5py.File(sys.argv[1], 'r', swmr=True) as file: print(file['/entry/data/data'][:].sum(axis=(1, 2)).tolist())"
)


class FilePlugin(HDF5Plugin, FileStoreHDF5IterativeWrite):
    pass


class Detector(SingleTrigger, PilatusDetector):
    hdf1 = Component(FilePlugin, "HDF1:", write_path_template=sys.argv[2] + "/%Y/%m/%d/")


def main():
    detector = Detector(sys.argv[1], name="saxs", read_attrs=["hdf1"])
    detector.wait_for_connection(timeout=20)
    detector.hdf1.warmup()
    during, documents = [], []

    def follow(name, document):
        documents.append((name, document))
        if name == "event" and document["seq_num"] == 2:
            # pyepics may still hold the name of before: it answers from a monitor that can be late
            until = time.monotonic() + 10.0
            while not Path(path := detector.hdf1.full_file_name.get()).is_file() and time.monotonic() < until:
                threading.Event().wait(0.02)
            read = subprocess.run([sys.executable, "-c", READER, path], capture_output=True, text=True, check=True)
            during.append(json.loads(read.stdout))

    RE = RunEngine({})
    RE(count([detector], 3), follow)
    (resource,) = (document for name, document in documents if name == "resource")
    (descriptor,) = (document for name, document in documents if name == "descriptor")
    result = {
        "file": str(Path(resource["root"], resource["resource_path"])),
        "spec": resource["spec"],
        "frame_per_point": resource["resource_kwargs"]["frame_per_point"],
        "points": [document["datum_kwargs"]["point_number"] for name, document in documents if name == "datum"],
        "shape": descriptor["data_keys"]["saxs_image"]["shape"],
        "dtype": descriptor["data_keys"]["saxs_image"]["dtype_numpy"],
        "during": during,
        "captured": detector.hdf1.num_captured.get(),
        "message": detector.hdf1.write_message.get(),
        "state": detector.cam.detector_state.get(as_string=True),
    }
    print("RESULT", json.dumps(result))
    disconnect()


if __name__ == "__main__":
    main()
