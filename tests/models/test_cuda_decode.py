"""Decoding on a device: on the CPU it equals the NumPy engine, token by token."""

import contextlib
import functools

import numpy as np
import pytest
import torch

from charlm.base.errors import TaskError
from charlm.engine import scoring
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel as Engine
from charlm.engine.language_model import log_softmax
from charlm.engine.mixture import Mixture
from charlm.generation.beam import beam_search
from charlm.generation.drawing import Uniforms
from charlm.generation.generate import generate
from charlm.generation.sampling import SamplingConfig
from charlm.models import cuda_decode, decode_step
from charlm.models.cuda_decode import Decoder
from charlm.models.decode_rows import Steps

CPU = torch.device("cpu")
VOCAB = 17
FORMS = [
    {"cell": "lstm"},
    {"cell": "lstm", "num_layers": 3, "skip": True},
    {"cell": "lstm", "num_layers": 2, "tie_weights": True},
    {"cell": "gru", "num_layers": 2},
    {"cell": "gru", "num_layers": 2, "reset": "before", "skip": True},
    {"cell": "rnn", "num_layers": 2},
]
SETTINGS = [
    {"temperature": 0.0},
    {"temperature": 0.7},
    {"top_k": 5},
    {"top_p": 0.7},
    {"min_p": 0.1},
    {"repetition_penalty": 1.5, "repetition_window": 6},
    {"repetition_penalty": 2.0, "temperature": 0.0},
    {"top_k": 6, "top_p": 0.9, "min_p": 0.05, "temperature": 0.5},
]


def tensors_of(config, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: (0.5 * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }


def pair(form, seed=0):
    config = LanguageModelConfig(vocab_size=VOCAB, embedding_dim=12, hidden_size=16, **form)
    tensors = tensors_of(config, seed)
    return Engine(config, tensors), Decoder(config, tensors, CPU)


@pytest.fixture
def lstm():
    return pair({"cell": "lstm", "num_layers": 2})


def told(tokens):
    return [(token.sample, token.id, token.text, token.stop_reason) for token in tokens]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_steps_readings_and_scores_are_those_of_the_engine(form):
    engine, decoder = pair(form)
    ours, theirs = decoder.initial_state(3), engine.initial_state(3)
    for ids in ([VOCAB, 1, 2], [3, 4, 5]):
        found, ours = decoder.step(np.array(ids), ours)
        wanted, theirs = engine.step(np.array(ids), theirs)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    block = np.arange(12).reshape(3, 4)
    found, ours = decoder.read(block, ours)
    wanted, theirs = engine.read(block, theirs)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    ours, theirs = decoder.select(ours, [2, 0]), engine.select(theirs, [2, 0])
    found, ours = decoder.log_probs(block[:2], ours)
    wanted, theirs = engine.log_probs(block[:2], theirs)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    found, _ = decoder.step(np.array([1, 2]), ours)
    wanted, _ = engine.step(np.array([1, 2]), theirs)
    np.testing.assert_allclose(log_softmax(found), log_softmax(wanted), atol=1e-5)
    ids = block.ravel()
    wanted = scoring.text_scores(engine, ids)
    np.testing.assert_allclose(decoder.score_ids(ids), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "settings"),
    [(FORMS[1], settings) for settings in SETTINGS] + [(form, SETTINGS[-1]) for form in FORMS],
    ids=str,
)
def test_the_same_seed_draws_the_tokens_that_the_engine_draws(form, settings):
    engine, decoder = pair(form)
    for samples in (1, 4):
        config = SamplingConfig(
            max_new_tokens=25, seed=5, num_samples=samples, **{"temperature": 1.0} | settings
        )
        options = {"masked_ids": [4], "stop_ids": [7]}
        found = list(decoder.generate([1, 2, 3], config, **options))
        wanted = list(generate(engine, [1, 2, 3], config, **options))
        assert told(found) == told(wanted)
        log_probs = [token.log_prob for token in wanted]
        np.testing.assert_allclose([t.log_prob for t in found], log_probs, atol=1e-5, rtol=1e-5)


