"""The iterator over tokens: greedy by hand, reproducible, stopping, many samples at once."""

import itertools
import math
import re

import numpy as np
import pytest

from charlm.base.errors import TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel
from charlm.generation.generate import PROMPT_CHUNK, generate
from charlm.generation.sampling import SamplingConfig


def ids_of(tokens, sample=0):
    return [token.id for token in tokens if token.sample == sample]


@pytest.fixture
def network():
    """A small LSTM with random weights."""
    config = LanguageModelConfig(vocab_size=12, embedding_dim=8, hidden_size=16, num_layers=2)
    rng = np.random.default_rng(0)
    tensors = {name: rng.standard_normal(shape) for name, shape in config.tensor_shapes().items()}
    return LanguageModel(config, tensors)


def test_greedy_follows_the_largest_probabilities(bigram):
    config = SamplingConfig(temperature=0.0, max_new_tokens=7)
    tokens = list(generate(bigram, [], config))
    assert ids_of(tokens) == [0, 1, 2, 0, 1, 2, 0]  # a b c a b c a
    assert [token.stop_reason for token in tokens] == [None] * 6 + ["length"]


def test_log_probs_are_the_models_own_whatever_the_transforms(bigram):
    config = SamplingConfig(temperature=0.0, max_new_tokens=3, repetition_penalty=1.01)
    found = [token.log_prob for token in generate(bigram, [], config)]
    assert found == pytest.approx([math.log(p) for p in (0.4, 0.6, 0.7)])


def test_it_goes_on_from_the_prompt(bigram):
    config = SamplingConfig(temperature=0.0, max_new_tokens=2)
    assert ids_of(generate(bigram, [0, 1], config)) == [2, 0]


def test_a_long_prompt_is_read_in_chunks_to_the_same_effect(network):
    prompt = np.random.default_rng(1).integers(0, 12, 2 * PROMPT_CHUNK + 5)
    config = SamplingConfig(temperature=0.0, max_new_tokens=5)
    state = network.initial_state(1)
    for token in np.concatenate([[network.bos_id], prompt]):
        logits, state = network.step(np.array([token]), state)
    assert ids_of(generate(network, prompt, config))[0] == logits.argmax()


def test_the_same_seed_gives_the_same_ids_and_another_seed_others(network):
    def run(seed):
        return ids_of(generate(network, [1, 2], SamplingConfig(seed=seed, temperature=1.0)))

    assert run(5) == run(5)
    assert run(5) != run(6)
    assert len(run(5)) == 200


def test_a_sample_is_the_same_however_many_there_are(bigram):
    def run(count):
        config = SamplingConfig(seed=9, num_samples=count, max_new_tokens=40, temperature=1.0)
        tokens = list(generate(bigram, [], config, stop_ids=[3]))
        return [ids_of(tokens, sample) for sample in range(count)]

    assert run(7)[:3] == run(3)
    assert run(3)[:1] == run(1)
    assert len({tuple(ids) for ids in run(7)}) >= 5


def test_samples_of_a_network_are_those_it_gives_one_by_one(network):
    config = SamplingConfig(seed=1, num_samples=4, max_new_tokens=30)
    tokens = list(generate(network, [3], config))
    state = network.initial_state(1)
    for sample in range(4):
        ids = ids_of(tokens, sample)
        state = network.initial_state(1)
        logits, _ = network.read(np.array([[network.bos_id, 3, *ids]]), state)
        log_probs = logits[0] - np.log(np.exp(logits[0]).sum(axis=-1, keepdims=True))
        expected = log_probs[np.arange(1, 1 + len(ids)), ids]
        found = [token.log_prob for token in tokens if token.sample == sample]
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_samples_come_side_by_side_in_order(bigram):
    config = SamplingConfig(seed=0, num_samples=3, max_new_tokens=4, temperature=0.0)
    assert [token.sample for token in generate(bigram, [], config)] == [0, 1, 2] * 4


