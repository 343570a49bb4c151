import builtins
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.base.errors import TokenizerError
from charlm.text.tokenizers import TokenizerConfig, han, load_tokenizer, train_tokenizer
from charlm.text.vocab import Vocab


def written(text, *training):
    """The tokens of a text as the vocabulary writes them."""
    tokenizer = train_tokenizer("word", training or [text])
    return [tokenizer.vocab.tokens[i] for i in tokenizer.encode(text).tolist()]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", ["Hello", "￩,", "world", "￩!"]),
        ("f (x)", ["f", "￫(", "x", "￩)"]),
        ("well-known", ["well", "￭-", "known"]),
        ("a , b", ["a", ",", "b"]),
        ("wait...", ["wait", "￩.", "￩.", "￩."]),
        ("don't o’clock 'tis", ["don't", "o’clock", "￫'", "tis"]),
        ("x_1 = 2", ["x", "￭_", "1", "=", "2"]),
        ("a  b\n\tc", ["a", "  ", "b", "\n", "\t", "c"]),
        (" a \n", [" ", "a", " ", "\n"]),
        (" " * 21 + "a", [" " * 16, " " * 4, " ", "a"]),
        ("cafe\u0301 हिन्दी", ["cafe\u0301", "हिन्दी"]),
        ("a\u00a0b", ["a", "￭\u00a0", "b"]),
        ("我来到北京，好。", ["我", "来到", "北京", "，", "好", "。"]),
        ("北京 ABC", ["北京", " ", "ABC"]),
        ("北京ABC, 好", ["北京", "ABC", "￩,", " ", "好"]),
    ],
)
def test_words_symbols_and_white_space(text, tokens):
    assert written(text) == tokens


def test_a_symbol_in_a_new_form_is_written_with_joins():
    tokenizer = train_tokenizer("word", ["a, b\n"])
    ids = tokenizer.encode("a,b")
    assert [tokenizer.vocab.tokens[i] for i in ids] == ["a", "<join>", ",", "<join>", "b"]
    assert tokenizer.decode(ids) == "a,b"


@given(st.text(alphabet="ab, .-(\n'", max_size=40))
@settings(deadline=None)
def test_known_words_and_symbols_come_back_in_any_arrangement(text):
    words = set(text.split())
    seen = "a b , . - ( '\n" + " ".join(words)
    tokenizer = train_tokenizer("word", [seen])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_unknown_words_become_unk():
    tokenizer = train_tokenizer("word", ["the cat\n"])
    assert tokenizer.decode(tokenizer.encode("the dog, the cat")) == "the <unk> <unk> the cat"


def test_rare_words_are_left_out_by_count_and_by_size():
    text = "a a a b b c\n"
    by_count = train_tokenizer("word", [text], TokenizerConfig(min_count=2))
    by_size = train_tokenizer("word", [text], TokenizerConfig(vocab_size=10))
    assert by_count.vocab.tokens[9:] == ("a", "b")
    assert by_size.vocab.tokens[9:] == ("a",)


def test_lowercase_gives_the_lower_cased_text_back():
    tokenizer = train_tokenizer("word", ["The CAT\n"], TokenizerConfig(lowercase=True))
    again = load_tokenizer(tokenizer.config(), tokenizer.to_files())
    assert again.decode(again.encode("THE cat")) == "the cat"


def test_words_share_one_entry_after_brackets_and_quotes():
    tokens = written('say (say) "say"')
    assert [token for token in tokens if "say" in token] == ["say"] * 3


@pytest.fixture
def no_jieba(monkeypatch):
    monkeypatch.setattr(han.importlib.util, "find_spec", lambda name: None)
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "jieba":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    han._jieba_cut.cache_clear()
    yield
    han._jieba_cut.cache_clear()


@pytest.mark.usefixtures("no_jieba")
def test_chinese_without_jieba_says_what_to_install():
    with pytest.raises(TokenizerError) as caught:
        train_tokenizer("word", ["我来到北京\n"])
    assert str(caught.value) == (
        "cutting Chinese into words needs jieba: pip install 'charlm[zh]' "
        "(or take --tokenizer char or unigram)"
    )


@pytest.mark.usefixtures("no_jieba")
def test_a_model_that_cuts_by_jieba_says_what_to_install():
    config = {"name": "word", "lowercase": False, "han": "jieba"}
    files = train_tokenizer("word", ["a\n"]).to_files()
    tokenizer = load_tokenizer(config, files)
    assert tokenizer.encode("a").tolist() == [9]
    with pytest.raises(TokenizerError) as caught:
        tokenizer.encode("北京")
    assert str(caught.value) == (
        "this tokenizer cuts Chinese by jieba, which is missing: pip install 'charlm[zh]'"
    )


@pytest.mark.usefixtures("no_jieba")
def test_a_little_chinese_goes_by_characters_without_jieba():
    text = "The capital is Beijing, 北京.\n"
    tokenizer = train_tokenizer("word", [text])
    assert tokenizer.config()["han"] == "chars"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_jieba_is_not_imported_for_english():
    sys.modules.pop("jieba", None)
    tokenizer = train_tokenizer("word", ["plain – text\n"])
    tokenizer.encode("plain – text\n")
    assert "jieba" not in sys.modules


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lowercase": 1}, "tokenizer config: lowercase must be true or false: 1"),
        ({"han": "x"}, "tokenizer config: han must be chars or jieba, got 'x'"),
    ],
)
def test_a_bad_stored_config_is_named(config, message):
    files = train_tokenizer("word", ["a\n"]).to_files()
    with pytest.raises(TokenizerError) as caught:
        load_tokenizer({"name": "word", **config}, files)
    assert str(caught.value) == message


def test_a_vocabulary_of_another_tokenizer_is_refused():
    files = {"vocab.json": Vocab([f"s{i}" for i in range(9)], None, 9).to_bytes()}
    with pytest.raises(TokenizerError) as caught:
        load_tokenizer({"name": "word"}, files)
    assert str(caught.value) == "vocab.json: other special tokens than a word tokenizer has"
