"""``cam1:`` and ``HDF1:`` of areaDetector, and the files they write."""