def test_a_sample_that_ended_leaves_the_others_running(bigram):
    config = SamplingConfig(seed=3, num_samples=6, max_new_tokens=25, temperature=1.0)
    tokens = list(generate(bigram, [], config, stop_ids=[3]))
    for sample in range(6):
        own = [token for token in tokens if token.sample == sample]
        assert [token.stop_reason for token in own[:-1]] == [None] * (len(own) - 1)
        assert own[-1].stop_reason == ("end" if own[-1].id == 3 else "length")
        assert all(token.id != 3 for token in own[:-1])
    assert {token.stop_reason for token in tokens} >= {None, "end"}


def test_text_ends_before_a_stop_string_and_the_model_rests(bigram, letters):
    config = SamplingConfig(temperature=0.0, stop=("ca",))
    tokens = list(generate(bigram, [], config, decoder=letters))
    assert [token.text for token in tokens] == ["a", "b", "", ""]
    assert tokens[-1].stop_reason == "stop"
    assert bigram.steps == 3


def test_text_held_back_appears_with_the_last_token(bigram, letters):
    config = SamplingConfig(temperature=0.0, stop=("cc",), max_new_tokens=3)
    tokens = list(generate(bigram, [], config, decoder=letters))
    assert [(token.text, token.stop_reason) for token in tokens] == [
        ("a", None),
        ("b", None),
        ("c", "length"),
    ]


def test_each_sample_has_a_decoder_of_its_own(bigram, letters):
    config = SamplingConfig(temperature=0.0, num_samples=2, max_new_tokens=3)
    tokens = list(generate(bigram, [], config, decoder=lambda: letters(pairs=True)))
    for sample in range(2):
        assert [token.text for token in tokens if token.sample == sample] == ["", "ab", "c"]


def test_nothing_is_generated_when_nothing_was_asked_for(bigram):
    assert list(generate(bigram, [], SamplingConfig(max_new_tokens=0))) == []


def test_tokens_come_one_at_a_time(bigram):
    stream = generate(bigram, [], SamplingConfig(temperature=0.0, max_new_tokens=10**9))
    assert ids_of(itertools.islice(stream, 4)) == [0, 1, 2, 0]
    assert bigram.steps == 3


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_masked_ids_are_never_drawn(bigram, temperature):
    config = SamplingConfig(seed=0, temperature=temperature, max_new_tokens=300)
    assert 2 not in ids_of(generate(bigram, [], config, masked_ids=[2, 3]))


def test_the_repetition_penalty_sees_the_prompt_and_forgets_beyond_its_window(make_bigram):
    """Two tokens of logits 2 and 1: a penalty of 4 makes the first 0.5 while it is in sight."""
    model = make_bigram(np.exp([[2.0, 1.0]] * 3))
    config = SamplingConfig(
        temperature=0.0, max_new_tokens=4, repetition_penalty=4.0, repetition_window=1
    )
    assert ids_of(generate(model, [0], config)) == [1, 0, 1, 0]
    assert ids_of(generate(model, [0, 1], config)) == [0, 1, 0, 1]


def test_a_model_that_gives_nan_is_an_error(make_bigram):
    model = make_bigram(np.full((3, 2), np.nan))
    message = "the model gave a probability that is no number; its weights are damaged"
    with pytest.raises(TaskError, match=f"^{re.escape(message)}$"):
        list(generate(model, [], SamplingConfig()))


@pytest.mark.parametrize("prompt", [[4], [-1]])
def test_a_prompt_of_foreign_ids_is_refused_at_once(bigram, prompt):
    with pytest.raises(ValueError, match=r"^prompt ids must be from 0 to 3$"):
        generate(bigram, prompt, SamplingConfig())


def test_stop_strings_without_text_are_refused_at_once(bigram):
    with pytest.raises(ValueError, match=r"^stop strings need a decoder to find them in$"):
        generate(bigram, [], SamplingConfig(stop=("x",)))