def test_ids_without_a_table_are_multiplied_each_time(monkeypatch, lstm):
    monkeypatch.setattr(decode_step, "TABLE_BYTES", 0)
    for form in ({"num_layers": 2, "skip": True}, {"cell": "gru"}):
        engine, decoder = pair(form)
        assert decoder.network.layers[0].table is None
        found, _ = decoder.step(np.array([1, 2]), decoder.initial_state(2))
        wanted, _ = engine.step(np.array([1, 2]), engine.initial_state(2))
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_products_in_half_precision_stay_close(precision):
    engine, _ = pair(FORMS[1])
    decoder = Decoder(engine.config, tensors_of(engine.config), CPU, precision=precision)
    found, state = decoder.step(np.array([1, 2]), decoder.initial_state(2))
    wanted, own = engine.step(np.array([1, 2]), engine.initial_state(2))
    np.testing.assert_allclose(found, wanted, atol=0.1)
    found, _ = decoder.read(np.array([[1], [2]]), state)
    wanted, _ = engine.read(np.array([[1], [2]]), own)
    np.testing.assert_allclose(found, wanted, atol=0.1)


def test_a_sample_does_not_depend_on_how_many_there_are(lstm):
    _, decoder = lstm
    config = SamplingConfig(max_new_tokens=40, seed=1, num_samples=3, temperature=1.0)
    alone = SamplingConfig(max_new_tokens=40, seed=1, temperature=1.0)
    first = [token.id for token in decoder.generate([], config) if token.sample == 0]
    assert first == [token.id for token in decoder.generate([], alone)]


def test_long_samples_cross_the_halves_of_the_ring(monkeypatch, lstm):
    monkeypatch.setattr("charlm.models.decode_rows.LONGEST", 8)
    engine, decoder = lstm
    config = SamplingConfig(max_new_tokens=67, seed=2, num_samples=2, temperature=1.0)
    assert told(decoder.generate([3], config)) == told(generate(engine, [3], config))


def test_rows_that_have_ended_are_left_out(monkeypatch, lstm):
    monkeypatch.setattr(cuda_decode, "FEW_GOING", 0)
    monkeypatch.setattr("charlm.models.decode_rows.LONGEST", 4)
    engine, decoder = lstm
    begun = []

    class Counted(Steps):
        def __init__(self, network, draw, rows, key):
            super().__init__(network, draw, rows, key)
            begun.append(rows)

    monkeypatch.setattr(cuda_decode, "Steps", Counted)
    config = SamplingConfig(
        max_new_tokens=60, seed=3, num_samples=8, temperature=1.5, repetition_penalty=1.2
    )
    wanted = told(generate(engine, [3], config, stop_ids=[7, 8]))
    assert told(decoder.generate([3], config, stop_ids=[7, 8])) == wanted
    assert begun[0] == 8
    assert begun[1] <= 4


def test_two_streams_of_one_decoder_do_not_disturb_each_other(lstm):
    engine, decoder = lstm
    config = SamplingConfig(max_new_tokens=20, seed=4, temperature=1.0)
    first, second = decoder.generate([1], config), decoder.generate([2], config)
    both = [(a.id, b.id) for a, b in zip(first, second, strict=True)]
    wanted = zip(generate(engine, [1], config), generate(engine, [2], config), strict=True)
    assert both == [(a.id, b.id) for a, b in wanted]


