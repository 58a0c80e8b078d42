"""Spectra and scattering curves from files: text tables in their many dialects, HDF5 and NeXus."""

from msc_plans.files.curves import Curve, read_curves
from msc_plans.files.errors import ReadError
from msc_plans.files.spectra import Spectrum, read_spectra

__all__ = ["Curve", "ReadError", "Spectrum", "read_curves", "read_spectra"]
