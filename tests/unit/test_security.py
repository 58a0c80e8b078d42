"""What no source of this project does: load objects, evaluate text, call a shell."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("msc_plans", "devices", "ioc_sim", "profile_collection", "benchmarks", "tests")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "telnetlib"}
CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "yaml.load", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "torch.load", "tempfile.mktemp",
}  # fmt: skip
WITHOUT_PICKLE = {"np.load", "numpy.load"}


def findings(source):
    """Return the lines of what must not be, and what it is."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [(node.lineno, name) for name in names if name.split(".")[0] in MODULES]
        if not isinstance(node, ast.Call):
            continue
        name, told = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in CALLS:
            found.append((node.lineno, name))
        if told.get("shell", "False") != "False" or told.get("allow_pickle", "False") != "False":
            found.append((node.lineno, f"{name}({told})"))
        if name in WITHOUT_PICKLE and told.get("allow_pickle") != "False":
            found.append((node.lineno, f"{name} without allow_pickle=False"))
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "eval('1')", "exec(x)", "yaml.load(f)", "os.system('ls')",
        "subprocess.run('ls', shell=True)", "np.load(f)", "np.load(f, allow_pickle=True)", "h.load(f, allow_pickle=x)",
    ],
)  # fmt: skip
def test_what_must_not_be_is_found(source):
    assert findings(source)


@pytest.mark.parametrize(
    "source", ["yaml.safe_load(f)", "np.load(f, allow_pickle=False)", "re.compile(x)", "run(['a'])"]
)
def test_what_may_be_is_not(source):
    assert not findings(source)


def test_no_source_loads_objects_evaluates_text_or_calls_a_shell():
    assert len(SOURCES) > 200
    found = {}
    for path in SOURCES:
        lines = findings(path.read_text())
        if lines:
            found[str(path.relative_to(ROOT))] = lines
    assert found == {}


def test_an_error_does_not_repeat_a_key(capsys, monkeypatch, tmp_path):
    from msc_plans.cli import main

    monkeypatch.chdir(tmp_path)
    secret = "5ec4e7" * 8
    assert main(["suggest", f"http://127.0.0.1:9?api_key={secret}"]) == 2
    monkeypatch.setenv("MSC_TILED_URI", f"http://127.0.0.1:9/api/v1?api_key={secret}")
    assert main(["plan", "check", "standby"]) == 2
    said = capsys.readouterr()
    assert "api_key=…" in said.err
    assert "leave the key out of it, and give it as TILED_API_KEY" in said.err
    assert secret not in said.err + said.out
