"""`python -m charlm` and the console script `charlm`."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and leave with its exit status."""
    from charlm.cli.app import main as run_and_leave

    run_and_leave(sys.argv[1:])


if __name__ == "__main__":
    main()
