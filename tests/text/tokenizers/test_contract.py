"""What every registered tokenizer must do, checked on each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.base.errors import ConfigError, TokenizerError
from charlm.text.tokenizers import (
    TOKENIZERS,
    TokenizerConfig,
    encode_pieces,
    load_tokenizer,
    train_tokenizer,
)

TRAINING_TEXT = (
    'Once upon a time, there was a king (and a queen); they said: "Well-known words!"\n'
    "\tIndented  text\n\n    def foo(x_1):  # it's naïve café – “quoted” 100 %\n"
    "        return x_1 + 2\n中文，很好。ABC 中 文 ひらがな カタカナ\n"
) * 30

any_text = st.text(max_size=60)
tricky_text = st.text(
    alphabet=" \t\n\r\0\u2581\ufeff\u2028￩￫￭ab.,'’(-_中，é\u0301😀<>", max_size=40
)
texts = st.one_of(any_text, tricky_text)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    config = TokenizerConfig(vocab_size=400)
    made = {
        name: train_tokenizer(
            name, [TRAINING_TEXT], config if name in ("bpe", "unigram") else TokenizerConfig()
        )
        for name in TOKENIZERS
        if name != "sentencepiece"
    }
    path = tmp_path_factory.mktemp("model") / "own.model"
    path.write_bytes(made["unigram"].to_files()["tokenizer.model"])
    made["sentencepiece"] = train_tokenizer(str(path), [])
    return made


@pytest.fixture(params=list(TOKENIZERS), scope="module")
def tokenizer(request, tokenizers):
    return tokenizers[request.param]


def test_ids_are_int32_within_the_vocabulary(tokenizer):
    @given(texts)
    @settings(max_examples=60, deadline=None)
    def check(text):
        ids = tokenizer.encode(text)
        assert ids.dtype == np.int32
        assert ids.ndim == 1
        assert all(0 <= i < tokenizer.vocab_size for i in ids.tolist())

    check()


def test_streamed_text_joined_is_the_decoded_text(tokenizer):
    ids_lists = st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=40)

    @given(ids_lists)
    @settings(max_examples=100, deadline=None)
    def check(ids):
        decoder = tokenizer.decoder()
        streamed = "".join([decoder.push(i) for i in ids]) + decoder.flush()
        assert streamed == tokenizer.decode(ids)

    check()


def test_count_chars_is_the_length_of_the_decoded_text(tokenizer):
    ids_lists = st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=40)

    @given(ids_lists)
    @settings(max_examples=100, deadline=None)
    def check(ids):
        array = np.array(ids, dtype=np.int32)
        assert tokenizer.count_chars(array) == len(tokenizer.decode(array))

    check()


def test_the_training_text_comes_back(tokenizer):
    text = TRAINING_TEXT
    if tokenizer.name == "whitespace":
        text = "".join(" ".join(line.split()) + "\n" for line in text.split("\n")[:-1])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_pieces_give_the_ids_of_the_whole(tokenizer):
    lines = TRAINING_TEXT.splitlines(keepends=True)
    assert encode_pieces(tokenizer, lines).tolist() == tokenizer.encode(TRAINING_TEXT).tolist()


@pytest.mark.parametrize("text", ["", "\0", "\ud800\udc00", "a\udc80b", "\U0010ffff", "ß" * 5000])
def test_odd_text_never_crashes(tokenizer, text):
    ids = tokenizer.encode(text)
    assert isinstance(tokenizer.decode(ids), str)
    assert all(isinstance(tokenizer.token(i), str) for i in ids.tolist())


def test_files_and_config_give_the_same_tokenizer(tokenizer):
    again = load_tokenizer(tokenizer.config(), tokenizer.to_files())
    assert type(again) is type(tokenizer)
    assert again.config() == tokenizer.config()
    assert again.to_files() == tokenizer.to_files()
    assert again.encode(TRAINING_TEXT).tolist() == tokenizer.encode(TRAINING_TEXT).tolist()
    assert again.hidden_ids == tokenizer.hidden_ids


def test_altered_files_give_tokenizer_errors_alone(tokenizer):
    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def check(data):
        files = {}
        for name, contents in tokenizer.to_files().items():
            place = data.draw(st.integers(0, len(contents) - 1))
            byte = data.draw(st.binary(max_size=3))
            cut = data.draw(st.integers(0, 40))
            files[name] = contents[:place] + byte + contents[place + cut :]
        try:
            loaded = load_tokenizer(tokenizer.config(), files)
        except TokenizerError:
            return
        loaded.decode(loaded.encode("a b\nc"))

    check()


@pytest.mark.parametrize("ids", [[-1], [10_000_000]])
def test_ids_outside_the_vocabulary_are_a_mistake_of_the_caller(tokenizer, ids):
    with pytest.raises(ValueError, match=r"^id -?\d+ is outside the vocabulary of \d+ tokens$"):
        tokenizer.decode(ids)


def test_missing_files_are_named(tokenizer):
    for name in tokenizer.to_files():
        with pytest.raises(TokenizerError, match=f"^the tokenizer's file {name} is missing$"):
            load_tokenizer(tokenizer.config(), {})


def test_unknown_config_keys_are_refused(tokenizer):
    with pytest.raises(TokenizerError, match=r"^tokenizer config: unknown keys colour$"):
        load_tokenizer({**tokenizer.config(), "colour": 1}, tokenizer.to_files())


def test_hidden_ids_never_stand_in_encoded_text(tokenizer):
    assert not set(tokenizer.hidden_ids) & set(tokenizer.encode(TRAINING_TEXT).tolist())


@pytest.mark.parametrize("name", [n for n in TOKENIZERS if n not in ("word", "sentencepiece")])
def test_lowercase_is_for_words(name):
    with pytest.raises(TokenizerError) as caught:
        train_tokenizer(name, ["A\n"], TokenizerConfig(lowercase=True))
    assert str(caught.value) == (
        f"--lowercase works with the word tokenizer, not with {name}; "
        "lower the text beforehand instead"
    )


def test_a_misspelt_name_offers_the_nearest():
    with pytest.raises(ConfigError, match=r"^no tokenizer 'chart' \(did you mean 'char'\?\)"):
        train_tokenizer("chart", [])


def test_a_foreign_name_in_a_model_folder_is_an_error_of_the_tokenizer():
    with pytest.raises(TokenizerError, match=r"^no tokenizer 'None'; known: char, byte"):
        load_tokenizer({}, {})


@given(texts)
@settings(max_examples=150, deadline=None)
def test_bytes_and_subwords_lose_nothing(tokenizers, text):
    for name in ("byte", "bpe", "unigram", "sentencepiece"):
        tokenizer = tokenizers[name]
        assert tokenizer.decode(tokenizer.encode(text)) == text


@given(texts)
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("name", ["char", "word"])
def test_text_trained_on_comes_back(name, text):
    tokenizer = train_tokenizer(name, [text])
    ids = tokenizer.encode(text)
    assert tokenizer.unk_id not in ids.tolist()
    assert tokenizer.decode(ids) == text
