"""n-gram models: counted, smoothed, looked up in sorted arrays that may be memory-mapped."""
