"""Contextual vectors by name of a model: tokens, directions, files, and words in context."""

import json

import numpy as np
import pytest

from charlm.base.errors import CheckpointError, ConfigError, TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.engine.contextual import contextual_states, layer_weights
from charlm.store.checkpoint import save_model
from charlm.store.tensor_header import parse_header
from charlm.store.tensors import read_tensors
from charlm.tasks.embed import embed_texts, open_embedder, write_embeddings
from charlm.tasks.embed_config import EmbedConfig
from charlm.tasks.embed_neighbors import find_in_context, line_batches
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer

TEXT = "the cat sat on the mat and the dog ate it\n" * 3
CHINESE = "我们喜欢苹果。他们不喜欢苹果。\n" * 3


def save(folder, *, direction="", seed=0, name="word", text=TEXT, layers=2):
    tokenizer = train_tokenizer(name, [text], TokenizerConfig())
    config = LanguageModelConfig(
        vocab_size=tokenizer.vocab_size, embedding_dim=5, hidden_size=6, num_layers=layers
    )
    rng = np.random.default_rng(seed)
    save_model(
        folder,
        kind="lm",
        model_config={
            field: getattr(config, field) for field in LanguageModelConfig.__dataclass_fields__
        },
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors={
            tensor: rng.normal(size=shape).astype(np.float32)
            for tensor, shape in config.tensor_shapes().items()
        },
        training={"direction": direction} if direction else {},
        card="",
    )


@pytest.fixture
def pair(tmp_path):
    """Return a function that saves a pair of a tokenizer and opens it."""

    def make(**kinds):
        save(tmp_path / "pair", direction="forward", **kinds)
        save(tmp_path / "pair" / "backward", direction="backward", seed=1, **kinds)
        return open_embedder(f"{tmp_path}/pair")

    return make


def test_vectors_are_the_forward_states_and_then_the_backward_ones(pair):
    opened = pair()
    texts = ["the dog sat", "", "the"]
    found = embed_texts(opened, texts)
    assert [one.tokens for one in found] == [("the", "dog", "sat"), (), ("the",)]
    ids = [opened.tokenizer.encode(text) for text in texts]
    mix = layer_weights(2, None)
    forward = contextual_states(opened.forward, ids, mix)
    backward = contextual_states(opened.backward, ids, mix, from_the_end=True)
    for one, ahead, back in zip(found, forward, backward, strict=True):
        np.testing.assert_array_equal(one.vectors[:, :6], ahead[:, 0])
        np.testing.assert_array_equal(one.vectors[:, 6:], back[:, 0])
    assert found[1].vectors.shape == (0, 12)


def test_layers_and_directions_can_be_had_apart(pair):
    opened = pair()
    (every,) = embed_texts(opened, ["the dog sat"], EmbedConfig(layer="all"))
    assert every.vectors.shape == (3, 2, 12)
    for layer in (1, 2):
        for direction, part in (("forward", slice(6)), ("backward", slice(6, 12))):
            config = EmbedConfig(layer=str(layer), direction=direction)
            (one,) = embed_texts(opened, ["the dog sat"], config)
            np.testing.assert_allclose(one.vectors, every.vectors[:, layer - 1, part], atol=1e-6)
    (scaled,) = embed_texts(opened, ["the dog sat"], EmbedConfig(mix_scale=2.0))
    np.testing.assert_allclose(scaled.vectors, 2 * every.vectors.mean(axis=1), atol=1e-6)


def test_a_forward_model_gives_what_it_has(tmp_path):
    save(tmp_path / "one")
    opened = open_embedder(f"{tmp_path}/one")
    assert opened.missing == "charlm train lm CORPUS --bidirectional trains both"
    assert embed_texts(opened, ["the dog"])[0].vectors.shape == (2, 6)
    with pytest.raises(TaskError) as caught:
        embed_texts(opened, ["the dog"], EmbedConfig(direction="backward"))
    assert str(caught.value) == (
        "one has no backward model; charlm train lm CORPUS --bidirectional trains both"
    )
    save(tmp_path / "half", direction="forward")
    assert open_embedder(f"{tmp_path}/half").missing == (
        "charlm train --resume --name half goes on with it"
    )


