"""The pages in docs do what they say: blocks run, commands exist, links lead somewhere, tables are true."""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys

import pytest

from msc_plans.cli import COMMANDS, build_parser, main
from tests.system.documentation import DOCS, PAGES, ROOT, blocks, commands, loosely

MSC = [sys.executable, "-c", "import sys; from msc_plans.cli import main; sys.exit(main())"]
PLAIN = {page: [one.text for one in blocks("python", needs="") if one.page == page] for page in PAGES}
PLAIN = {page: texts for page, texts in PLAIN.items() if texts}
# what takes many seconds to compute
LONG = ("advisor.md", "explanation/saxs-limits.md", "explanation/twin-and-model.md")


def run(command, folder, **kwargs):
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"} | kwargs,
    )  # fmt: skip


def page_parameters():
    for page in PLAIN:
        name = str(page.relative_to(DOCS))
        yield pytest.param(page, id=name, marks=pytest.mark.long if name in LONG else ())


@pytest.mark.parametrize("page", list(page_parameters()))
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    """In this process: a new one would spend its time on imports."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / f"{page.stem}.py"
    script.write_text("\n".join(PLAIN[page]))
    runpy.run_path(str(script), run_name="__main__")
    shown = capsys.readouterr().out
    assert shown.strip()
    if page.name == "family.md":
        assert shown.strip() == "['CdS-350']"
    if page.name == "saxs-limits.md":
        assert shown.startswith("False\n0.94 and 1.02 nm: ")


def test_plans_md_names_only_plans_that_are_there():
    from msc_plans import plans

    (day,) = [one.text for one in blocks("python") if one.name == "plans.md"]
    assert [name for name in re.findall(r"^RE\((\w+)\(", day, re.MULTILINE) if name not in plans.__all__] == []


def console_parameters():
    for one in blocks("console"):
        line = one.text.partition("\n")[0]
        # the doctor looks for a reactor that is not there
        yield pytest.param(one, id=f"{one.name}: {line}", marks=pytest.mark.long if "doctor" in line else ())


@pytest.mark.parametrize("block", list(console_parameters()))
def test_console_blocks_print_what_is_shown(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for line, expected in commands(block.text):
        assert line.startswith("msc "), "only this program's commands can be run everywhere"
        words = shlex.split(line)[1:]
        if "doctor" in words:  # not in a process that has spoken Channel Access
            shown = run([*MSC, *words], tmp_path).stdout
        else:
            assert main(words) == 0
            shown = capsys.readouterr().out
        assert loosely(expected, shown) == [], shown


def test_every_command_in_the_pages_is_understood(capsys):
    parser = build_parser()
    lines = [line for one in blocks("sh", "console") for line in one.text.splitlines()]
    said = [line.removeprefix("$ ").partition("#")[0].split(">")[0] for line in lines]
    ours = [shlex.split(line)[1:] for line in said if line.startswith("msc ")]
    assert len(ours) > 20
    assert {words[0] for words in ours} <= set(COMMANDS)
    for words in ours:
        try:
            parser.parse_args(words)
        except SystemExit:
            pytest.fail(f"msc {' '.join(words)}: {capsys.readouterr().err}")


def test_no_line_of_the_new_pages_is_wider_than_the_page():
    """As built, at 1280 pixels; the pages that README links to are read as text, too."""
    ours = [one for one in blocks("python", "console", "sh", "toml") if "/" in one.name or one.name == "tutorial.md"]
    assert [line for one in ours for line in one.text.splitlines() if len(line) > 96] == []


def test_toml_blocks_can_be_read():
    import tomllib

    for one in blocks("toml"):
        tomllib.loads(one.text)


def test_the_msc_toml_of_the_beamline_page_is_understood(tmp_path, monkeypatch):
    from msc_plans.settings import Settings

    (text,) = [one.text for one in blocks("toml") if one.name == "howto/beamline.md"]
    (tmp_path / "msc.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert Settings().prefix == "BL07:FLOW:"
    assert set(re.findall(r"^\| `(\w+:)`", (DOCS / "howto/beamline.md").read_text(), re.MULTILINE)) <= {
        "Spec:", "Reactor:", "Saxs:", "Sim:",
    }  # fmt: skip


def test_json_lines_of_the_advisor_page_are_json():
    for one in blocks("json"):
        for line in one.text.splitlines():
            json.loads(line)


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http:", "https:")) and "_generated" not in target:
                broken += [] if (page.parent / target).exists() else [f"{page.name}: {target}"]
    assert broken == []


def test_every_setting_is_in_the_table_with_unit_or_meaning(docs_tools):
    text = docs_tools.settings()
    rows = [line for line in text.splitlines() if line.startswith("| `") and "MSC_" in line]
    assert len(rows) > 40
    bare = [row for row in rows if row.rstrip(" |").endswith(("`", "–"))]
    assert bare == []
    assert "| `geometry.coil_ul` | `MSC_GEOMETRY__COIL_UL` | `240` | µL, above 0 |" in text
    assert "`optics.cd_concentration_mol_l` | `MSC_OPTICS__CD_CONCENTRATION_MOL_L` | `0.02` | mol/L" in text


def test_every_record_a_device_asks_for_is_in_the_tables(docs_tools):
    from devices import FlowReactor, SaxsDetector, Spectrometer
    from devices.core.record_names import record_names

    listed, below = set(), ""
    for line in docs_tools.records("X:").splitlines():
        below = line.split("`")[1] if line.startswith("## ") else below
        if line.startswith("| `"):
            listed |= {below + name for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    asked = (
        record_names(FlowReactor, "X:") + record_names(Spectrometer, "X:Spec:") + record_names(SaxsDetector, "X:Saxs:")
    )
    same = {
        name.replace(":Se:", ":Cd:").replace(":Solvent:", ":Cd:").replace(":Growth:", ":Nucleation:") for name in asked
    }
    assert sorted(same - listed) == []


def test_every_decision_is_listed(docs_tools):
    listed = docs_tools.decisions(DOCS / "decisions")
    files = list((DOCS / "decisions").glob("20*.md"))
    assert listed.count("* 20") == len(files)
    assert all(path.name in listed for path in files)


@pytest.mark.parametrize(
    "text",
    ["flowchart LR\n a --> b\n b --> a", "flowchart LR\n a ==> b", "graph TD\n a --> b", "flowchart TB\n a -->"],
)
def test_a_flowchart_that_can_not_be_drawn_is_refused(text, tmp_path, docs_tools):
    from tools.flowchart import draw, parse

    with pytest.raises(ValueError):  # noqa: PT011  each its own words
        draw(parse(text), tmp_path / "x.svg")


def test_flowcharts_are_drawn_with_all_their_nodes(tmp_path, docs_tools):
    from tools.flowchart import draw, parse

    charts = [parse(one.text) for one in blocks("mermaid")]
    assert len(charts) >= 4
    for chart in charts:
        draw(chart, tmp_path / "x.svg")
        svg = (tmp_path / "x.svg").read_text()
        assert svg.count("<rect") == len(chart.labels)
        assert svg.count("marker-end") == len(chart.arrows)


@pytest.fixture(scope="module")
def docs_tools():
    sys.path.insert(0, str(DOCS))
    try:
        from tools import reference

        yield reference
    finally:
        sys.path.remove(str(DOCS))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_pages_are_built_without_a_warning_or_the_network(tmp_path):
    done = run([sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), "html"], tmp_path)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "html").rglob("*.html"))
    assert len(pages) > 30
    remote = re.compile(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]+"|@import[^;]*//')
    assets = pages + list((tmp_path / "html" / "_static").rglob("*.css"))
    found = {path.name: remote.findall(path.read_text()) for path in assets}
    assert {name: links for name, links in found.items() if links} == {}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_reactor_blocks_run_in_one_session(tmp_path):
    """The blocks that need a reactor, page after page, in one session as a newcomer opens it."""
    needing = blocks("python", needs="reactor")
    assert {one.name for one in needing} == {"tutorial.md", "howto/recover.md"}
    # the page that leaves the reactor is last
    text = "\n".join(one.text for one in sorted(needing, key=lambda one: one.name == "tutorial.md"))
    script = text + "\n" + CAMPAIGN + "\nexit\n"
    session = [*MSC, "session", "--simulate", "--time-scale", "50"]
    done = subprocess.run(
        session, cwd=tmp_path, input=script, text=True, capture_output=True, timeout=800, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"},
    )  # fmt: skip
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "Traceback" not in shown, shown
    assert "Error" not in shown, shown
    assert re.search(r"CdSe-437 0\.\d{3} ± 0\.\d{3}", shown), shown
    assert re.search(r"nanocrystals at 5\d\d nm", shown)
    assert "uvvis 0." in shown
    (stored,) = [one.text for one in blocks("python", needs="store")]
    after = run([sys.executable, "-c", stored + CHECK], tmp_path)
    assert after.returncode == 0, after.stdout + after.stderr
    kinds = json.loads(after.stdout.splitlines()[-1])
    assert re.match(r"\d+ runs", after.stdout)
    _compare_documents(kinds)


CAMPAIGN = "RE(msc_campaign(reactor, spectrometer, max_conditions=1, particles=50))"
CHECK = """
import json
catalog = open_catalog("msc-data")
kinds = {}
for run in catalog.values():
    start = run.metadata["start"]
    purpose = start["purpose"]
    kind = purpose if purpose in ("analysis", "suggestion") else "raw"
    keys = {"start": sorted(start)}
    for stream in run:
        keys[stream] = sorted(run[stream].read().variables)
    kinds[kind] = keys
