"""Command lines on a terminal, run one after the other by one process."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "@@@{}@@@"
_DRIVER = """
import json, sys, os
from charlm.cli.app import _open_streams, run
_open_streams()
for number, argv in enumerate(json.loads(sys.argv[1])):
    print("@@@%d@@@" % number, flush=True)
    status = run(argv)
    sys.stderr.flush()
    print("@@@%d=%d@@@" % (number, status), flush=True)
os._exit(0)
"""


def on_terminal(home, lines, *, columns=80, rows=24, typed=b"", timeout=60, **variables):
    """Return (exit status, all that the terminal got) of each command line, as text."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    home_of = {"PYTHONPATH": str(ROOT), "CHARLM_HOME": str(home), "TERM": "xterm-256color"}
    child = subprocess.Popen(
        [sys.executable, "-c", _DRIVER, json.dumps(lines)],
        cwd=home,
        env={**kept, **home_of, "LC_ALL": "C.UTF-8", **variables},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        os.write(master, typed)
        text = _read_all(master, timeout).decode("utf-8", "surrogateescape")
    finally:
        child.kill()
        child.wait()
        os.close(master)
    pattern = r"@@@(\d+)@@@\r\n(.*?)@@@\1=(\d+)@@@"
    found = {int(n): (int(s), part) for n, part, s in re.findall(pattern, text, re.DOTALL)}
    assert sorted(found) == list(range(len(lines))), text[-2000:]
    return [found[number] for number in range(len(lines))]


def _read_all(master, timeout):
    data, until = b"", time.monotonic() + timeout
    while time.monotonic() < until:
        if not select.select([master], [], [], 1.0)[0]:
            continue
        with contextlib.suppress(OSError):  # EIO: the last one who had it open has gone
            block = os.read(master, 1 << 16)
            if block:
                data += block
                continue
        return data
    raise AssertionError(f"no end within {timeout} s: {data[-1000:]!r}")
