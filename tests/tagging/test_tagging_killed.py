"""A tagger whose training is killed goes on to the very same tagger."""

import signal

import numpy as np

from charlm.store.checkpoint import load_model, load_resume, read_metrics
from charlm.store.folder import check_folder
from tests.killing import train_until

from .conftest import SMALL

TASK = "charlm.tasks.train_tagger_run"


def test_killed_at_saves_it_goes_on_to_the_same_tagger(home, train):
    argv = ("train.tsv", "--valid", "train.tsv", "--crf", "--epochs", 2)
    assert train(*argv, "-o", "whole")[0] == 0
    folder = home / "checkpoints" / "part"
    begun = ("tagger", argv[0], *SMALL, *argv[1:], "-o", "part")
    assert train_until(home, TASK, 3, "after", *begun)[0] == -signal.SIGKILL
    first = load_resume(folder).step
    again = ("tagger", "-q", "--resume", "-o", "part")
    assert train_until(home, TASK, 5, "inside", *again) == (-signal.SIGKILL, "")
    assert check_folder(folder) == []
    assert first < load_resume(folder).step < 18
    assert train_until(home, TASK, 0, "", *again) == (0, "")
    whole, part = (
        load_model(home / "checkpoints" / name, verify=True) for name in ("whole", "part")
    )
    ours, theirs = whole.tensors(), part.tensors()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    for key in ("steps", "epochs", "valid", "finished"):
        assert whole.training[key] == part.training[key]
    looks = [
        [one for one in read_metrics(home / "checkpoints" / name) if one["kind"] == "valid"]
        for name in ("whole", "part")
    ]
    assert looks[0] == looks[1]
