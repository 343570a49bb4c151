"""A forward and a backward language model of words as a second opinion on close calls.

`charlm train lm TEXT --tokenizer word --bidirectional` trains them. Where a word is taken out, the
one tells what the words before make of each that may stand there, the other what those behind do;
both at once, what was counted twice being taken off:

    log p(word | left) + log p(word | right) - log p(word)

up to a number that is the same for all words of a gap. This would be exact if, given the word, what
stands before it told nothing about what stands behind.

Arrays, float16 but for the biases, named as `engine.config` does, behind `pair.ahead.` for the
forward and `pair.back.` for the backward model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.engine.blas import blas_threads
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel
from charlm.spelling.lexicon import SPECIALS, UNKNOWN, Lexicon
from charlm.spelling.pair_words import PairWords
from charlm.spelling.windows import Int64, find_windows, steps_needed
from charlm.spelling.words import LOWER
from charlm.text.tokenizers.word import WordTokenizer

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

REACH = 24  # tokens of a window on either side of the part it is read for
AHEAD, BACK = "pair.ahead.", "pair.back."
_ROWS = 128  # windows read at once
_LARGEST = 60_000.0  # what float16 holds


def pair_shapes(config: LanguageModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array by name."""
    shapes = config.tensor_shapes()
    return {f"{side}{name}": shape for side in (AHEAD, BACK) for name, shape in shapes.items()}


def pair_dtypes(config: LanguageModelConfig) -> dict[str, str]:
    """Return the type of each array by name."""
    return {
        name: "float32" if len(shape) == 1 else "float16"
        for name, shape in pair_shapes(config).items()
    }


def pair_arrays(
    config: LanguageModelConfig, ahead: Mapping[str, Array], back: Mapping[str, Array]
) -> dict[str, Array]:
    """Return two models' tensors as the arrays of a pair.

    Raises:
        CheckpointError: if a number is too large for them.
    """
    found = {f"{AHEAD}{name}": array for name, array in ahead.items()}
    found |= {f"{BACK}{name}": array for name, array in back.items()}
    arrays = {}
    for name, dtype in pair_dtypes(config).items():
        if np.abs(found[name]).max(initial=0.0) > _LARGEST:
            raise CheckpointError(f"{name} has numbers beyond {_LARGEST:,.0f}; train both again")
        arrays[name] = np.ascontiguousarray(found[name].astype(dtype))
    return arrays


