"""The form of a speller, and the names of its arrays."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError
from charlm.spelling.cloze import cloze_dtype, cloze_shapes
from charlm.spelling.lexicon import LONGEST, SPECIALS
from charlm.spelling.plausible import KINDS


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SpellerConfig:
    """What stands in `config.json` of a speller, besides the weights."""

    order: int = setting(5, "most words an n-gram has", ge=1, le=7)
    vocab_size: int = setting(4, "words the n-gram model can predict", ge=4, le=2_000_000)
    surfaces: int = setting(4, "words, with those that have apostrophes", ge=4, le=3_000_000)
    alphabet: str = setting("", "letters of the words")
    reach: int = setting(0, "how far an n-gram lies from its slot at most", ge=0, le=10_000)
    slots: int = setting(1, "slots of the n-gram table", ge=1, le=2**33)
    buckets: int = setting(1, "buckets of the remainders", ge=1, le=2**32)
    postings: int = setting(0, "remainders of words", ge=0, le=2**32)
    ngrams: int = setting(0, "n-grams in all", ge=0)
    cloze_words: int = setting(0, "words of the recurrent networks; 0: there are none", ge=0)
    cloze_dim: int = setting(0, "numbers of a word's vector", ge=0, le=8192)
    cloze_hidden: int = setting(0, "units of a recurrent network", ge=0, le=8192)
    cloze_inner: int = setting(0, "units of the layer over both", ge=0, le=8192)
    endings: tuple[str, ...] = setting((), "what words of words end with")
    beginnings: tuple[str, ...] = setting((), "what words of words begin with")

    def __post_init__(self) -> None:
        check(self)
        if not all(isinstance(one, str) for one in (*self.endings, *self.beginnings)):
            raise ConfigError("endings and beginnings must be texts")
        sizes = (self.cloze_dim, self.cloze_hidden, self.cloze_inner)
        if self.cloze_words > self.vocab_size or (self.cloze_words and not all(sizes)):
            raise ConfigError("the sizes of the recurrent networks do not fit")

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array by name."""
        shapes: dict[str, tuple[int, ...]] = {
            "log_prob.1": (self.vocab_size,),
            "backoff.1": (self.vocab_size + 1,),
            "fingerprints": (self.slots,),
            "log_probs": (self.slots,),
            "backoffs": (self.slots,),
            "starts": (self.buckets + 1,),
            "prints": (self.postings,),
            "words": (self.postings,),
            "codes": (LONGEST, self.surfaces),
            "capitals": (self.vocab_size,),
            "sound_hashes": (self.surfaces - len(SPECIALS),),
            "sound_words": (self.surfaces - len(SPECIALS),),
            "plausible": (KINDS,) * 4,
        }
        if self.cloze_words:
            shapes |= cloze_shapes(
                self.cloze_words, self.cloze_dim, self.cloze_hidden, self.cloze_inner
            )
        return shapes

    def dtypes(self) -> dict[str, str]:
        """Return the type of each array by name."""
        return {name: DTYPES.get(name) or cloze_dtype(name) for name in self.tensor_shapes()}


DTYPES = {
    "log_prob.1": "float32",
    "backoff.1": "float32",
    "fingerprints": "uint32",
    "log_probs": "uint16",
    "backoffs": "uint16",
    "starts": "uint32",
    "prints": "uint16",
    "words": "uint32",
    "codes": "uint8",
    "capitals": "uint8",
    "sound_hashes": "uint32",
    "sound_words": "uint32",
    "plausible": "float16",
}
