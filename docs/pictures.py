"""The pictures of the pages, drawn anew by each build; seeds are fixed."""

from pathlib import Path

__all__ = ["draw_all", "imports_chart", "spectrum", "two_sizes"]


def draw_all(folder: Path) -> None:
    """Draw those that are not in the folder yet, into it."""
    import matplotlib as mpl
    from tools.flowchart import draw

    mpl.use("Agg")
    draw(imports_chart(), folder / "imports.svg")
    for name, picture in {"spectrum.png": spectrum, "two-sizes.png": two_sizes}.items():
        if not (folder / name).exists():
            picture(folder / name)


def imports_chart():
    """Return who imports whom, from the import graph; an arrow that follows from others is left out."""
    from grimp import build_graph
    from tools.flowchart import Chart

    graph = build_graph("msc_plans", "devices", "ioc_sim", cache_dir=None)
    rooms = {name: name for name in ("devices", "ioc_sim")}
    rooms |= {one: one for one in graph.find_children("msc_plans")}
    for one in list(rooms):
        if not graph.find_children(one) and one not in ("msc_plans.plan_stubs", "msc_plans.protocols"):
            del rooms[one]
    below = {room: {room, *graph.find_descendants(room)} for room in rooms}
    room_of = {module: room for room, modules in below.items() for module in modules}
    imports = {
        (room, room_of[target])
        for room, modules in below.items()
        for module in modules
        for target in graph.find_modules_directly_imported_by(module)
        if room_of.get(target, room) != room
    }
    chart = Chart()
    chart.labels = {room: room.removeprefix("msc_plans.") for room in sorted(rooms)}
    chart.arrows = [(a, b, "", False) for a, b in sorted(imports) if not _longer_way(a, b, imports)]
    return chart


def _longer_way(a: str, b: str, imports: set[tuple[str, str]]) -> bool:
    """Whether b is reached from a through another room, too."""
    seen, left = set(), [target for source, target in imports if source == a and target != b]
    while left:
        one = left.pop()
        if one == b:
            return True
        if one not in seen:
            seen.add(one)
            left += [target for source, target in imports if source == one]
    return False


def spectrum(path: Path) -> None:
    """Draw what the twin's spectrometer gives at 280 °C, 14 s, and what the analysis finds in it; seed 1."""
    from matplotlib.figure import Figure

    from ioc_sim.bench import measure
    from ioc_sim.physics.scenario_file import load_scenario
    from msc_plans.analysis import uvvis
    from msc_plans.views.spectrum import draw_spectrum

    condition = {"nucleation_temperature": 280.0, "growth_temperature": 280.0, "residence_time": 14.0}
    told = measure(load_scenario("palencia2020"), condition, seed=1, exposure=100.0)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(told.wavelength_nm, told.reference, label="reference (solvent)", color="0.6")
    left.plot(told.wavelength_nm, told.counts, label="280 °C, 14 s", color="C0")
    left.plot(told.wavelength_nm, told.dark, label="dark", color="0.2")
    left.set(
        xlabel="wavelength / nm", ylabel="counts", title="what the records serve", xlim=(330, 800), ylim=(0, 2.3e5)
    )
    left.legend(frameon=False, loc="upper right")
    result = uvvis.analyse(told.wavelength_nm, uvvis.absorbance(told.counts, told.dark, told.reference))
    draw_spectrum(right, result, title="what the analysis finds")
    figure.savefig(path, dpi=110)


def two_sizes(path: Path) -> None:
    """Draw the least σ of the share of 0.94 nm spheres beside others, by their radius; noise of 1 and 0.1 %."""
    import numpy as np
    from matplotlib.figure import Figure

    from msc_plans.analysis.saxs.analyse import two_modes

    q = np.linspace(0.1, 5.0, 200)
    radii = np.array([0.98, 1.02, 1.06, 1.1, 1.16, 1.24, 1.34, 1.5, 1.7, 1.9])
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for noise in (0.01, 0.001):
        free = []
        for radius in radii:
            curve = 0.02 + 0.7 * _spheres(q, 0.94) + 0.3 * _spheres(q, radius)
            free.append(two_modes(q, curve, noise * curve, radii_nm=(0.94, float(radius)), fraction=0.7))
        axes.semilogy(radii, [one.fraction_sigma_free for one in free], "o-", label=f"noise {noise:.1%}, radii free")
    held = [one.fraction_sigma_held for one in free]
    axes.semilogy(radii, held, "o--", color="0.6", label=f"noise {noise:.1%}, radii held")
    axes.set(xlabel="radius of the other size / nm", ylabel="σ of the share of 0.94 nm")
    axes.axhline(0.1, color="0.3", lw=0.8)
    axes.text(1.9, 0.13, "refused", ha="right", color="0.3")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def _spheres(q, radius_nm):
    """Return the intensity of spheres with a width of 5 % by volume, in arbitrary units."""
    import numpy as np

    radius = radius_nm * (1 + 0.05 * np.linspace(-4, 4, 161))
    share = np.exp(-0.5 * ((radius / radius_nm - 1) / 0.05) ** 2)
    x = np.outer(q, radius)
    return (radius**3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2) @ share / share.sum()
