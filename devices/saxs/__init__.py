"""The SAXS detector and the cell in its beam."""
