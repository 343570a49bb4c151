"""Model folders on disk: found by name, saved atomically, checked before use, locked."""
