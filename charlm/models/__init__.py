"""Torch modules: ids and tensors in and out, never strings."""

import os

# Between two products PyTorch's threads spin, by default for milliseconds: that starves our own
# threads and every other program. Asleep at once they cost tens of microseconds a product to wake.
# So they spin for as long as the next product of an update may take to come. Read by OpenMP (GNU's;
# others know the second name) when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1500")
os.environ.setdefault("KMP_BLOCKTIME", "0")
