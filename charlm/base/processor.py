"""What this processor can do that NumPy's OpenBLAS does not see by itself.

OpenBLAS chooses its kernels by the processor's name. One that is newer than the library gets those
of 2013, of half the vector width, though it has all that the wider ones need: matrix products then
take up to twice as long. AMD's family 26 (Zen 5) is such a one for the OpenBLAS of NumPy's wheels.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
WIDE_KERNELS = "SKYLAKEX"
# What those kernels are compiled for.
_NEEDED = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "fma", "avx2"})
_FIRST_UNKNOWN_FAMILY = 26
_CPUINFO = Path("/proc/cpuinfo")
_ENOUGH = 1 << 13  # bytes: the first processor's entry


def prefer_wide_products(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenBLAS use kernels that fit this processor, where it would not find them.

    It must be said before NumPy is imported; afterwards, on other systems, and for who has set
    `OPENBLAS_CORETYPE`, nothing happens. It is for programs that multiply matrices: the product of
    a matrix with a single vector waits for memory, and gains nothing.
    """
    if "numpy" in sys.modules or VARIABLE in environ or not sys.platform.startswith("linux"):
        return
    try:
        with _CPUINFO.open("rb") as file:
            described = file.read(_ENOUGH).decode("ascii", "replace")
    except OSError:
        return
    if is_underrated(parse_cpuinfo(described)):
        environ[VARIABLE] = WIDE_KERNELS


def parse_cpuinfo(text: str) -> dict[str, str]:
    """Return what /proc/cpuinfo says of the first processor.

    Example:
        >>> parse_cpuinfo("cpu family\\t: 26\\nflags\\t\\t: fpu fma\\n\\ncpu family\\t: 6\\n")
        {'cpu family': '26', 'flags': 'fpu fma'}
    """
    first = text.partition("\n\n")[0]
    parts = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, colon, value in parts if colon}


def is_underrated(processor: Mapping[str, str]) -> bool:
    """Return whether a processor has wide vectors, and a name that OpenBLAS does not know.

    Example:
        >>> is_underrated({"vendor_id": "GenuineIntel", "cpu family": "6", "flags": "avx512f"})
        False
    """
    family = processor.get("cpu family", "")
    return (
        processor.get("vendor_id") == "AuthenticAMD"
        and family.isdecimal()
        and int(family) >= _FIRST_UNKNOWN_FAMILY
        and set(processor.get("flags", "").split()) >= _NEEDED
    )
