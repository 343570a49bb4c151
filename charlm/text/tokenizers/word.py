"""Words, symbols and line ends as tokens; the text comes back exactly (see `word_chunks`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TokenizerError
from charlm.text.scripts import is_tight, tight_letters_pattern
from charlm.text.tokenizers.common import (
    UNK,
    VOCAB_FILE,
    ChunkCache,
    as_ids,
    encode_chunks,
    require_keys,
    vocab_from,
)
from charlm.text.tokenizers.config import TokenizerConfig
from charlm.text.tokenizers.counting import WordCounter
from charlm.text.tokenizers.han import cut_by, has_jieba
from charlm.text.tokenizers.protocol import Ids, StreamDecoder, TokenCounter
from charlm.text.tokenizers.word_chunks import SIDES, find_chunks, tokens_of
from charlm.text.vocab import Vocab

DEFAULT_VOCAB_SIZE = 30_000
JOIN = "<join>"  # no text, and no blank on either side: for a symbol in a form never seen
_WHITE = ("\n", "\t", " ", " " * 2, " " * 4, " " * 8, " " * 16)
SPECIALS = (UNK, JOIN, *_WHITE)
_UNK_ID, _JOIN_ID, _NEWLINE_ID = 0, 1, 2


class WordTokenizer:
    r"""Words with punctuation kept; `decode(encode(s)) == s` for text without unknown words.

    Example:
        >>> tokenizer = WordTokenizer.train(["Hello, world!\n"], TokenizerConfig())
        >>> [tokenizer.token(i) for i in tokenizer.encode("Hello, world!\n")]
        ['Hello', ',', 'world', '!', '\n']
        >>> tokenizer.decode(tokenizer.encode("world  , Hello!"))
        'world  , Hello!'
    """

    name: ClassVar[str] = "word"
    implies_blanks: ClassVar[bool] = True
    is_slow: ClassVar[bool] = True
    unk_id: int | None = _UNK_ID
    eos_id: int | None = _NEWLINE_ID
    hidden_ids: tuple[int, ...] = (_UNK_ID,)

    def __init__(self, vocab: Vocab, *, lowercase: bool = False, han: str = "chars") -> None:
        self.vocab = vocab
        self.lowercase = lowercase
        self.han = han
        self._cut = cut_by(han)
        self._cache = ChunkCache(self._encode_chunk)
        self._forms = _Forms(vocab)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, the special ones included."""
        return len(self.vocab)

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return the tokenizer of the words of a text: the 30,000 most frequent by default."""
        counter = cls.counter(config)
        for piece in pieces:
            counter.add(piece)
        return cls.from_counts(counter.take(), config)

    @classmethod
    def counter(cls, config: TokenizerConfig) -> TokenCounter:
        """Return what counts words, symbols and explicit white space."""
        cut = cut_by("jieba" if has_jieba() else "chars")  # of use in Chinese alone
        find = _find_lower_chunks if config.lowercase else find_chunks
        return WordCounter(find, lambda chunk: tokens_of(chunk, cut), implied=True)

    @classmethod
    def most_tokens(cls, config: TokenizerConfig) -> int | None:
        """Return how many tokens are kept."""
        return config.vocab_size or DEFAULT_VOCAB_SIZE

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], config: TokenizerConfig) -> Self:
        """Return the tokenizer of these tokens."""
        han = _han_method(counts)
        vocab = Vocab.build(
            _with_plain_symbols(counts),
            max_size=config.vocab_size or DEFAULT_VOCAB_SIZE,
            min_count=config.min_count or 1,
            specials=SPECIALS,
        )
        return cls(vocab, lowercase=config.lowercase, han=han)

    def encode(self, text: str) -> Ids:
        """Return the ids of words, symbols and explicit white space."""
        if self.lowercase:
            text = text.lower()
        return encode_chunks(text, find_chunks, self._cache, implied=True)

    def _encode_chunk(self, chunk: str) -> tuple[int, ...]:
        ids: list[int] = []
        for token in tokens_of(chunk, self._cut):
            known = self.vocab.ids.get(token)
            ids += self._encode_unseen(token) if known is None else (known,)
        return tuple(ids)

    def _encode_unseen(self, token: str) -> list[int]:
        ids = self.vocab.ids
        if len(token) == 2 and token[0] in SIDES:  # a symbol, or its form, never seen
            left, right = SIDES[token[0]]
            plain = ids.get(token[1])
            return [_UNK_ID] if plain is None else [_JOIN_ID] * left + [plain] + [_JOIN_ID] * right
        if len(token) > 1 and is_tight(token[0]):
            return [ids.get(char, _UNK_ID) for char in token]
        return [_UNK_ID]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, an unknown word as `<unk>`."""
        array = as_ids(ids, self.vocab_size)
        blanks = self._forms.blanks(array)
        texts, spaced = self._forms.texts, self._forms.spaced
        pairs = zip(array.tolist(), blanks.tolist(), strict=True)
        return "".join([spaced[i] if blank else texts[i] for i, blank in pairs])

    def token(self, token_id: int) -> str:
        """Return the word, symbol or white space, without its mark."""
        return UNK if token_id == _UNK_ID else self._forms.texts[token_id] or JOIN

    def decoder(self) -> StreamDecoder:
        """Return a decoder that puts the implied blanks in."""
        return _WordDecoder(self._forms)

    def count_chars(self, ids: Ids) -> int:
        """Return how many code points `decode(ids)` has, implied blanks included."""
        return int(self._forms.lengths[ids].sum()) + int(self._forms.blanks(ids).sum())

    def to_files(self) -> dict[str, bytes]:
        """Return the vocabulary file."""
        return {VOCAB_FILE: self.vocab.to_bytes()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], config: Mapping[str, object]) -> Self:
        """Return the tokenizer of a stored vocabulary."""
        require_keys(config, ("lowercase", "han"))
        lowercase, han = config.get("lowercase", False), config.get("han", "chars")
        if not isinstance(lowercase, bool):
            raise TokenizerError(
                f"tokenizer config: lowercase must be true or false: {lowercase!r}"
            )
        if han not in ("chars", "jieba"):
            raise TokenizerError(f"tokenizer config: han must be chars or jieba, got {han!r}")
        vocab = vocab_from(files, num_specials=len(SPECIALS))
        if vocab.tokens[: len(SPECIALS)] != SPECIALS:
            raise TokenizerError(f"{VOCAB_FILE}: other special tokens than a word tokenizer has")
        return cls(vocab, lowercase=lowercase, han=str(han))

    def config(self) -> dict[str, object]:
        """Return the case rule and the way Chinese is cut."""
        return {"name": self.name, "lowercase": self.lowercase, "han": self.han}


