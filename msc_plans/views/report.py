"""A report as one HTML file that needs nothing beside it: pictures are inside."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["HtmlReport"]

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { line-height: 1.2 } h2 { margin-top: 2.5rem }
.wide { overflow-x: auto; margin: 1rem 0 } td:first-child { white-space: nowrap }
table { border-collapse: collapse; width: 100%; font-size: 0.92em }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.6rem; border-bottom: 1px solid #8886 }
img { max-width: 100%; background: white; border-radius: 4px }
figure { margin: 1.2rem 0 } figcaption, .note { color: #777; font-size: 0.92em }
.shown { color: #1a7f37; font-weight: 600 } .not-shown { color: #c0392b; font-weight: 600 }
.not-resolvable { color: #b26a00; font-weight: 600 } .not-carried, .not-measured { color: #6a6a6a; font-weight: 600 }
code { font-size: 0.85em } details summary { cursor: pointer }
"""


class HtmlReport:
    """Put a report together, part by part, and write it.

    Parameters
    ----------
    title : str
        Of the page.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, words: str, kind: str = "") -> None:
        """Add a paragraph; ``note`` is set in grey."""
        self._parts.append(f'<p class="{kind}">{html.escape(words)}</p>' if kind else f"<p>{html.escape(words)}</p>")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str | Sequence[str]]], marked: int = -1) -> None:
        """Add a table.

        Parameters
        ----------
        columns : sequence of str
            Headings.
        rows : iterable of sequences
            Of words; a sequence of words in place of them is set one a line, behind the first if there are many.
        marked : int
            Number of the column that is coloured by what it says.
        """
        self._parts.append('<div class="wide"><table><tr>')
        self._parts += [f"<th>{html.escape(one)}</th>" for one in columns]
        self._parts.append("</tr>")
        for row in rows:
            cells = []
            for number, cell in enumerate(row):
                kind = ""
                if number == marked:
                    first = cell if isinstance(cell, str) else cell[0]
                    kind = f' class="{first.split(" by ")[0].replace(" ", "-")}"'
                cells.append(f"<td{kind}>{_cell(cell)}</td>")
            self._parts.append(f"<tr>{''.join(cells)}</tr>")
        self._parts.append("</table></div>")

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a picture."""
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110)
        data = base64.b64encode(file.getvalue()).decode()
        words = html.escape(caption)
        self._parts.append(
            f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'
        )

    def write(self, path: Path) -> None:
        """Write the file; it appears whole or not at all.

        Raises
        ------
        OSError
            It can't be written.
        """
        page = (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self._title)}</title><style>{_STYLE}</style></head>\n<body>\n"
            + "\n".join(self._parts)
            + "\n</body></html>\n"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.part")
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(path)


def _cell(cell: str | Sequence[str]) -> str:
    if isinstance(cell, str):
        return html.escape(cell)
    lines = [html.escape(one) for one in cell]
    if len(lines) <= 3:
        return "<br>".join(lines)
    rest = "<br>".join(lines[2:])
    return f"{'<br>'.join(lines[:2])}<details><summary>{len(lines) - 2} more</summary>{rest}</details>"
