"""Sphinx: ``make docs``. Everything that the code says itself is written into ``_generated`` first."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "msc-plans"
author = "The msc-plans developers"
release = version = version_of("msc-plans")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_generated/*.md", "tools"]
# napoleon refers to the words of types, such as shape, and finds several attributes of that name
suppress_warnings = ["ref.python"]
html_theme = "furo"
html_title = f"msc-plans {release}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}
pygments_style = "tango"
myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
# console blocks show commands with their output, which Pygments takes for shell
highlight_options = {"console": {"stripnl": False}}


class Mermaid(Directive):
    """A flowchart, drawn by tools/flowchart.py."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the drawing and return its image."""
        from hashlib import sha256

        from tools.flowchart import draw, parse

        text = "\n".join(self.content)
        name = f"flowchart-{sha256(text.encode()).hexdigest()[:10]}.svg"
        draw(parse(text), HERE / "_generated" / name)
        return [nodes.image(uri=f"/_generated/{name}", alt="flowchart")]


def generate(app: object) -> None:
    """Write what the code says itself."""
    from pictures import draw_all
    from tools import reference

    folder = HERE / "_generated"
    (folder / "api").mkdir(parents=True, exist_ok=True)
    pages = {
        "commands.md": reference.commands(),
        "settings.md": reference.settings(),
        "records.md": reference.records(),
        "patches.md": reference.patches(),
        "decisions.md": reference.decisions(HERE / "decisions"),
        **{f"api/{name}.md": text for name, text in reference.api_pages().items()},
    }
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    draw_all(folder)


def keep_layout(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Show the twin's modules as they are written: their equations stand in columns."""
    if what == "module" and name.startswith("ioc_sim.physics."):
        lines[:] = ["::", "", *(f"   {line}" for line in lines)]


def setup(app: object) -> None:
    """Join the above to Sphinx."""
    app.connect("autodoc-process-docstring", keep_layout)  # type: ignore[attr-defined]
    app.add_directive("mermaid", Mermaid)  # type: ignore[attr-defined]
    app.connect("builder-inited", generate)  # type: ignore[attr-defined]
