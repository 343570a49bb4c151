"""Processes to kill, and a training small enough to be killed many times."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from charlm.store.checkpoint import read_metrics, save_model

HERE = Path(__file__).parent
LINES = "the cat sat on the mat.\na dog ate the cat's hat!\n"
SHAPES = {"embedding.weight": (5, 4), "output.bias": (5,)}
SMALL = (
    *("--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "4", "--bptt", "8"),
    *("--dropout", "0.2", "--ema", "0.5", "--embedding-dropout", "0.1"),
    *("--precision", "float32", "--threads", "1"),  # chosen by measuring, two runs may differ
)


class Server:
    """A parent process that forks one `charlm` after another; see `server.py`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        paths = [str(HERE), str(HERE.parent.parent)]
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=home,
            env={
                **{key: os.environ[key] for key in os.environ if key != "PYTHONHASHSEED"},
                "CHARLM_HOME": str(home),
                "PYTHONPATH": os.pathsep.join(paths),
                "OPENBLAS_NUM_THREADS": "1",  # else they exist from the beginning
            },
        )

        for _ in range(2):  # what the warming up printed
            assert b"perplexity" in self._process.stdout.readline()

    def ask(self, **order):
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, *argv, **how) -> Child:
        out, err = self.home / "out", self.home / "err"
        out.write_bytes(b"")
        err.write_bytes(b"")
        out.chmod(0o666)
        err.chmod(0o666)
        words = [str(word) for word in argv]
        return Child(self, self.ask(start=words, out=str(out), err=str(err), **how)["pid"])

    def run(self, *argv, **how):
        """Run a command line to its end; return exit status, stdout and stderr."""
        return self.start(*argv, **how).end()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class Child:
    """A running `charlm`."""

    def __init__(self, server: Server, pid: int) -> None:
        self.server, self.pid = server, pid

    def send(self, name: str) -> None:
        os.kill(self.pid, getattr(signal, name))

    def end(self):
        """Wait for the end; return exit status (negative: the signal), stdout and stderr."""
        status = self.server.ask(wait=self.pid)["status"]
        home = self.server.home
        return status, (home / "out").read_text(), (home / "err").read_text()

    def kill(self) -> None:
        self.send("SIGKILL")
        self.end()

    def wait_for_step(self, name: str, step: int = 1) -> None:
        """Wait until the log of a run tells of this step."""
        folder = self.server.home / "checkpoints" / name
        for _ in range(3000):
            if any(r["step"] >= step for r in read_metrics(folder)):
                return
            time.sleep(0.01)
        raise AssertionError(f"no step {step}: {(self.server.home / 'err').read_text()}")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    home = tmp_path_factory.mktemp("faults")
    (home / "cats.txt").write_text(LINES * 40)
    server = Server(home)
    yield server
    server.close()


@pytest.fixture
def losses(server):
    """A function from the name of a run to its logged losses by step."""

    def read(name):
        records = read_metrics(server.home / "checkpoints" / name)
        return {r["step"]: r["loss"] for r in records if r["kind"] == "step"}

    return read


@pytest.fixture
def small():
    """Options of a model of 16 units, with all that draws random numbers."""
    return SMALL


@pytest.fixture
def save():
    """A function that saves a model in which every number is `step`."""

    def save_step(folder: Path, step: int) -> None:
        save_model(
            folder,
            kind="lm",
            model_config={"num_layers": 1, "hidden_size": 4, "cell": "lstm"},
            tokenizer_config={"name": "char"},
            tokenizer_files={"vocab.json": b'["a"]\n'},
            tensors={name: np.full(shape, step, np.float32) for name, shape in SHAPES.items()},
            training={"steps": step, "valid": {"perplexity": 2.5}},
            card=f"# step {step}\n",
        )

    return save_step


@pytest.fixture
def home_of_cats(tmp_path, monkeypatch):
    """A home with the text `cats.txt`, for runs in this process."""
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "cats.txt").write_text(LINES * 40)
    return tmp_path
