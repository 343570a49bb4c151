"""Counts and floats to the numbers that people report."""