class _Forms:
    """Per token: its text, and whether a blank may stand before and behind it."""

    def __init__(self, vocab: Vocab) -> None:
        self.texts: list[str] = []
        before, behind = [], []
        for index, token in enumerate(vocab.tokens):
            text, opens_left, opens_right = _form_of(token, index)
            self.texts.append(text)
            before.append(opens_left)
            behind.append(opens_right)
        self.spaced = [f" {text}" for text in self.texts]
        self.lengths = np.fromiter(map(len, self.texts), dtype=np.int64, count=len(vocab))
        self.before = np.array(before, dtype=bool)
        self.behind = np.array(behind, dtype=bool)

    def blanks(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Return for each id whether a blank stands before it."""
        blanks = np.zeros(len(ids), dtype=bool)
        blanks[1:] = self.behind[ids[:-1]] & self.before[ids[1:]]
        return blanks


class _WordDecoder:
    """Ids to text one by one."""

    def __init__(self, forms: _Forms) -> None:
        self._forms = forms
        self._open = False

    def push(self, token_id: int) -> str:
        """Return the token's text, with the blank before it where one is implied."""
        blank = self._open and bool(self._forms.before[token_id])
        self._open = bool(self._forms.behind[token_id])
        return self._forms.spaced[token_id] if blank else self._forms.texts[token_id]

    def flush(self) -> str:
        """Return nothing: no text is held back."""
        return ""


def _form_of(token: str, index: int) -> tuple[str, bool, bool]:
    if index == _UNK_ID:
        return UNK, True, True
    if index < len(SPECIALS):
        return "" if index == _JOIN_ID else token, False, False
    if len(token) == 2 and token[0] in SIDES:
        left, right = SIDES[token[0]]
        return token[1], not left, not right
    return token, not is_tight(token[0]), not is_tight(token[-1])


def _find_lower_chunks(text: str) -> list[str]:
    return find_chunks(text.lower())


def _is_symbol_form(token: str) -> bool:
    return len(token) == 2 and token[0] in SIDES


def _with_plain_symbols(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts with the plain form of each symbol, for it stands in for all others."""
    found = dict(counts)
    for token, times in counts.items():
        if _is_symbol_form(token):
            found[token[1]] = max(found.get(token[1], 0), times)
    return found


def _han_method(counts: Mapping[str, int]) -> str:
    """Return how to cut Chinese: by jieba where there is some and jieba is installed."""
    letters = total = 0
    for token, times in counts.items():
        total += times if _is_symbol_form(token) else times * len(token)
        if not token.isascii() and tight_letters_pattern().match(token):
            letters += times * len(token)
    if letters and has_jieba():
        return "jieba"
    if letters > total / 2:
        raise TokenizerError(
            "cutting Chinese into words needs jieba: pip install 'charlm[zh]' "
            "(or take --tokenizer char or unigram)"
        )
    return "chars"