class Pair:
    """Scores tokens in the gaps of a text."""

    def __init__(
        self,
        config: LanguageModelConfig,
        tokenizer: WordTokenizer,
        arrays: Mapping[str, Array],
        *,
        log_unknown: float | None = None,
    ) -> None:
        """Take the arrays as they are.

        Args:
            config: the form of both models.
            tokenizer: what their tokens are.
            arrays: see `pair_shapes`; others are left alone.
            log_unknown: log p of all words together that the speller knows and the pair does not;
                None where it has not learnt when such words come.
        """
        self.log_unknown = log_unknown
        self.config, self.words = config, PairWords(tokenizer)
        self.arrays = {name: arrays[name] for name in pair_shapes(config)}
        self._counts, self._end_id = tokenizer.vocab.counts, self.words.end
        self._ahead = _Side(config, arrays, AHEAD)
        self._back = _Side(config, arrays, BACK)

    def meeting(self, lexicon: Lexicon, log_unigrams: Float32) -> Pair:
        """Return the pair as one that knows how many of a speller's words it lacks."""
        if self.log_unknown is not None or self._counts[-1] <= 1:  # of its text none was left out
            return self
        lacking = [
            number
            for number, word in enumerate(lexicon.surfaces[: lexicon.vocab_size])
            if number == UNKNOWN or (number >= len(SPECIALS) and self.words.word(word, LOWER) < 0)
        ]
        share = float(np.logaddexp.reduce(log_unigrams[lacking]))
        return Pair(self.config, self.words.tokenizer, self.arrays, log_unknown=share)

    def vectors(self, text: Int64, starts: Int64, ends: Int64, begin: Int64, end: Int64) -> Float32:
        """Return what the output layers read at each gap: forward features, then backward ones.

        Args:
            text: ids.
            starts, ends: (gaps,), the line that each gap is in: behind it nothing is read.
            begin, end: (gaps,), which tokens are taken out.
        """
        window, where = find_windows(len(text), starts, ends, begin, REACH)
        low, high = window.low[where], window.high[where]
        text = np.append(text, self._end_id)
        count, size = len(window.low), self.config.output_size
        ahead = np.empty((len(begin), size), dtype=np.float32)
        back = np.empty_like(ahead)
        for batch, asked, row, steps in _batches(count, where, begin - low):
            places = np.minimum(window.low[batch][:, None] + np.arange(steps.max()), len(text) - 1)
            states = self._ahead.read(self._from_the_end_of_a_line(text[places]))
            ahead[asked] = states[steps, row]
        for batch, asked, row, steps in _batches(count, where, high - end):
            places = np.maximum(window.high[batch][:, None] - 1 - np.arange(steps.max()), 0)
            states = self._back.read(self._from_the_end_of_a_line(text[places]))
            back[asked] = states[steps, row]
        return np.concatenate([self._ahead.project(ahead), self._back.project(back)], axis=1)

    def _from_the_end_of_a_line(self, ids: Int64) -> Int64:
        return np.concatenate([np.full((len(ids), 1), self._end_id), ids], axis=1)

    def scores(self, vectors: Float32, tokens: Int64) -> Float32:
        """Return the score of a token in each gap, less what is the same for all of a gap."""
        ahead, back = np.split(vectors, 2, axis=1)
        found = self._ahead.logits(ahead, tokens) + self._back.logits(back, tokens)
        return np.asarray(found - self._log_counts[tokens])

    @cached_property
    def _log_counts(self) -> Float32:
        counts = np.array(self._counts, dtype=np.float64)
        found = np.log(np.maximum(counts, 1.0))
        if self.log_unknown is not None:
            # log p(unknown | left) + log p(unknown | right) is of all of them; of one it is less
            # by 2 log p(unknown) - 2 log p(word), of which scores add the last: see `PairJudge`
            found[self.words.unknown] = np.log(counts.sum()) + 2.0 * self.log_unknown
        return found.astype(np.float32)


def _batches(count: int, where: Int64, steps: Int64) -> list[tuple[Int64, Int64, Int64, Int64]]:
    """Return windows to read together: which, and of each gap in them: which, its row, its step."""
    order = np.argsort(-steps_needed(count, where, steps), kind="stable")
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    found = []
    for start in range(0, count, _ROWS):
        asked = np.flatnonzero((rank[where] >= start) & (rank[where] < start + _ROWS))
        row = rank[where[asked]] - start
        found.append((order[start : start + _ROWS], asked, row, steps[asked]))
    return found


class _Side:
    """One of the models; prepared when it is first asked."""

    def __init__(
        self, config: LanguageModelConfig, arrays: Mapping[str, Array], prefix: str
    ) -> None:
        self._config = config
        self._tensors = {name: arrays[f"{prefix}{name}"] for name in config.tensor_shapes()}
        output = "embedding.weight" if config.tie_weights else "output.weight"
        self._rows, self._bias = self._tensors[output], self._tensors["output.bias"]

    @cached_property
    def _model(self) -> LanguageModel:
        return LanguageModel(self._config, self._tensors, keeps_inputs=False)

    @cached_property
    def _projection(self) -> Float32 | None:
        found = self._tensors.get("projection.weight")
        return None if found is None else found.astype(np.float32).T.copy()

    def read(self, ids: Int64) -> Float32:
        """Return what the output reads after each id, (time, batch, …), for (batch, time) ids."""
        with blas_threads(1):  # products too small to wake threads for
            states, _ = self._model.read_layers(ids, self._model.initial_state(len(ids)))
        return np.concatenate(list(states), axis=-1) if self._config.skip else states[-1]

    def project(self, states: Float32) -> Float32:
        """Return what is multiplied with the words' rows."""
        if self._projection is None:
            return states
        with blas_threads(1):
            return states @ self._projection

    def logits(self, features: Float32, tokens: Int64) -> Float32:
        """Return the logit of a token each, of (tokens, features)."""
        rows = self._rows[tokens].astype(np.float32)
        found: Float32 = np.einsum("ij,ij->i", features, rows)
        return found + self._bias[tokens]
