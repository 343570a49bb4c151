"""One training by several processes: the result of one, and an end when one of them is gone."""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm.base.errors import ConfigError, TaskError
from charlm.base.processes import Place, find_place
from charlm.store.checkpoint import load_model, read_metrics
from charlm.tasks import train_group

ROOT = Path(__file__).parents[2]
TEXT = "the quick brown fox jumps over the lazy dog\nand the dog is not amused\n" * 40
SETTINGS = shlex.split(
    "--max-steps 40 --precision float32 --hidden-size 12 --embedding-dim 8 --num-layers 2 --skip "
    "--batch-size 5 --bptt 8 --threads 1 --dropout 0.2 --input-dropout 0.1 --layer-dropout 0.1 "
    "--embedding-dropout 0.1 --weight-drop 0.1 --eval-every 1h"
)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    children = []

    def start(size, *argv, text="text.txt", program=("-m", "charlm")):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        started = []
        for rank in range(size):
            place = {"RANK": str(rank), "WORLD_SIZE": str(size)} if size > 1 else {}
            meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            own = {"CHARLM_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
            started.append(
                subprocess.Popen(
                    [sys.executable, *program, "train", "lm", *text.split(), *argv],
                    cwd=tmp_path,
                    env=kept | place | meeting | own,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        children.extend(started)
        return started

    yield start
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        child.communicate()


def outcome(children):
    """Return exit statuses and what each process wrote on stdout and stderr."""
    texts = [child.communicate(timeout=60) for child in children]
    return [child.returncode for child in children], texts


def losses(folder):
    return {r["step"]: r["loss"] for r in read_metrics(folder) if r["kind"] == "step"}


def until_step(folder, step):
    end = time.monotonic() + 60
    while not any(found >= step for found in losses(folder) if folder.exists()):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_three_processes_give_the_result_of_one(run, tmp_path):
    (tmp_path / "fox.txt").write_text("fox 1 0 0 2 0 0 0 1\ndog 0 3 0 0 0 1 0 0\n")
    argv = (*SETTINGS, "--tokenizer", "word", "--vectors", "fox.txt", "--freeze-vectors")
    one, three = run(1, "-o", "one", *argv), run(3, "-o", "three", "--json", *argv)
    assert outcome(one)[0] == [0]
    statuses, texts = outcome(three)
    assert statuses == [0, 0, 0]
    assert json.loads(texts[0][0])["steps"] == 40
    assert texts[1:] == [("", ""), ("", "")]  # only the first process speaks
    folders = [tmp_path / "checkpoints" / name for name in ("one", "three")]
    alone, together = map(losses, folders)
    assert list(alone) == list(together) == [10, 20, 30, 40]
    np.testing.assert_allclose(list(together.values()), list(alone.values()), rtol=1e-5)
    weights = [load_model(folder).tensors() for folder in folders]
    for name, array in weights[0].items():
        np.testing.assert_allclose(weights[1][name], array, atol=1e-4, err_msg=name)


# As on GPUs, which make whole updates by themselves and tell their losses later.
BY_THEMSELVES = (
    "-c",
    "import sys; from charlm.training import loop; loop.BY_THEMSELVES = ('cpu',);"
    "from charlm.cli.app import run; sys.exit(run(sys.argv[1:]))",
)


def test_two_processes_whose_devices_make_the_updates_give_the_result_of_one(run, tmp_path):
    assert outcome(run(1, "-o", "one", *SETTINGS))[0] == [0]
    assert outcome(run(2, "-o", "two", *SETTINGS, program=BY_THEMSELVES))[0] == [0, 0]
    folders = [tmp_path / "checkpoints" / name for name in ("one", "two")]
    alone, together = map(losses, folders)
    assert list(together) == [10, 20, 30, 40]
    np.testing.assert_allclose(list(together.values()), list(alone.values()), rtol=1e-5)
    weights = [load_model(folder).tensors() for folder in folders]
    for name, array in weights[0].items():
        np.testing.assert_allclose(weights[1][name], array, atol=1e-4, err_msg=name)
    children = run(2, "-o", "asked", *SETTINGS, "--max-steps", "1000000", program=BY_THEMSELVES)
    until_step(tmp_path / "checkpoints" / "asked", 100)
    children[1].send_signal(signal.SIGTERM)
    statuses, texts = outcome(children)
    assert statuses == [143, 143]
    assert texts[0][1].splitlines()[-2].startswith("charlm: stopped and saved at step ")


def test_a_killed_process_ends_all_and_the_training_goes_on_bit_for_bit(run, tmp_path):
    assert outcome(run(2, "-o", "whole", *SETTINGS, "--max-steps", "800"))[0] == [0, 0]
    whole = tmp_path / "checkpoints" / "whole"
    children = run(2, "-o", "cut", *SETTINGS, "--max-steps", "800", "--save-every", "0.1s")
    cut = tmp_path / "checkpoints" / "cut"
    until_step(cut, 200)
    children[1].kill()
    statuses, texts = outcome(children)
    assert statuses == [1, -signal.SIGKILL]
    assert texts[0][1].splitlines()[-1] == (
        "charlm: process 1 of 2 lost the others; what was saved is intact: start the processes "
        "again with --resume"
    )
    assert outcome(run(2, "--resume", "-o", "cut", text=""))[0] == [0, 0]
    assert losses(cut) == losses(whole)


def test_a_signal_to_any_process_saves_and_stops_all(run, tmp_path):
    children = run(2, "-o", "asked", *SETTINGS, "--max-steps", "1000000")
    until_step(tmp_path / "checkpoints" / "asked", 100)
    children[1].send_signal(signal.SIGTERM)
    statuses, texts = outcome(children)
    assert statuses == [143, 143]
    assert "go on with: charlm train --resume --name asked" in texts[0][1]
    assert outcome(run(1, "--resume", "--max-steps", "10", "-o", "asked", text=""))[0] == [0]


@pytest.mark.parametrize("program", [("-m", "charlm"), BY_THEMSELVES])
def test_a_training_that_diverges_is_saved_and_told_once(run, tmp_path, program):
    argv = (*SETTINGS, "--learning-rate", "1e30")
    statuses, texts = outcome(run(2, "-o", "wild", *argv, program=program))
    assert statuses == [1, 1]
    last = texts[0][1].splitlines()[-1]
    step = int(last.split()[5].rstrip(":"))
    assert last.startswith(f"charlm: training diverged at step {step}: the ")
    assert last.endswith(f"the weights of step {step - 1} are kept; try --learning-rate 3e+29")
    assert texts[1] == ("", "")
    load_model(tmp_path / "checkpoints" / "wild")


@pytest.mark.parametrize(
    ("text", "argv", "message"),
    [
        ("-", [], "standard input cannot be shared by several processes; give a file"),
        (
            "text.txt",
            ["--batch-size", "1"],
            "a batch of 1 streams cannot be parted among 2 processes; give --batch-size 2 or more",
        ),
    ],
)
def test_what_cannot_be_is_told_once_and_ends_all(run, text, argv, message):
    statuses, texts = outcome(run(2, *SETTINGS, *argv, text=text))
    assert statuses[0] == 1
    assert statuses[1] != 0
    assert message in texts[0][1]
    assert texts[1][1].count("\n") <= 1


@pytest.mark.parametrize(("there", "named"), [(1, "1 GPU"), (2, "2 GPUs")])
def test_more_processes_than_gpus_are_refused(monkeypatch, there, named):
    monkeypatch.setattr(train_group, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    monkeypatch.setattr(torch.cuda, "set_device", None)
    with pytest.raises(TaskError) as raised:
        train_group._join(Place(3, 8, 3, 4), "cuda")
    assert str(raised.value) == (
        f"4 processes cannot share {named}; start {there} of them, by torchrun --nproc-per-node "
        f"{there}, or give --device cpu"
    )


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, None),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"WORLD_SIZE": "4"}, None),
        ({"RANK": "3", "WORLD_SIZE": "4"}, Place(3, 4, 3, 4)),
        (
            {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"},
            Place(3, 4, 1, 2),
        ),
    ],
)
def test_a_place_is_what_the_environment_says(environment, place):
    assert find_place(environment) == place


@pytest.mark.parametrize("rank", ["4", "-1", "x", ""])
def test_a_place_that_cannot_be_is_refused(rank):
    with pytest.raises(ConfigError, match="RANK"):
        find_place({"RANK": rank, "WORLD_SIZE": "4"})
