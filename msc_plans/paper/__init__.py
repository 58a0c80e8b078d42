"""The paper again: its experiments, records, claims and report."""
