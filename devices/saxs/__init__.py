"""The SAXS detector and the sample cell."""
