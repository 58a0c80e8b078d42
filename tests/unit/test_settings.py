import pytest
from pydantic import ValidationError

from msc_plans.settings import Settings


def test_environment_over_file_over_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings().prefix == "MSC:"
    (tmp_path / "msc.toml").write_text('prefix = "BL7:"\n[geometry]\ncoil_ul = 100.0\n')
    assert (Settings().prefix, Settings().geometry.coil_ul, Settings().geometry.chamber_ul) == ("BL7:", 100.0, 11.5)
    monkeypatch.setenv("MSC_PREFIX", "LAB:")
    monkeypatch.setenv("MSC_GEOMETRY__DEAD_UL", "42")
    assert (Settings().prefix, Settings().geometry.dead_ul) == ("LAB:", 42.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[geometry]\ncoil_ul = -1.0\n", "coil_ul"),
        ("prefixx = 'A:'\n", "prefixx"),
        ("[optics]\npath_length_cm = 'x'\n", "path"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "msc.toml").write_text(text)
    with pytest.raises(ValidationError, match=words):
        Settings()
