"""What can be told of a GPU at little cost: whether PyTorch and compilers serve it here."""

from __future__ import annotations

import functools
import os
import shutil
import sysconfig
from pathlib import Path
from typing import Any

_COMPILERS = ("gcc", "clang")


def computes(torch: Any) -> bool:
    """Return whether PyTorch's first GPU does what it is asked for.

    One may be there that PyTorch sees and has no code for, an older one as a rule.

    Args:
        torch: the module, so that nobody imports it for this.
    """
    if not torch.cuda.is_available():
        return False
    try:
        return bool((torch.ones(1, device="cuda") + 1.0).item() == 2.0)
    except RuntimeError:
        return False


@functools.cache
def compiles() -> bool:
    """Return whether there is what Triton makes its kernels with: a C compiler, Python's headers.

    It would try without, and let the compiler complain on stderr.
    """
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    compiler = os.environ.get("CC") or next(filter(shutil.which, _COMPILERS), None)
    return headers.exists() and compiler is not None
