"""The code blocks of the pages in docs, and what is said of them beside them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_generated" not in path.parts)

_BLOCK = re.compile(r"^(?:<!-- (\w+) -->\n)?```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block; `needs` is the word in the comment before it: reactor, store, notebook, runs or shown."""

    page: Path
    language: str
    text: str
    needs: str

    @property
    def name(self):
        return str(self.page.relative_to(DOCS))


def blocks(*languages, needs=None):
    """Return the blocks of some languages, page by page."""
    found = [
        Block(page, language, text, comment)
        for page in PAGES
        for comment, language, text in _BLOCK.findall(page.read_text())
        if language in languages
    ]
    return [one for one in found if needs is None or one.needs == needs]


def commands(text):
    """Return (command, output) of a console block, whose commands begin with ``$``."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def loosely(expected, shown):
    """Whether each line that is expected is shown in this order, whatever its numbers; ``...`` skips lines."""
    lines = iter(shown.splitlines())
    wanted = [line for line in expected if line.strip() not in ("...", "…", "")]
    return [line for line in wanted if not any(_plain(line) == _plain(one) for one in lines)]


def _plain(line):
    return re.sub(r"\s+", " ", re.sub(r"[\d.:,-]+", "#", line)).strip()
