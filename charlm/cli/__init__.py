"""argv in, exit status out."""