close_catalog(catalog)
print(json.dumps(kinds))
"""


def _compare_documents(kinds):
    """Compare the tables of the page with what a real campaign has written."""
    page = (DOCS / "reference/documents.md").read_text()
    sections = {"raw": "## Raw", "analysis": "## Analysis", "suggestion": "## Suggestion"}
    optional = {"background_uid", "calibration_uids", "reprocess_uid"}
    of_bluesky = {"uid", "time", "scan_id", "plan_type", "plan_args", "versions"}
    for kind, title in sections.items():
        text = page[page.index(title) :].partition("\n## ")[0]
        table = text[text.index("| start document") :].partition("\n\n")[0]
        told = set(re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:])))
        real = set(kinds[kind]["start"])
        assert told - real <= optional, kind
        assert real - told <= of_bluesky, kind
    raw = kinds["raw"]
    assert {"baseline", "dark_reference", "primary"} <= set(raw)
    for key in re.findall(r"^\| `((?:spectrometer|reactor)_\w+)`", page, re.MULTILINE):
        assert key in raw["primary"], key
    for key in ("goal", "reason", "runner_up", "probability", "height_low", "cost_seconds", "cost_ul"):
        assert key in kinds["suggestion"]["primary"], key
    for key in ("CdSe-437_height", "CdSe-437_height_sigma", "CdSe-437_ratio", "nc_wavelength_nm", "nc_height"):
        assert key in kinds["analysis"]["primary"], key
