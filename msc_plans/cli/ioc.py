"""Serve the simulated reactor over Channel Access until Ctrl-C; the same as python -m ioc_sim."""

from ioc_sim.__main__ import add_arguments
from ioc_sim.__main__ import serve as run

__all__ = ["add_arguments", "run"]
