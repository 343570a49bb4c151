"""Torch modules: ids and tensors in and out, never strings."""

import os

# Between two products PyTorch's threads spin, by default for long enough to starve everything
# else: beside one other busy program training then runs at a tenth of its speed. Asleep at once,
# they lose a few microseconds a product. Read by OpenMP when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
