"""Words, symbols and line ends, so written that the text comes back exactly.

A text is cut at white space into chunks, a chunk into words and symbols (`scripts.word_pattern`).
One blank between two chunks is implied. Words carry no mark; where no blank stands beside a symbol,
the symbol says so, by a mark in front of it in the vocabulary:

    `,`   a blank (or the chunk's end) on both sides
    `￩,`  joined to what stands before       Hello, world  ->  Hello ￩, world
    `￫(`  joined to the word behind          f (x)         ->  f ￫( x ￩)
    `￭-`  joined to both                     well-known    ->  well ￭- known

Chinese and Japanese put no blanks between words: beside their letters and punctuation none is
implied, so nothing is marked there. All other white space (line ends, tabs, runs of blanks, a blank
beside a Chinese character) is written as tokens of its own, beside which no blank is implied.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TokenizerError
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
from charlm.text.tokenizers.han import Cut, cut_by, has_jieba
from charlm.text.tokenizers.protocol import Ids, StreamDecoder
from charlm.text.tokenizers.scripts import (
    ASCII_WORD,
    TIGHT_LETTERS,
    TIGHT_SYMBOLS,
    is_tight,
    letter_pattern,
    tight_letters_pattern,
    tight_pattern,
    word_pattern,
)
from charlm.text.vocab import Vocab

DEFAULT_VOCAB_SIZE = 30_000
JOIN = "<join>"  # no text, and no blank on either side: for a symbol in a form never seen
_WHITE = ("\n", "\t", " ", " " * 2, " " * 4, " " * 8, " " * 16)
SPECIALS = (UNK, JOIN, *_WHITE)
_UNK_ID, _JOIN_ID, _NEWLINE_ID = 0, 1, 2

_LEFT, _RIGHT, _BOTH = "￩", "￫", "￭"  # joined to what stands before, behind, on both sides
_MARK = {(False, False): "", (True, False): _LEFT, (False, True): _RIGHT, (True, True): _BOTH}
_SIDES = {mark: sides for sides, mark in _MARK.items()}

_CHUNK = r"[^ \t\n]+|[ \t\n]{2,}|[\t\n]|\A | \Z"
_CHUNKS = re.compile(_CHUNK)
_WHITE_PART = re.compile(r"\n|\t| {16}| {8}| {4}| {2}| ")


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
        chunks: Counter[str] = Counter()
        for piece in pieces:
            chunks.update(_find_chunks(piece.lower() if config.lowercase else piece))
        han = _han_method(chunks)
        vocab = Vocab.build(
            _count_tokens(chunks, cut_by(han)),
            max_size=config.vocab_size or DEFAULT_VOCAB_SIZE,
            min_count=config.min_count or 1,
            specials=SPECIALS,
        )
        return cls(vocab, lowercase=config.lowercase, han=han)

    def encode(self, text: str) -> Ids:
        """Return the ids of words, symbols and explicit white space."""
        if self.lowercase:
            text = text.lower()
        return encode_chunks(text, _find_chunks, self._cache)

    def _encode_chunk(self, chunk: str) -> tuple[int, ...]:
        ids: list[int] = []
        for token in _tokens_of(chunk, self._cut):
            known = self.vocab.ids.get(token)
            ids += self._encode_unseen(token) if known is None else (known,)
        return tuple(ids)

    def _encode_unseen(self, token: str) -> list[int]:
        ids = self.vocab.ids
        if len(token) == 2 and token[0] in _SIDES:  # a symbol, or its form, never seen
            left, right = _SIDES[token[0]]
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
    if len(token) == 2 and token[0] in _SIDES:
        left, right = _SIDES[token[0]]
        return token[1], not left, not right
    return token, not is_tight(token[0]), not is_tight(token[-1])


@cache
def _tight_chunks() -> re.Pattern[str]:
    tight = f"[{TIGHT_LETTERS}{TIGHT_SYMBOLS}]"
    return re.compile(rf"{_CHUNK}|(?<={tight}) | (?={tight})")


def _find_chunks(text: str) -> list[str]:
    """Return chunks and explicit white space; a blank that is implied is left out."""
    if text.isascii() or not tight_pattern().search(text):
        return _CHUNKS.findall(text)
    return _tight_chunks().findall(text)


def _tokens_of(chunk: str, cut: Cut) -> list[str]:
    """Return the tokens of one chunk as the vocabulary writes them."""
    if chunk[0] in " \t\n":
        return _WHITE_PART.findall(chunk)
    if chunk.isascii():
        parts, tight = ASCII_WORD.findall(chunk), False
    else:
        parts, tight = word_pattern().findall(chunk), tight_pattern().search(chunk) is not None
    if len(parts) == 1 and not tight:
        return parts
    return _mark_symbols(parts, cut) if tight else _mark_spaced_symbols(parts)


def _mark_spaced_symbols(parts: list[str]) -> list[str]:
    last = len(parts) - 1
    return [
        part
        if _is_word(part)
        else _MARK[index > 0, index < last and _is_word(parts[index + 1])] + part
        for index, part in enumerate(parts)
    ]


def _mark_symbols(parts: list[str], cut: Cut) -> list[str]:
    tokens: list[str] = []
    tight = [is_tight(part[0]) for part in parts]
    last = len(parts) - 1
    for index, part in enumerate(parts):
        if tight[index]:
            tokens += cut(part) if len(part) > 1 else (part,)
        elif _is_word(part):
            tokens.append(part)
        else:
            left = index > 0 and not tight[index - 1]
            right = index < last and not tight[index + 1] and _is_word(parts[index + 1])
            tokens.append(_MARK[left, right] + part)
    return tokens


def _is_word(part: str) -> bool:
    if part.isascii():
        return part[0].isalnum()
    return letter_pattern().match(part) is not None


def _count_tokens(chunks: Mapping[str, int], cut: Cut) -> Counter[str]:
    counts: Counter[str] = Counter()
    for chunk, times in chunks.items():
        for token in _tokens_of(chunk, cut):
            counts[token] += times
    # the plain form of a symbol must be known, for it stands in for all others
    for token, times in list(counts.items()):
        if len(token) == 2 and token[0] in _SIDES:
            counts[token[1]] = max(counts[token[1]], times)
    return counts


def _han_method(chunks: Mapping[str, int]) -> str:
    """Return how to cut Chinese: by jieba where there is some and jieba is installed."""
    letters = total = 0
    for chunk, times in chunks.items():
        total += len(chunk) * times
        if not chunk.isascii():
            letters += times * sum(map(len, tight_letters_pattern().findall(chunk)))
    if letters and has_jieba():
        return "jieba"
    if letters > total / 2:
        raise TokenizerError(
            "cutting Chinese into words needs jieba: pip install 'charlm[zh]' "
            "(or take --tokenizer char or unigram)"
        )
    return "chars"
