"""``msc verify`` finds whatever differs between journals and catalogue; ``msc replay`` brings in what is missing."""

import json
from contextlib import closing

import h5py
import numpy as np
import pytest
from event_model import compose_resource

from msc_plans.cli import main
from msc_plans.storage import RunWriter, TiledServer, opened
from msc_plans.storage.journal import stored_journals
from tests.unit.storage.test_storage import run_documents

FRAME = np.arange(12, dtype=np.int32).reshape(1, 3, 4)


def with_frame(folder):
    """The documents of a run with one event, whose image is in a file of its own."""
    path = folder / "frame.h5"
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = FRAME
    start, descriptor, event, stop = run_documents()
    key = {"dtype": "array", "shape": [1, 3, 4], "dtype_numpy": "<i4", "source": "made up", "external": "FILESTORE:"}
    descriptor[1]["data_keys"]["image"] = key
    bundle = compose_resource(
        start=start[1], spec="AD_HDF5", root="/", resource_path=str(path.relative_to("/")),
        resource_kwargs={"frame_per_point": 1},
    )  # type: ignore[arg-type]  # fmt: skip
    datum = bundle.compose_datum({"point_number": 0})
    event[1]["data"]["image"], event[1]["timestamps"]["image"] = datum["datum_id"], 0.0
    event[1]["filled"]["image"] = False
    return path, [start, descriptor, ("resource", dict(bundle.resource_doc)), ("datum", dict(datum)), event, stop]


@pytest.fixture(scope="module")
def store(store_folder):
    """Two runs, one with a frame, stored by the real server; ``msc`` talks to that."""
    folder = store_folder
    with TiledServer(folder) as server, closing(RunWriter(folder, folder / "journal")) as writer:
        frame, documents = with_frame(folder / "frames")
        for name, doc in [*run_documents(events=2), *documents]:
            writer(name, doc)
        assert writer.flush()
        yield server.folder, documents[0][1]["uid"], frame


@pytest.fixture
def journal(store):
    """The journal of the run with a frame; as it was, afterwards."""
    folder, uid, _ = store
    (path,) = (path for path in stored_journals(folder / "journal") if path.stem == uid)
    kept = path.read_text()
    yield path
    path.write_text(kept)


def verify(capsys, folder):
    code = main(["verify", "--store", str(folder)])
    return code, capsys.readouterr().out


def test_a_store_that_has_all(store, capsys):
    folder, uid, frame = store
    assert verify(capsys, folder) == (0, "2 runs, 11 documents, 1 frames: the catalogue has them all, as they were\n")
    (sums,) = folder.glob("journal/stored/*/*.sha256")
    assert sums.stem == uid
    assert sums.read_text().split() == [sums.read_text()[:64], str(frame)]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"counts": [0.0, 1.0', '"counts": [0.0, 1.5', "event 1 of primary, data, counts[1]: 1.5 in the journal, 1.0"),
        ('"bad": NaN', '"bad": 0.0', "event 1 of primary, data, bad: 0.0 in the journal, nan in the catalogue"),
        ('"exit_status": "success"', '"exit_status": "fail"', "stop, exit_status: 'fail' in the journal, 'success'"),
        ('"shape": [4]', '"shape": [5]', "stream primary, data_keys, counts, shape[0]: 5 in the journal, 4"),
        ('"name": "event"', '"nom": "event"', "line 5, isn't a document"),
    ],
)
def test_a_document_that_differs(store, journal, capsys, old, new, says):
    text = journal.read_text()
    assert old in text
    journal.write_text(text.replace(old, new))
    code, out = verify(capsys, store[0])
    assert code == 1
    assert says in out
    assert "1 runs differ" in out


def test_a_frame_that_changed_or_is_gone(store, capsys):
    folder, _, frame = store
    kept = frame.read_bytes()
    with h5py.File(frame, "r+") as file:
        file["entry/data/data"][0, 0, 0] = 7
    code, out = verify(capsys, folder)
    assert (code, "is not what it was when it was stored (SHA-256)" in out) == (1, True)
    frame.write_bytes(kept[: len(kept) // 2])
    assert "(SHA-256)" in verify(capsys, folder)[1]
    frame.unlink()
    assert f"{frame} can't be read" in verify(capsys, folder)[1]
    frame.write_bytes(kept)
    assert verify(capsys, folder)[0] == 0


def test_what_the_catalogue_lacks_is_replayed(store, capsys):
    folder, uid, _ = store
    with opened(folder) as catalog:
        catalog.delete_contents(uid, recursive=True, external_only=False)
    code = main(["verify", "--json", "--store", str(folder)])
    captured = capsys.readouterr()
    reports = {report["uid"]: report for report in map(json.loads, captured.out.splitlines())}
    assert code == 1
    assert reports[uid]["problems"] == ["not in the catalogue"]
    assert main(["replay", "--store", str(folder)]) == 0
    assert capsys.readouterr().out == f"1 runs written to {folder}\n"
    assert main(["replay", "--store", str(folder)]) == 0
    assert capsys.readouterr().out == f"0 runs written to {folder}\n"
    assert verify(capsys, folder)[0] == 0


def test_bad_input_is_refused(tmp_path, capsys):
    for command in ("verify", "replay"):
        assert main([command, "--store", str(tmp_path)]) == 2
        assert f"{tmp_path} holds no journals" in capsys.readouterr().err
