"""Curves of others: a real one with one broad peak, and sphere curves without any; not collected where they aren't."""

from pathlib import Path

import pytest

from msc_plans.analysis.lamellae.analyse import analyse
from msc_plans.files import read_curves

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "saxs"

if DATA.is_dir():

    def _found(name):
        (curve,) = read_curves(DATA / name)
        return analyse(curve.q_inv_nm, curve.intensity, curve.sigma)

    def test_one_broad_lamellar_peak_has_no_second_order():
        result = _found("ISIS_83404.TXT")
        assert result.structure == "single peak"
        assert 0.3 < result.peaks[0].q_inv_nm < 0.5

    @pytest.mark.parametrize("name", ["sphere_80.txt", "PolySpheres.txt", "quickstartdemo1.csv"])
    def test_spheres_have_no_bragg_peaks(name):
        assert _found(name).peaks == ()
