"""A tiny model in a home of its own."""

import dataclasses
import hashlib
import json
import signal

import hypothesis
import numpy as np
import pytest

from charlm.engine.config import LanguageModelConfig
from charlm.store.checkpoint import save_model
from charlm.text.tokenizers import train_tokenizer

# Background jobs of some shells ignore Ctrl-C, and so would the programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asserts a time, and a machine that pauses fails none; the same examples at every run.
hypothesis.settings.register_profile(
    "charlm",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("charlm")

TEXT = "the quick brown fox jumps over the lazy dog [b]\n"
METRICS = (
    '{"kind": "step", "step": 1, "bits_per_char": 4.0, "loss": 3.0}\n'
    '{"kind": "step", "step": 2, "bits_per_char": 3.0, "loss": 2.0}\n'
    '{"kind": "valid", "step": 2, "bits_per_char": 3.5, "nats_per_token": 2.5}\n'
)


def save_tiny_model(folder, *, text=TEXT, uniform=False):
    """Save a seeded model of 8 units; a uniform one gives every token the same probability."""
    tokenizer = train_tokenizer("char", [text])
    config = LanguageModelConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=8, embedding_dim=4, num_layers=1
    )
    rng = np.random.default_rng(0)
    tensors = {
        name: np.zeros(shape, np.float32)
        if uniform
        else rng.normal(0.0, 0.5, shape).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }
    valid = {"nats_per_token": 2.0, "perplexity": 7.389, "bits_per_char": 2.885}
    save_model(
        folder,
        kind="lm",
        model_config=dataclasses.asdict(config),
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors=tensors,
        training={"steps": 2, "valid": valid},
        card="# tiny\nA model for tests.\n",
    )
    (folder / "metrics.jsonl").write_text(METRICS)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, which is also the current folder."""
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def save_tiny():
    """The function that saves a tiny model in a folder."""
    return save_tiny_model


@pytest.fixture
def tiny(home):
    """A home with the model `tiny`."""
    save_tiny_model(home / "checkpoints" / "tiny")
    return home


@pytest.fixture
def forge():
    """The function that replaces a file of a model, manifest and all."""

    def replace(folder, name, contents):
        (folder / name).write_bytes(contents)
        manifest = json.loads((folder / "manifest.json").read_text())
        digest = hashlib.sha256(contents).hexdigest()
        manifest["files"][name] = {"size": len(contents), "sha256": digest}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return replace
