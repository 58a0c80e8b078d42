"""Patches of Tiled and FastAPI; each names the fault it mends upstream."""
