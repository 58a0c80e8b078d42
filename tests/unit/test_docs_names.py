"""Files and tests that the documentation names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# decision records tell of their day
PAGES = [
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if not {"decisions", "_generated"} & set(path.parts)),
    ROOT / "README.md", ROOT / "SECURITY.md",
]  # fmt: skip
SOURCES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("msc_plans", "devices", "ioc_sim", "tests", "benchmarks", "docs")
    for path in (ROOT / folder).rglob("*.py")
]
TESTS = {
    name for path in SOURCES if "test_" in path for name in re.findall(r"def (test_\w+)", (ROOT / path).read_text())
}
# files that a how-to lets the reader write
MADE = {"own.py", "00_session.py"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_and_test_that_is_named_exists(page):
    text = page.read_text()
    code = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    paths = [path for words in code for path in re.findall(r"[\w/]+\.py\b", words) if path not in MADE]
    assert [path for path in paths if not any(f"/{source}".endswith(f"/{path}") for source in SOURCES)] == []
    # a name may be cut short by "…"
    names = [found for words in code for found in re.findall(r"::(test_\w+)(…?)", words)]
    assert [
        name for name, cut in names if name not in TESTS and not (cut and any(one.startswith(name) for one in TESTS))
    ] == []
