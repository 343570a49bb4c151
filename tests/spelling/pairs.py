"""Pairs of small language models with random weights, in memory or in folders."""

import numpy as np

from charlm.base.config import to_json
from charlm.engine.config import LanguageModelConfig
from charlm.spelling.pair import AHEAD, BACK, Pair, pair_arrays
from charlm.store.checkpoint import save_model
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer
from tests.spelling.making import SENTENCES


def make_tokenizer(text=SENTENCES, *, name="word", lowercase=True):
    return train_tokenizer(name, [text], TokenizerConfig(lowercase=lowercase))


def random_tensors(config, seed):
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(0.0, 0.5, shape).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }


def make_pair(tokenizer=None, **form):
    tokenizer = tokenizer or make_tokenizer()
    form = {"embedding_dim": 5, "hidden_size": 6, "num_layers": 2} | form
    config = LanguageModelConfig(vocab_size=tokenizer.vocab_size, **form)
    arrays = pair_arrays(config, random_tensors(config, 0), random_tensors(config, 1))
    return Pair(config, tokenizer, arrays)


def silent_pair(tokenizer, **biases):
    """Return a pair that knows nothing but how likely some words are, whatever stands around."""
    pair = make_pair(tokenizer)
    for array in pair.arrays.values():
        array[...] = 0
    counts = np.maximum(np.array(tokenizer.vocab.counts), 1)
    pair.arrays[f"{AHEAD}output.bias"][:] = np.log(counts)
    for word, bias in biases.items():
        pair.arrays[f"{BACK}output.bias"][tokenizer.vocab.ids[word]] = bias
    return Pair(pair.config, tokenizer, pair.arrays)


def save_half(folder, tokenizer, config, *, direction, seed=0):
    save_model(
        folder,
        kind="lm",
        model_config=to_json(config),
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors=random_tensors(config, seed),
        training={"direction": direction} if direction else {},
        card="",
    )


def save_pair(folder, tokenizer=None, **form):
    tokenizer = tokenizer or make_tokenizer()
    form = {"embedding_dim": 5, "hidden_size": 6} | form
    config = LanguageModelConfig(vocab_size=tokenizer.vocab_size, **form)
    save_half(folder, tokenizer, config, direction="forward")
    save_half(folder / "backward", tokenizer, config, direction="backward", seed=1)
