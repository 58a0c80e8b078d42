"""Code shared by all devices: moves, signals, connecting to records."""
