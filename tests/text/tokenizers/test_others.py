"""What char, byte, whitespace and the subword tokenizers do beyond the contract."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.base.errors import TokenizerError
from charlm.text.tokenizers import TokenizerConfig, load_tokenizer, train_tokenizer
from charlm.text.tokenizers.char import CharCounter
from charlm.text.vocab import Vocab

ENGLISH = "the king and the queen of the land saw a cat and a dog.\n" * 40


def test_char_ids_follow_frequency_then_code_point():
    tokenizer = train_tokenizer("char", ["bab", "ca\n"])
    assert tokenizer.vocab.tokens == ("<unk>", "a", "b", "\n", "c")
    assert tokenizer.vocab.counts == (0, 2, 2, 1, 1)
    assert tokenizer.encode("cabz\U0010ffff").tolist() == [4, 1, 2, 0, 0]


def test_char_shows_the_unknown_as_replacement_character():
    tokenizer = train_tokenizer("char", ["ab"])
    assert tokenizer.decode(tokenizer.encode("azb")) == "a\ufffdb"


def test_char_keeps_lone_surrogates_apart():
    tokenizer = train_tokenizer("char", ["\ud83d\ude00\U0001f600"])
    again = load_tokenizer(tokenizer.config(), tokenizer.to_files())
    assert again.decode(again.encode("\ud83d\ude00\U0001f600")) == "\ud83d\ude00\U0001f600"


def test_char_drops_rare_characters():
    text = "aaabbc"
    assert train_tokenizer("char", [text], TokenizerConfig(min_count=2)).vocab_size == 3
    assert train_tokenizer("char", [text], TokenizerConfig(vocab_size=2)).vocab_size == 2


def test_char_refuses_tokens_of_two_characters():
    files = {"vocab.json": Vocab(["<unk>", "ab"], None, 1).to_bytes()}
    with pytest.raises(TokenizerError) as caught:
        load_tokenizer({"name": "char"}, files)
    assert str(caught.value) == "vocab.json: a token of a char tokenizer has one character"


@given(st.text())
def test_characters_are_counted(text):
    counter = CharCounter()
    counter.add(text)
    assert counter.take() == {char: text.count(char) for char in set(text)}
    assert counter.take() == {}


@given(st.binary(max_size=40))
def test_byte_streams_replace_what_is_no_utf8(data):
    tokenizer = train_tokenizer("byte", [])
    decoder = tokenizer.decoder()
    streamed = "".join([decoder.push(i) for i in data]) + decoder.flush()
    assert streamed == tokenizer.decode(list(data)) == data.decode("utf-8", "replace")


def test_byte_holds_back_half_a_character():
    decoder = train_tokenizer("byte", []).decoder()
    assert [decoder.push(i) for i in "é!".encode()] == ["", "é", "!"]


def test_byte_tokens_have_names():
    tokenizer = train_tokenizer("byte", [])
    assert [tokenizer.token(i) for i in "aé".encode()] == ["a", "<0xC3>", "<0xA9>"]


def test_whitespace_counts_words_and_line_ends():
    tokenizer = train_tokenizer("whitespace", [" no it was <unk> \n but\n"])
    ids = tokenizer.encode(" no it was <unk> \n but\n\nno")
    words = [tokenizer.token(i) for i in ids]
    assert words == ["no", "it", "was", "<unk>", "<eos>", "but", "<eos>", "<eos>", "no"]
    assert tokenizer.decode(ids) == "no it was <unk>\nbut\n\nno"
    assert tokenizer.hidden_ids == ()
    assert tokenizer.eos_id == 1


def test_whitespace_hides_an_unk_that_the_text_never_wrote():
    tokenizer = train_tokenizer("whitespace", ["a b\n"])
    assert tokenizer.hidden_ids == (tokenizer.unk_id,) == (0,)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "<unk>"]), max_size=4), max_size=5))
def test_whitespace_gives_canonical_text_back(lines):
    text = "".join(" ".join(line) + "\n" for line in lines)
    tokenizer = train_tokenizer("whitespace", [text])
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_subwords_are_trained_the_same_way_twice(kind):
    config = TokenizerConfig(vocab_size=300)
    first = train_tokenizer(kind, [ENGLISH], config)
    second = train_tokenizer(kind, [ENGLISH], config)
    assert first.to_files() == second.to_files()
    assert len(first.encode(ENGLISH)) < len(ENGLISH)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_small_text_gives_fewer_pieces_and_says_so(kind, caplog, capfd):
    tokenizer = train_tokenizer(kind, [ENGLISH])
    assert 258 < tokenizer.vocab_size < 2000
    assert caplog.messages == [f"the text gives {tokenizer.vocab_size} pieces, not the 2000 wanted"]
    assert capfd.readouterr() == ("", "")


def test_a_vocabulary_below_the_characters_names_the_least():
    with pytest.raises(TokenizerError) as caught:
        train_tokenizer("bpe", [ENGLISH], TokenizerConfig(vocab_size=100))
    least = 256 + 2 + len(set(ENGLISH) - {"\n"})
    assert str(caught.value) == (
        f"--vocab-size 100 is too small for this text: it needs at least {least}"
    )


def test_many_characters_raise_the_default_size():
    text = "".join(chr(0x4E00 + i) + ("\n" if i % 20 == 19 else "") for i in range(3000))
    tokenizer = train_tokenizer("bpe", [text])
    assert tokenizer.vocab_size > 3000


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_no_text_trains_no_subwords(text):
    with pytest.raises(TokenizerError, match=r"^no text to train a unigram tokenizer on$"):
        train_tokenizer("unigram", [text])


def test_subword_streams_show_no_half_character():
    tokenizer = train_tokenizer("bpe", [ENGLISH], TokenizerConfig(vocab_size=300))
    decoder = tokenizer.decoder()
    shown = [decoder.push(i) for i in tokenizer.encode("😀!").tolist()]
    assert shown == ["", "", "", "😀", "!"]


@given(st.text(alphabet="the king\n and  \u2581\0é", max_size=50))
@settings(deadline=None, max_examples=60)
def test_remembered_chunks_give_the_ids_of_sentencepiece(text):
    tokenizer = _bpe()
    plain = text.replace("\u2581", "x").replace("\0", "y")
    assert tokenizer.encode(plain).tolist() == tokenizer._processor.encode(plain)


def _bpe(made=[]):  # noqa: B006 - trained once
    if not made:
        made.append(train_tokenizer("bpe", [ENGLISH], TokenizerConfig(vocab_size=300)))
    return made[0]


@pytest.fixture(scope="module")
def foreign_model(tmp_path_factory):
    """A model as others make them: NFKC, a blank put before the text, no bytes."""
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(ENGLISH.split("\n")),
        model_writer=model,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("foreign") / "m.model"
    path.write_bytes(model.getvalue())
    return path


def test_a_foreign_model_works_as_it_is(foreign_model):
    tokenizer = train_tokenizer(str(foreign_model), [])
    ids = tokenizer.encode("the king saw\n a dog")
    assert tokenizer.decode(ids) == "the king saw a dog"
    decoder = tokenizer.decoder()
    assert "".join(map(decoder.push, ids.tolist())) + decoder.flush() == "the king saw a dog"
    assert tokenizer.unk_id == 0
    assert tokenizer.unk_id in tokenizer.encode("ж").tolist()
    assert tokenizer.hidden_ids == (0, 1, 2)
    assert tokenizer.count_chars(ids) == 18
    assert load_tokenizer(tokenizer.config(), tokenizer.to_files()).name == "sentencepiece"


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"{}", bytes(100)])
def test_a_file_that_is_no_model_is_refused(data, tmp_path):
    path = tmp_path / "x.model"
    path.write_bytes(data)
    with pytest.raises(TokenizerError, match=r"sentencepiece model"):
        train_tokenizer(str(path), [])


def test_a_missing_model_file_is_named():
    with pytest.raises(TokenizerError) as caught:
        train_tokenizer("no/such.model", [])
    assert str(caught.value) == "cannot read no/such.model: No such file or directory"


def test_sentencepiece_needs_a_file():
    with pytest.raises(TokenizerError) as caught:
        train_tokenizer("sentencepiece", [])
    assert str(caught.value) == "give a sentencepiece file: --tokenizer FILE.model"


def test_blocks_of_a_long_text_join_seamlessly(monkeypatch):
    from charlm.text import pieces
    from charlm.text.tokenizers import char

    text = "one two, three.\n\n  four\n" * 50
    word, chars = train_tokenizer("word", [text]), train_tokenizer("char", [text])
    whole = word.encode(text), chars.encode(text)
    monkeypatch.setattr(pieces, "PIECE_CHARS", 40)
    monkeypatch.setattr(char, "_BLOCK", 7)
    assert np.array_equal(word.encode(text), whole[0])
    assert np.array_equal(chars.encode(text), whole[1])
    assert chars.decode(whole[1]) == text


def test_of_a_text_too_long_to_train_on_a_sample_is_taken_that_is_always_the_same(monkeypatch):
    from charlm.text.tokenizers import sentencepieces

    lines = [f"line {i:04}\n" for i in range(4_000)]
    everything, total = sentencepieces._sample(lines)
    assert everything == [line.strip() for line in lines]
    assert total == 40_000
    monkeypatch.setattr(sentencepieces, "MAX_TRAINING_CHARS", 9_000)
    kept, total = sentencepieces._sample(lines)
    assert total == 40_000
    assert 400 <= len(kept) <= 1_000  # the bound halves until they fit
    assert kept == sorted(kept)
    halves = [sum(line < "line 2000" for line in kept), sum(line >= "line 2000" for line in kept)]
    assert min(halves) > 0.35 * len(kept)
    assert sentencepieces._sample(["".join(lines)]) == (kept, total)  # pieces do not matter


def test_a_long_line_is_trained_on_in_parts():
    from charlm.text.tokenizers import sentencepieces

    assert [len(part) for part in sentencepieces._sentences(["x" * 2500 + "\ny"])] == [
        1000,
        1000,
        500,
        1,
    ]
