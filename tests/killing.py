"""A `charlm train` in a process of its own, which kills itself at a save of its state."""

import os
import subprocess
import sys
from pathlib import Path

# Each save counts, and the one of the given number is the last thing that the process does: it
# dies before it, inside (at the rename that commits it), or after it. 0 trains to the end.
CODE = """
import importlib, os, signal, sys
from charlm.cli.app import run
from charlm.store import resume
task = importlib.import_module(sys.argv[1])
task.SAVE_SECONDS = 0.0
left, when = int(sys.argv[2]), sys.argv[3]
def die():
    os.kill(os.getpid(), signal.SIGKILL)
save, write = task.save_resume, resume.write_atomic
def saved(*args):
    global left
    left -= 1
    if left == 0 and when == "before":
        die()
    save(*args)
    if left == 0 and when == "after":
        die()
def written(path, data):
    if left == 0 and when == "inside" and path.suffix == ".json":
        die()
    return write(path, data)
task.save_resume, resume.write_atomic = saved, written
sys.exit(run(["train", *sys.argv[4:]]))
"""


def train_until(home, task, saves, when, *argv):
    """Train until a save; return the exit status, negative for a signal, and stderr.

    Args:
        home: the current folder and CHARLM_HOME.
        task: the module whose `save_resume` counts.
        saves: the number of the save, 0 for none.
        when: `before`, `inside` or `after` it.
        argv: of `charlm train`.
    """
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", CODE, task, str(saves), when, *map(str, argv)],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**os.environ, "PYTHONPATH": root, "CHARLM_HOME": str(home)},
    )
    return done.returncode, done.stderr
