"""A speller: its parts, built from counted words or restored from a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.ngram.model import NgramModel
from charlm.ngram.probing import ProbingModel, pack
from charlm.spelling.affixes import learn_affixes
from charlm.spelling.alike import Sounds, build_sounds
from charlm.spelling.candidates import Candidates
from charlm.spelling.channel import Channel
from charlm.spelling.close_calls import ROUNDS
from charlm.spelling.cloze import Cloze
from charlm.spelling.config import SpellerConfig
from charlm.spelling.deletes import Deletes, build_deletes
from charlm.spelling.judging import ClozeJudge, Judge
from charlm.spelling.lexicon import LONGEST, SPECIALS, Lexicon
from charlm.spelling.pair import Pair
from charlm.spelling.pair_judge import PairJudge
from charlm.spelling.plausible import Plausibility, build_plausibility
from charlm.spelling.weights import Weights

PAIR_SHARE = 0.3  # of a pair in what words around say, where nobody tried
Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speller:
    """Everything that corrections are made with. `tensors` and `channel_data` are what is saved."""

    config: SpellerConfig
    weights: Weights
    lexicon: Lexicon
    model: ProbingModel
    candidates: Candidates
    tensors: Mapping[str, Array]
    channel_data: bytes
    cloze: Cloze | None = None
    pair: Pair | None = None

    @property
    def parameters(self) -> int:
        """How many numbers were learnt: two of each n-gram, and those of the networks."""
        networks = (a.size for n, a in self.tensors.items() if n.startswith(("cloze.", "pair.")))
        return 2 * self.config.ngrams + sum(networks)

    def with_cloze(self, arrays: Mapping[str, Array]) -> Speller:
        """Return the speller with recurrent networks, by the arrays that `cloze` names."""
        words, dim = arrays["cloze.words"].shape
        config = dataclasses.replace(
            self.config,
            cloze_words=words,
            cloze_dim=dim,
            cloze_hidden=arrays["cloze.ahead.hh"].shape[1],
            cloze_inner=len(arrays["cloze.inner.b"]),
        )
        tensors = {**self.tensors, **arrays}
        return dataclasses.replace(self, config=config, tensors=tensors, cloze=Cloze(arrays))

    def with_pair(self, pair: Pair, share: float = PAIR_SHARE) -> Speller:
        """Return the speller with a pair of language models.

        With them, n-grams tell words apart less sharply, so that a change needs less.

        Args:
            pair: what is heard.
            share: of it in what words around say.
        """
        pair = pair.meeting(self.lexicon, self.model.log_unigrams)
        margin = self.weights.margin - share
        return dataclasses.replace(
            self,
            pair=pair,
            tensors={**self.tensors, **pair.arrays},
            weights=dataclasses.replace(self.weights, cloze=share, margin=margin),
        )

    def judge(self) -> Judge | None:
        """Return what decides close calls of one text, from its beginning, if there is any."""
        if self.pair is not None:
            return PairJudge(self.pair, self.model, self.candidates.options, ROUNDS)
        return None if self.cloze is None else ClozeJudge(self.cloze, self.model, ROUNDS)


def build_speller(
    lexicon: Lexicon,
    ngrams: NgramModel,
    rare: Sequence[str],
    channel: Channel,
    channel_data: bytes,
    weights: Weights,
) -> Speller:
    """Return a speller of a vocabulary and its n-grams.

    Args:
        lexicon: the vocabulary and what is made of it.
        ngrams: over the tokens of the lexicon.
        rare: words such as are not in the vocabulary, to tell how such words are spelt.
        channel: how words are misspelt, and `channel_data`, the table it came from.
        weights: of the parts of a decision.
    """
    arrays, reach = pack(ngrams)
    codes, lengths = lexicon.encode(lexicon.surfaces)
    fits = np.array([len(surface) <= LONGEST for surface in lexicon.surfaces])
    fits[: len(SPECIALS)] = False
    numbers = np.flatnonzero(fits)
    arrays |= build_deletes(codes[:, numbers], lengths[numbers], numbers)
    arrays |= build_sounds(lexicon.surfaces[len(SPECIALS) :], len(SPECIALS))
    arrays["codes"] = codes
    arrays["capitals"] = lexicon.capitals
    arrays["plausible"] = build_plausibility(rare, lexicon.alphabet)
    endings, beginnings = learn_affixes(lexicon.surfaces[len(SPECIALS) : lexicon.vocab_size])
    config = SpellerConfig(
        order=ngrams.config.order,
        vocab_size=lexicon.vocab_size,
        surfaces=len(lexicon.surfaces),
        alphabet=lexicon.alphabet,
        reach=reach,
        slots=len(arrays["fingerprints"]),
        buckets=len(arrays["starts"]) - 1,
        postings=len(arrays["words"]),
        ngrams=sum(ngrams.config.ngrams),
        endings=endings,
        beginnings=beginnings,
    )
    return assemble(config, weights, lexicon, arrays, channel, channel_data)


def assemble(
    config: SpellerConfig,
    weights: Weights,
    lexicon: Lexicon,
    arrays: Mapping[str, Array],
    channel: Channel,
    channel_data: bytes,
) -> Speller:
    """Return the speller that has these parts."""
    model = ProbingModel(
        arrays, order=config.order, vocab_size=config.vocab_size, reach=config.reach
    )
    candidates = Candidates(
        lexicon,
        Deletes(arrays),
        channel,
        model,
        Plausibility(arrays["plausible"], config.alphabet),
        Sounds(arrays["sound_hashes"], arrays["sound_words"]),
        arrays["codes"],
        (config.endings, config.beginnings),
    )
    return Speller(
        config=config,
        weights=weights,
        lexicon=lexicon,
        model=model,
        candidates=candidates,
        tensors=arrays,
        channel_data=channel_data,
        cloze=Cloze(arrays) if config.cloze_words else None,
    )
