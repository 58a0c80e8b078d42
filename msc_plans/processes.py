"""Child processes: start one, wait until it is ready, end it with its parent."""
