"""What all devices share: moves, signals, the connection to records."""
