"""Torch modules: ids and tensors in and out, never strings."""
