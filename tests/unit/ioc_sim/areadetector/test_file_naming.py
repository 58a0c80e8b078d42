from types import SimpleNamespace

import pytest

from ioc_sim.areadetector.data_root import DataRoot, check_template
from ioc_sim.areadetector.file_naming import FileNaming
from ioc_sim.areadetector.hdf_plugin import HdfModel


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "saxs"
    folder.mkdir()
    return folder


@pytest.fixture
def naming(root):
    naming = FileNaming(DataRoot(root))
    naming.file_path = str(root)
    return naming


@pytest.mark.parametrize(
    ("put", "taken"),
    [("{root}", "{root}/"), ("{root}/", "{root}/"), ("{root}//a///b", "{root}/a/b/"), ("{root}/./a", "{root}/a/")],
)
def test_paths_are_normalised_and_made(naming, root, put, taken):
    naming.file_path = put.format(root=root)
    assert naming.file_path == taken.format(root=root)
    assert naming.file_path_exists == "Yes"


@pytest.mark.parametrize("put", ["/etc", "{root}/../other", "{root}x", "saxs", "", "{root}/link/a", "{root}/a/../b"])
def test_paths_that_lead_out_are_refused(naming, root, put, tmp_path):
    (tmp_path / "other").mkdir()
    (root / "link").symlink_to(tmp_path / "other")
    with pytest.raises(ValueError, match=r"where all files go|go below"):
        naming.file_path = put.format(root=root)
    assert (naming.file_path, naming.file_path_exists) == (f"{root}/", "No")
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize(("name", "template"), [("../x", "%s%s_%d.h5"), ("x", "%s../%s.h5"), ("link", "%s%s/x.h5")])
def test_names_that_lead_out_are_refused(naming, root, name, template, tmp_path):
    (tmp_path / "other").mkdir()
    (root / "link").symlink_to(tmp_path / "other")
    naming.file_name, naming.file_template = name, template
    with pytest.raises(ValueError, match="where all files go"):
        naming.next_path()


def test_a_root_that_is_a_link_may_be_named_either_way(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    root = DataRoot(tmp_path / "data")
    assert root.accept(f"{tmp_path}/data/a") == f"{tmp_path}/data/a/"
    assert root.accept(f"{tmp_path}/disk/a") == f"{tmp_path}/disk/a/"


def test_a_path_too_long_is_refused(naming, root):
    with pytest.raises(ValueError, match="at most 255"):
        naming.file_path = f"{root}/{'a' * 250}"
    naming.file_path = f"{root}"
    naming.file_name = "a" * 255
    with pytest.raises(ValueError, match="at most 255"):
        naming.next_path()


@pytest.mark.parametrize(("depth", "made"), [(0, False), (-1, False), (-2, True), (1, True), (99, False)])
def test_create_directory_counts_as_areadetector_does(naming, root, depth, made):
    naming.create_directory = depth
    naming.file_path = f"{root}/a/b"
    assert (root / "a" / "b").is_dir() == made
    assert naming.file_path_exists == ("Yes" if made else "No")
    if not made:
        with pytest.raises(ValueError, match=f"CreateDirectory is {depth}"):
            naming.next_path()


def test_nothing_is_made_before_it_is_needed(tmp_path):
    HdfModel(DataRoot(tmp_path / "saxs"), SimpleNamespace(no_file=False, full_disk=False))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("template", "takes"), [("%s%s_%6.6d.h5", 3), ("%s%s_%3.3d.h5", 3), ("%s%s.h5", 2), ("%sx.h5", 1), ("%s%s%%.h5", 2)]
)
def test_templates_of_path_name_and_number_are_taken(template, takes):
    assert check_template(template) == takes


@pytest.mark.parametrize(
    "template", ["x.h5", "%d%s%s", "%s%s%s", "%s%n", "%s%s%d%d", "%s%s%(x)d", "%s%999d", "%", "%s%*d"]
)
def test_other_templates_are_refused(template):
    with pytest.raises(ValueError, match="no template"):
        check_template(template)


def test_files_are_counted(naming, root):
    assert [naming.next_path().name for _ in range(2)] == ["frame_000000.h5", "frame_000001.h5"]
    assert naming.full_file_name == f"{root}/frame_000001.h5"
    naming.auto_increment = "No"
    assert [naming.next_path().name for _ in range(2)] == ["frame_000002.h5", "frame_000002.h5"]


def test_letters_beyond_ascii_are_counted_as_they_are_sent(naming, root):
    naming.file_path = f"{root}/Łódź"
    assert naming.file_path_exists == "Yes"
    with pytest.raises(ValueError, match="at most 255"):
        naming.file_path = f"{root}/{'Ł' * 120}"
