"""Analyse stored runs again, on several processes or a cluster."""
