"""The keyboard while the model writes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden_keys() -> Iterator[None]:
    """Keep what is typed ahead out of the text on the screen; the next prompt gets every key.

    Without ICANON, keys reach the prompt as they were typed: the terminal's own line editing
    would take Ctrl-D and Backspace for itself. Ctrl-C stays a signal.
    """
    import termios

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0

    def hide(*_: object) -> None:
        # In the background nobody types for us, and setting the terminal would stop us.
        if os.tcgetpgrp(descriptor) == os.getpgrp():
            termios.tcsetattr(descriptor, termios.TCSANOW, quiet)

    hide()
    continued = signal.signal(signal.SIGCONT, hide)  # the shell had it meanwhile
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, continued)
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
