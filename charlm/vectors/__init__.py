"""Word vectors: training on the CPU and on a GPU, spaces to query, foreign formats, analyses."""
