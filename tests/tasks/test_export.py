"""Exported models say in other programs what they say here."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from charlm.base.errors import ConfigError, TaskError
from charlm.cli.app import run
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel
from charlm.store.checkpoint import save_model
from charlm.tasks.export import export_model, torch_tensors
from charlm.tasks.load import open_model
from charlm.tasks.score import score_texts
from charlm.tasks.scoring import score_batch
from charlm.text.tokenizers import train_tokenizer

TEXT = "the cat sat on the mat\n"


def saved(home, name, **form):
    tokenizer = train_tokenizer("char", [TEXT])
    sizes = {"vocab_size": tokenizer.vocab_size, "hidden_size": 6, "embedding_dim": 4}
    config = LanguageModelConfig(**sizes | form)
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    tensors = {n: rng.normal(0.0, 0.5, shape).astype(np.float32) for n, shape in shapes}
    save_model(
        home / "checkpoints" / name,
        kind="lm",
        model_config=dataclasses.asdict(config),
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors=tensors,
        training={},
        card="# a card\n",
    )
    return open_model(name)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"num_layers": 2},
        {"num_layers": 2, "tie_weights": True},
        {"cell": "gru", "num_layers": 2},
        {"cell": "rnn"},
        {"skip": True},
    ],
    ids=str,
)
def test_modules_of_pytorch_give_the_same_probabilities(home, form):
    opened = saved(home, "m", **form)
    result = export_model("m")
    assert (result.file, result.form) == ("m.safetensors", "torch")
    with safe_open("m.safetensors", "pt") as file:
        about, weights = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config, tokens = json.loads(about["config"]), json.loads(about["tokens"])
    assert tokens == [opened.tokenizer.token(i) for i in range(len(tokens))]

    kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
    size, width = config["hidden_size"], config["embedding_dim"]
    model = nn.Module()
    model.embedding = nn.Embedding(len(tokens) + 1, width)
    layers = kinds[config["cell"]](width, size, config["num_layers"])
    model.add_module(config["cell"], layers)
    if "projection.weight" in weights:
        model.projection = nn.Linear(size, width, bias=False)
    model.output = nn.Linear(weights["output.weight"].shape[1], len(tokens))
    model.load_state_dict(weights)  # every name is used, and none is missing
    ids = torch.tensor([len(tokens), *opened.tokenizer.encode(TEXT).tolist()])
    features, _ = layers(model.embedding(ids[:-1]).unsqueeze(1))
    if hasattr(model, "projection"):
        features = model.projection(features)
    log_probs = model.output(features[:, 0]).log_softmax(dim=1)
    found = log_probs[torch.arange(len(ids) - 1), ids[1:]].detach().numpy()
    wanted = score_batch(opened.model, [ids[1:].numpy()])[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_what_pytorch_has_no_module_for_is_refused(home):
    saved(home, "skips", num_layers=2, skip=True)
    saved(home, "before", cell="gru", reset="before")
    with pytest.raises(TaskError, match="PyTorch's layers have no skip connections; this model"):
        export_model("skips")
    with pytest.raises(TaskError, match="PyTorch's GRU resets after the product"):
        export_model("before")
    assert not list(home.glob("*.safetensors"))


def test_a_file_that_exists_is_replaced_only_where_asked(home):
    saved(home, "m")
    export_model("m", "a.pt")
    with pytest.raises(ConfigError) as caught:
        export_model("m", "a.pt")
    assert str(caught.value) == ("a.pt exists; add --overwrite to replace it, or name another file")
    assert export_model("m", "a.pt", overwrite=True).size > 0
    with pytest.raises(ConfigError, match="m is of kind 'lm', whose form is torch"):
        export_model("m", "b.arpa", form="arpa")


def test_an_arpa_file_comes_back_as_the_same_model(home, capsys):
    (home / "t.txt").write_text("a b c\nb c a\n" * 20)
    count = ["train", "ngram", "t.txt", "--tokenizer", "whitespace", "--order", "3", "-q"]
    assert run([*count, "-o", "n"]) == 0
    capsys.readouterr()
    assert run(["export", "n"]) == 0
    assert capsys.readouterr().out.startswith("wrote n.arpa: n as arpa, ")
    assert run(["train", "ngram", "n.arpa", "-o", "back", "-q"]) == 0
    found = [score_texts(open_model(name), ["a b c"])[0].log_prob for name in ("n", "back")]
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_the_projection_and_the_tied_output_are_written_out():
    config = LanguageModelConfig(vocab_size=3, hidden_size=2, embedding_dim=1, tie_weights=True)
    shapes = config.tensor_shapes().items()
    stored = {n: np.arange(np.prod(s), dtype=np.float32).reshape(s) for n, s in shapes}
    found = torch_tensors(LanguageModel(config, stored), stored)
    assert found["output.weight"].tolist() == [[0.0], [1.0], [2.0]]
    assert found["projection.weight"].tolist() == [[0.0, 1.0]]
    assert found["lstm.bias_hh_l0"].tolist() == [0.0] * 8


def test_nothing_but_a_file_outside_of_models_is_written(home):
    saved(home, "m")
    folder = home / "checkpoints" / "m"
    for target, message in (
        ("-", "- is no file to write to; name one"),
        ("/dev/null", "/dev/null is no file to write to; name one"),
        (str(home), f"{home} is no file to write to; name one"),
        (f"{folder}/model.safetensors", f"{folder} holds a model; write to another folder"),
    ):
        with pytest.raises(ConfigError) as caught:
            export_model("m", target, overwrite=True)
        assert str(caught.value) == message
