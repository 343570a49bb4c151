"""Word vectors whose training is killed go on to the same vectors, to the last bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from charlm.store.checkpoint import load_model, load_resume
from charlm.vectors.folder import restore_vectors

from .conftest import two_topics

CODE = """
import os, signal, sys
from charlm.cli.app import run
from charlm.tasks import train_vectors as task
from charlm.vectors.training import Trainer
task.SAVE_SECONDS = 0.0
left, note = [int(sys.argv[1])], Trainer._note
def noted(*args):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return note(*args)
Trainer._note = noted
sys.exit(run(["train", "vectors", "-q", *sys.argv[2:]]))
"""


def begin(home, pieces, *argv):
    """Train until so many pieces are over; 0 for to the end. Return the status and stderr."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(pieces), *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**os.environ, "PYTHONPATH": root, "CHARLM_HOME": str(home)},
    )
    return done.returncode, done.stderr


def test_killed_again_and_again_it_goes_on_to_the_same_vectors(home):
    (home / "t.txt").write_text(two_topics(6_000))
    settings = ("t.txt", "--epochs", "3", "--dim", "8", "--threads", "1")
    assert begin(home, 0, *settings, "-o", "whole") == (0, "")
    assert begin(home, 5, *settings, "-o", "part")[0] == -signal.SIGKILL
    begun = load_resume(home / "checkpoints" / "part")
    assert begun is not None
    assert begun.tensors["done"][0] == 4
    assert begin(home, 7, "--resume", "-o", "part")[0] == -signal.SIGKILL
    assert begin(home, 0, "--resume", "-o", "part") == (0, "")
    whole, part = (load_model(home / "checkpoints" / name) for name in ("whole", "part"))
    spaces = [restore_vectors(one)[1] for one in (whole, part)]
    np.testing.assert_array_equal(spaces[0].matrix, spaces[1].matrix)
    assert whole.training["epoch_losses"] == part.training["epoch_losses"]
    assert whole.training["words"] == part.training["words"]
