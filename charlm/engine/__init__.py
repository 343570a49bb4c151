"""Inference in NumPy, and the textbook equations that the torch modules are tested against."""