def test_buffers_are_used_again(lstm):
    _, decoder = lstm
    config = SamplingConfig(max_new_tokens=5, seed=4)
    texts = [[token.id for token in decoder.generate([1], config)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(decoder._kept) == 1
    assert decoder.way(1) == "one operation at a time"
    assert decoder.way(2) == "not yet"


def test_blocks_hold_the_tokens_of_all_samples(lstm):
    engine, decoder = lstm
    config = SamplingConfig(max_new_tokens=21, seed=6, num_samples=3, temperature=1.0)
    blocks = list(decoder.blocks([1, 2], config))
    assert [len(block.ids) for block in blocks] == [2, 4, 8, 7]
    ids = np.concatenate([block.ids for block in blocks])
    wanted = [[], [], []]
    for token in generate(engine, [1, 2], config):
        wanted[token.sample].append(token.id)
    np.testing.assert_array_equal(ids.T, wanted)
    assert list(decoder.blocks([1], SamplingConfig(max_new_tokens=0))) == []


def test_no_token_is_asked_for_where_none_is_wanted(lstm):
    assert list(lstm[1].generate([1], SamplingConfig(max_new_tokens=0))) == []


@pytest.mark.parametrize(
    ("value", "masked", "message"),
    [
        (np.nan, [], "the model gave a probability that is no number; its weights are damaged"),
        (np.inf, [], "the model gave a probability that is no number; its weights are damaged"),
        (0.0, range(VOCAB), "every token is masked: nothing is left to draw from"),
    ],
)
def test_what_cannot_be_drawn_is_told_as_on_the_cpu(value, masked, message):
    config = LanguageModelConfig(vocab_size=VOCAB, embedding_dim=4, hidden_size=4)
    tensors = tensors_of(config)
    tensors["output.bias"][3] = value
    decoder = Decoder(config, tensors, CPU)
    for temperature in (0.0, 1.0):
        settings = SamplingConfig(max_new_tokens=3, seed=0, temperature=temperature)
        with pytest.raises(TaskError) as told_by_tokens:
            list(decoder.generate([], settings, masked_ids=list(masked)))
        with pytest.raises(TaskError) as told_by_blocks:
            list(decoder.blocks([], settings, list(masked)))
        assert str(told_by_tokens.value) == str(told_by_blocks.value) == message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (1, "out of memory on cpu; use --device cpu"),
        (2000, "out of memory with 2,000 samples side by side on cpu; try --num-samples 1000"),
    ],
)
def test_too_little_memory_is_told_with_a_number_to_try(monkeypatch, lstm, rows, message):
    def lack(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(cuda_decode, "Steps", lack)
    with pytest.raises(TaskError) as caught:
        list(lstm[1].generate([], SamplingConfig(num_samples=rows)))
    assert str(caught.value) == message


def test_ids_outside_the_vocabulary_are_refused(lstm):
    with pytest.raises(ValueError, match="prompt ids must be from 0 to 16"):
        lstm[1].generate([VOCAB], SamplingConfig())


def test_beams_and_mixtures_run_on_it(lstm):
    engine, decoder = lstm
    config = SamplingConfig(max_new_tokens=8, beam_size=3)
    ours, theirs = (list(beam_search(model, [1], config)) for model in (decoder, engine))
    assert [one.ids for one in ours] == [one.ids for one in theirs]
    other = pair({"cell": "gru"}, seed=1)
    config = SamplingConfig(max_new_tokens=20, seed=1, num_samples=2)
    mixed = [Mixture(models, [0.5, 0.5]) for models in zip(lstm, other, strict=True)]
    found = [told(generate(mixture, [1], config)) for mixture in mixed]
    assert found[0] == found[1]


def test_numbers_taken_at_once_are_those_taken_one_by_one():
    one, many = Uniforms(3, 1), Uniforms(3, 1)
    single = [one.next() for _ in range(601)]
    mixed = []
    for count in (400, 0, 198):
        room = np.empty(count)
        mixed.append(many.next())
        many.fill(room)
        mixed += room.tolist()
    assert mixed == single


class Recorded:
    """A CUDA graph that counts the steps it was captured with, and makes them when replayed."""

    def __init__(self):
        self.steps, self.count = None, 0

    def replay(self):
        for _ in range(self.count):
            self.steps()


@pytest.fixture
def captured(monkeypatch):
    """Let steps be captured on the CPU, by graphs of the kind above; return all graphs."""
    graphs = []

    @contextlib.contextmanager
    def capture(graph):
        def count(self):
            graph.steps, graph.count = functools.partial(real, self), graph.count + 1

        real = Steps._steps
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Steps, "_steps", count)
            yield
        graphs.append(graph)

    class Capturing(Steps):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self._capture()

    class Stream:
        def __init__(self, device=None):
            pass

        def wait_stream(self, other):
            pass

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "stream", contextlib.nullcontext)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recorded)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(cuda_decode, "Steps", Capturing)
    return graphs


def test_captured_steps_make_the_same_tokens(captured, lstm):
    engine, decoder = lstm
    config = SamplingConfig(max_new_tokens=75, seed=2, num_samples=3, repetition_penalty=1.2)
    assert told(decoder.generate([3], config)) == told(generate(engine, [3], config))
    assert sorted(graph.count for graph in captured) == [1, 16]
    assert decoder.way(3) == "a graph of whole steps"
    assert told(decoder.generate([3], config)) == told(generate(engine, [3], config))
    assert len(captured) == 2


def test_steps_that_cannot_be_captured_are_made_all_the_same(captured, lstm, monkeypatch, caplog):
    def refuse(graph):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    engine, decoder = lstm
    config = SamplingConfig(max_new_tokens=20, seed=2)
    with caplog.at_level("INFO"):
        assert told(decoder.generate([3], config)) == told(generate(engine, [3], config))
    assert decoder.way(1) == "one operation at a time"
    assert caplog.messages == [
        "decoding without a CUDA graph: operation not permitted when stream is capturing"
    ]
