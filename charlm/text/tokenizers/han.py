"""Words of Chinese by jieba, an optional package; without it each character is a word."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable
from functools import cache

from charlm.base.errors import TokenizerError

Cut = Callable[[str], list[str]]


def has_jieba() -> bool:
    """Return whether jieba is installed."""
    return importlib.util.find_spec("jieba") is not None


def cut_by(method: str) -> Cut:
    """Return what cuts a run of Chinese letters: `jieba` into words, `chars` into characters."""
    return _cut_lazily if method == "jieba" else list


def _cut_lazily(run: str) -> list[str]:
    return _jieba_cut()(run)


@cache
def _jieba_cut() -> Cut:
    """Return jieba's dictionary cut, its dictionary read from the package itself.

    jieba would keep a cache of its dictionary in the shared temporary folder and trust whatever
    lies there; so the dictionary is built here instead. The hidden Markov model stays off: it
    makes up words, which a vocabulary then lacks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escapes and pkg_resources in jieba's modules
        try:
            import jieba
        except ImportError as error:
            raise TokenizerError(
                "this tokenizer cuts Chinese by jieba, which is missing: pip install 'charlm[zh]'"
            ) from error
        jieba.setLogLevel(logging.WARNING)
        tokenizer = jieba.Tokenizer()
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
        tokenizer.initialized = True

    def cut(run: str) -> list[str]:
        words: list[str] = tokenizer.lcut(run, HMM=False)
        return words if "".join(words) == run else list(run)

    return cut
