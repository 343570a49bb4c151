"""The keyboard while the model writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from charlm.render.console import is_terminal


@contextmanager
def hidden_keys() -> Iterator[None]:
    """Keep what is typed ahead out of the text on the screen; the next prompt gets it."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        yield
        return
    import termios

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = [*before]
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