def test_halves_that_do_not_fit_are_refused(tmp_path):
    save(tmp_path / "pair", direction="forward")
    save(tmp_path / "pair" / "backward", direction="backward", layers=1)
    with pytest.raises(CheckpointError) as caught:
        open_embedder(f"{tmp_path}/pair")
    assert str(caught.value) == (
        f"{tmp_path}/pair/backward is not of the same training as {tmp_path}/pair; train both "
        "again with --bidirectional --overwrite"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "0"}, "layer must be mix, all or a number from 1, got '0'"),
        ({"layer": "²"}, "layer must be mix, all or a number from 1, got '²'"),
        ({"mix_weights": "1,x"}, "mix_weights must be numbers with commas between, got '1,x'"),
        ({"mix_weights": "nan"}, "mix_weights must be numbers with commas between, got 'nan'"),
        (
            {"layer": "1", "mix_weights": "1"},
            "--mix-weights and --mix-scale are for --layer mix",
        ),
    ],
)
def test_wrong_settings_are_told(settings, message):
    with pytest.raises(ConfigError) as caught:
        EmbedConfig(**settings)
    assert str(caught.value) == message


def test_what_the_model_lacks_is_told(pair):
    opened = pair()
    with pytest.raises(TaskError, match="pair has no layer 3; its layers are 1 to 2"):
        embed_texts(opened, ["the"], EmbedConfig(layer="3"))
    with pytest.raises(TaskError, match="1 mix weights for 2 layers; give one a layer"):
        embed_texts(opened, ["the"], EmbedConfig(mix_weights="1"))


def test_a_file_holds_an_array_for_each_text(pair, tmp_path):
    found = embed_texts(pair(), ["the dog", "", "mat"])
    path = tmp_path / "out.safetensors"
    write_embeddings(path, "pair", found)
    arrays = read_tensors(path)
    assert sorted(arrays) == ["0", "1", "2"]
    np.testing.assert_array_equal(arrays["0"], found[0].vectors)
    data = path.read_bytes()
    parse_header(data, len(data), "it")
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"] == {
        "model": "pair",
        "0": '["the", "dog"]',
        "1": "[]",
        "2": '["mat"]',
    }


def test_more_than_a_file_can_name_is_refused(pair, tmp_path, monkeypatch):
    monkeypatch.setattr("charlm.tasks.embed.MOST_HEADER", 300)
    with pytest.raises(TaskError) as caught:
        write_embeddings(tmp_path / "out.safetensors", "pair", embed_texts(pair(), ["a", "b"]))
    assert str(caught.value) == (
        "2 texts are too many for one safetensors file; write several, or JSON"
    )
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("name", ["word", "char", "byte", "whitespace"])
def test_the_same_line_answers_with_the_word_itself(pair, name):
    opened = pair(name=name)
    line = "and the cat sat on the mat"
    lines = [["the dog ate", line, ""], ["it"]]
    found = find_in_context(opened, line + "\n", "cat", lines, top_n=50)
    words = sum(len(one.split()) for batch in lines for one in batch)
    assert len(found) == words
    assert all(one.context[one.start : one.end] == one.word for one in found)
    asked = find_in_context(opened, line, "cat", lines, top_n=50)
    assert len(asked) == words - 1  # the very one asked for is left out
    assert [one.similarity for one in asked] == sorted(
        (one.similarity for one in asked), reverse=True
    )


def test_a_word_is_known_by_its_first_and_last_token(pair):
    opened = pair(name="char")

    def states(text, first, last):
        (every,) = embed_texts(opened, [text])
        return np.concatenate([every.vectors[last, :6], every.vectors[first, 6:]])

    one, two = states("the cat", 4, 6), states("a mat", 2, 4)
    cosine = float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    found = find_in_context(opened, "the cat", "cat", [["a mat"]])
    (mat,) = [answer for answer in found if answer.word == "mat"]
    assert mat.similarity == pytest.approx(cosine, abs=1e-5)


def test_chinese_words_are_its_tokens(pair):
    opened = pair(text=CHINESE)
    found = find_in_context(opened, "我们喜欢苹果", "苹果", [["他们喜欢苹果。"]], top_n=9)
    tokens = [opened.tokenizer.token(token) for token in opened.tokenizer.encode("他们喜欢苹果")]
    assert sorted(one.word for one in found) == sorted(tokens)


def test_a_word_that_is_not_there_is_told(pair):
    with pytest.raises(TaskError) as caught:
        find_in_context(pair(), "the cat", "bank", [["the cat"]])
    assert str(caught.value) == "the context has no 'bank'; give a text in which it occurs"


def test_the_word_is_found_whole_and_in_any_case(pair):
    opened = pair()
    (one,) = find_in_context(opened, "concat Cat", "cat", [["Cat"]])
    (two,) = find_in_context(opened, "concat cat", "cat", [["cat"]])
    assert (one.word, two.word) == ("Cat", "cat")


def test_lines_of_a_file_come_whole(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("one\ntwo\n\nthree")
    assert [line for lot in line_batches(str(path)) for line in lot if line] == [
        "one", "two", "three"
    ]  # fmt: skip
