"""A program driven in a pseudo-terminal, as its user drives it: keys in, bytes or a screen out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

WHERE = b"\x1b[6n"  # "where is the cursor?", which a terminal answers
# As a login does: Ctrl-C is a signal only to those whose terminal it is.
_TAKES_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "charlm", *sys.argv[1:]])
"""


class Driven:
    """A charlm at the other end of a pseudo-terminal.

    Args:
        argv: its command line.
        screen: whether to keep a picture of the terminal, by pyte.
        variables: of its environment.
    """

    def __init__(self, *argv, rows=24, columns=80, screen=False, **variables):
        self.master, slave = os.openpty()
        self._resize(rows, columns)
        self.started = time.perf_counter()
        self.child = subprocess.Popen(
            [sys.executable, "-c", _TAKES_TERMINAL, *argv],
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **variables},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.screen = None
        if screen:
            import pyte

            self.screen = pyte.Screen(columns, rows)
            self._stream = pyte.ByteStream(self.screen)
        self.length = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        os.close(self.master)

    def type(self, text):
        """Send keys, all at once."""
        data = text.encode()
        while data:
            data = data[os.write(self.master, data) :]

    def resize(self, rows, columns):
        """Make the terminal another size."""
        self._resize(rows, columns)
        if self.screen is not None:
            self.screen.resize(rows, columns)

    def _resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.05):
        """Return what comes next, b"" after some time without any."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # it has ended
            return b""
        row, column = 1, 1
        if self.screen is not None:
            self._stream.feed(data)
            row, column = self.screen.cursor.y + 1, self.screen.cursor.x + 1
        if WHERE in data:
            os.write(self.master, f"\x1b[{row};{column}R".encode())
        self.length += len(data)
        return data

    def until(self, pattern, seconds=60):
        """Read on until what came since matches; return it."""
        came, end = b"", time.perf_counter() + seconds
        while not re.search(pattern, came):
            if time.perf_counter() > end:
                raise TimeoutError(f"no {pattern!r} in {came[-500:]!r}")
            came += self.read()
        return came

    def pause(self, seconds):
        """Read what comes for some time."""
        end = time.perf_counter() + seconds
        came = b""
        while (left := end - time.perf_counter()) > 0:
            came += self.read(min(left, 0.05))
        return came

    def leave(self):
        """Press Ctrl-D and wait for the end."""
        self.type("\x04")
        end = time.perf_counter() + 30
        with contextlib.suppress(OSError):
            while self.child.poll() is None and time.perf_counter() < end:
                self.read()
        return self.child.wait(5)

    def resident(self):
        """Return its resident memory in bytes."""
        pages = Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
