"""Measures with intervals, peers measured beside us."""
