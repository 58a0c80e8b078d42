"""The picture that ``msc analyze --plot`` makes of a file."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from msc_plans.views.lamellae import draw_lamellae
from msc_plans.views.scattering import draw_curve, draw_sizes
from msc_plans.views.spectrum import draw_spectrum

__all__ = ["draw_file"]

_DRAWN: dict[str, tuple[Callable[..., None], ...]] = {
    "uvvis": (draw_spectrum,),
    "saxs": (draw_curve, draw_sizes),
    "lamellae": (draw_lamellae,),
}
_COLUMNS = 3
_PANEL_INCHES = (6.0, 4.2)
_DPI = 110
_MOST_PIXELS = 30_000


def draw_file(analysis: str, findings: Sequence[Any], folder: Path | None, taken: dict[Path, Path]) -> Path:
    """Draw the findings of one file in one picture, ``FILE.ANALYSIS.png`` beside the file or in a folder.

    Parameters
    ----------
    analysis : str
        ``"uvvis"``, ``"saxs"`` or ``"lamellae"``.
    findings : sequence of Finding
        Of one file, each with its result.
    folder : Path or None
        Where the picture goes; None for beside the file.
    taken : dict
        Pictures of this call and the files they are of; the new one is added.

    Raises
    ------
    OSError
        The picture can't be written.
    """
    draws = _DRAWN[analysis]
    across = len(draws) if len(draws) > 1 else min(len(findings), _COLUMNS)
    down = math.ceil(len(findings) * len(draws) / across)
    figure = Figure(figsize=(_PANEL_INCHES[0] * across, _PANEL_INCHES[1] * down), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    file = Path(findings[0].file)
    places = iter(panels)
    for finding in findings:
        for draw in draws:
            name = file.name if finding.column is None else str(finding.column)
            # no mathematics in a name with two dollar signs
            draw(next(places), finding.result, title=name.replace("$", r"\$"))
    for left in places:
        left.set_axis_off()
    if len(findings) > 1:
        figure.suptitle(file.name.replace("$", r"\$"))
    path = _free((folder or file.parent) / f"{file.name}.{analysis}.png", file, taken)
    path.parent.mkdir(parents=True, exist_ok=True)
    dpi = min(_DPI, _MOST_PIXELS / (_PANEL_INCHES[1] * down))
    figure.savefig(path, dpi=dpi)
    return path


def _free(path: Path, file: Path, taken: dict[Path, Path]) -> Path:
    """Return a name that no other file of this call has: two folders may hold files of one name."""
    stem, number = path, 2
    while taken.setdefault(path, file) != file:
        path = stem.with_suffix(f".{number}.png")
        number += 1
    return path
